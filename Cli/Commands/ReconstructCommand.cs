using System.CommandLine;
using VaeFromScratch.Cli.Report;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae reconstruct: test images above what the model makes of them.</summary>
internal static class ReconstructCommand
{
    public static Command Create()
    {
        var command = new Command("reconstruct", "a PNG grid of images, each row above the row of their reconstructions; or the pixels themselves as arrays images and means, when --out ends in .npz");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var split = new Option<string>("--split") { Description = "test or train", DefaultValueFactory = _ => "test" };
        command.Arguments.Add(path);
        command.Options.Add(split);
        var grid = new GridOptions(command, "reconstructions.png", images: 32, columns: 8);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (images, columns) = grid.Read(parsed);
            using var run = context.OpenRun(parsed.GetValue(path)!);
            var dataset = run.Split(parsed.GetValue(split)!);
            images = Math.Min(images, dataset.Count);
            if (grid.Target(parsed, run).EndsWith(".npz", StringComparison.Ordinal))
            {
                var (originals, codes) = new Pictures(run.Model, run.Configuration).First(dataset, images);
                int[] shape = [images, dataset.Height, dataset.Width, dataset.Channels];
                Npz.Write(grid.Target(parsed, run), [("images", NpyArray.From(shape, originals)), ("means", NpyArray.From(shape, Evaluator.Decode(run.Model, codes)))]);
                grid.Announce(parsed, context, run, images);
                return ExitCode.Done;
            }
            grid.Save(parsed, context, run, new Pictures(run.Model, run.Configuration).Reconstructions(dataset, images, Math.Min(columns, images)), images);
            return ExitCode.Done;
        });
        return command;
    }
}
