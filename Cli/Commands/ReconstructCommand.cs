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
        var grid = new GridOptions(command, "reconstructions.png", images: 32, columns: 8, ".png", ".npz");
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (images, columns, file) = grid.Read(parsed, context);
            using var run = context.OpenRun(parsed.GetValue(path)!);
            var dataset = run.Split(parsed.GetValue(split)!);
            images = Math.Min(images, dataset.Count);
            var pictures = new Pictures(run.Model, run.Configuration);
            if (file?.Ending == ".npz")
            {
                var (originals, codes) = pictures.First(dataset, images);
                int[] shape = [images, dataset.Height, dataset.Width, dataset.Channels];
                (string, NpyArray)[] arrays = [("images", NpyArray.From(shape, originals)), ("means", NpyArray.From(shape, Evaluator.Decode(run.Model, codes)))];
                grid.Save(context, run, file, images, stream => Npz.Write(stream, arrays));
                return ExitCode.Done;
            }
            byte[] png = pictures.Reconstructions(dataset, images, Math.Min(columns, images));
            grid.Save(context, run, file, images, stream => stream.Write(png));
            return ExitCode.Done;
        });
        return command;
    }
}
