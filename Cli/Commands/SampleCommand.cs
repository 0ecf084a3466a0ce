using System.CommandLine;
using VaeFromScratch.Cli.Report;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae sample: a grid of images decoded from the prior.</summary>
internal static class SampleCommand
{
    public static Command Create()
    {
        var command = new Command("sample", "a PNG grid of images decoded from z ~ N(0, I)");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        command.Arguments.Add(path);
        var grid = new GridOptions(command, "samples.png", images: 64, columns: 8, ".png");
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (images, columns, file) = grid.Read(parsed, context);
            using var run = context.OpenRun(parsed.GetValue(path)!);
            byte[] png = new Pictures(run.Model, run.Configuration).Samples(images, columns);
            grid.Save(context, run, file, images, stream => stream.Write(png));
            return ExitCode.Done;
        });
        return command;
    }
}
