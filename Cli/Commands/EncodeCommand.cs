using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae encode: what the encoder says about every image, as CSV or npz.</summary>
internal static class EncodeCommand
{
    public static Command Create()
    {
        var command = new Command("encode", "write mu and logvar of every image in file order, with its label when there is one");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var split = new Option<string>("--split") { Description = "the images to take", DefaultValueFactory = _ => "test" }
            .Among(OpenRun.Splits);
        var file = new Option<string>("--out")
        {
            Description =
            "the file to write; its name ends in .csv or .npz; - for CSV on standard output",
            Required = true
        };
        command.Arguments.Add(path);
        command.Options.Add(split);
        command.Options.Add(file);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            string named = parsed.GetValue(path)!;
            var target = OutputFile.Named("--out", parsed.GetValue(file)!, [.. EncodingsFile.Endings], named, context.Output);
            using var run = context.OpenRun(named);
            using var evaluator = new Evaluator(run.Model, run.Split(parsed.GetValue(split)!), run.Configuration);
            var e = evaluator.Encode();
            var table = new EncodingTable(e.Points, e.Factors, e.Mu.ToArray(), e.LogVar.ToArray(),
                e.Categories == 0 ? null : e.Probabilities.ToArray(), e.Categories, e.Labels.IsEmpty ? null : e.Labels.ToArray());
            target.Write(stream => EncodingsFile.Write(stream, target.Ending, table));
            context.Output.Line($"{target.Path}: {e.Points} {run.Configuration.Item}s, "
                + $"{e.Factors} {(e.Factors == 1 ? "factor" : "factors")}"
                + $"{(e.Labels.IsEmpty ? "" : ", with labels")}");
            context.Output.Json(new JsonObject
            {
                ["file"] = target.Path,
                ["points"] = e.Points,
                ["factors"] = e.Factors,
                ["categories"] = e.Categories,
                ["labels"] = !e.Labels.IsEmpty
            });
            return ExitCode.Done;
        });
        return command;
    }
}
