using System.CommandLine;
using VaeFromScratch.Data;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae reconstruct: test images above what the model makes of them.</summary>
internal static class ReconstructCommand
{
    public static Command Create()
    {
        var command =
            new Command("reconstruct",
            "a PNG grid of images, each row above the row of their reconstructions; or the pixels themselves as arrays images and means, "
            + "when --out ends in .npz; of a run on a table the reconstructed rows as CSV");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var split = new Option<string>("--split") { Description = "the images to take", DefaultValueFactory = _ => "test" }
            .Among(OpenRun.Splits);
        command.Arguments.Add(path);
        command.Options.Add(split);
        var grid = new GridOptions(command, "reconstructions.png", images: 32, columns: 8, ".png", ".npz");
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (images, columns, file) = grid.Read(parsed, context, parsed.GetValue(path)!);
            using var run = context.OpenRun(parsed.GetValue(path)!);
            var dataset = run.Split(parsed.GetValue(split)!);
            images = Math.Min(images, dataset.Count);
            if (dataset.Columns is { } ofTable)
            {
                var rows = new TableRows(run.Model, run.Configuration, ofTable);
                grid.Save(context, run, file, images, stream => rows.Write(stream, rows.Means(rows.First(dataset, images).Codes)));
                return ExitCode.Done;
            }
            var pictures = new Pictures(run.Model, run.Configuration);
            if (file?.Ending == ".npz")
            {
                var (originals, codes) = pictures.First(dataset, images);
                int[] shape = [images, dataset.Height, dataset.Width, dataset.Channels];
                (string, NpyArray)[] arrays =
                    [("images", NpyArray.From(shape, originals)), ("means", NpyArray.From(shape, Evaluator.Decode(run.Model, codes)))];
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
