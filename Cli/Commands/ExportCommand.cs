using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae export: a run's weights in PyTorch's names and layouts.</summary>
internal static class ExportCommand
{
    public static Command Create()
    {
        var command = new Command("export", "write a run's weights in PyTorch's names and layouts");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var format = new Option<string>("--format") { Description = "safetensors", DefaultValueFactory = _ => "safetensors" };
        var file = new Option<string>("--out") { Description = "the file to write; - for standard output", Required = true };
        command.Arguments.Add(path);
        command.Options.Add(format);
        command.Options.Add(file);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            if (parsed.GetValue(format) is not "safetensors" and var other)
                throw new OptionException($"--format {other}: expected safetensors");
            var target = OutputFile.Named("--out", parsed.GetValue(file)!, [".safetensors"], context.Output);
            using var run = context.OpenRun(parsed.GetValue(path)!);
            var parameters = run.Model.Parameters.ToArray();
            target.Write(stream => WeightFile.Save(parameters, stream));
            long values = parameters.Sum(p => (long)p.Shape.Length);
            context.Output.Line($"{target.Path}: {parameters.Length} tensors, {values} values");
            context.Output.Json(new JsonObject { ["file"] = target.Path, ["tensors"] = parameters.Length, ["values"] = values });
            return ExitCode.Done;
        });
        return command;
    }
}
