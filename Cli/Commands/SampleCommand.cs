using System.CommandLine;
using System.Globalization;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae sample: a grid of images decoded from the prior.</summary>
internal static class SampleCommand
{
    public static Command Create()
    {
        var command = new Command("sample",
            "a PNG grid of images decoded from codes of the prior, or of a mixture of Gaussians fitted after training; of a run on a table "
            + "rows as CSV, drawn with the noise");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        command.Arguments.Add(path);
        var sampler =
            new Option<string>("--sampler")
            {
                Description =
            "where codes come from: prior, or gmm:K, a mixture of K Gaussians fitted to codes of the training images",
                DefaultValueFactory = _ => "prior",
                HelpName = "prior|gmm:K",
            };
        sampler.CompletionSources.Add("prior", "gmm:10");
        command.Options.Add(sampler);
        var grid = new GridOptions(command, "samples.png", images: 64, columns: 8, ".png");
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (images, columns, file) = grid.Read(parsed, context, parsed.GetValue(path)!);
            int? components = Components(parsed.GetValue(sampler)!);
            using var run = context.OpenRun(parsed.GetValue(path)!);
            float[]? codes = components is { } k ? OfMixture(context, run, images, k) : null;
            if (run.Data.Test.Columns is { } ofTable)
            {
                var rows = new TableRows(run.Model, run.Configuration, ofTable);
                grid.Save(context, run, file, images, stream =>
                    rows.Write(stream, codes is null ? rows.Samples(images) : rows.Drawn(codes)));
                return ExitCode.Done;
            }
            var pictures = new Pictures(run.Model, run.Configuration);
            byte[] png = codes is null ? pictures.Samples(images, columns) : pictures.Decoded(codes, columns);
            grid.Save(context, run, file, images, stream => stream.Write(png));
            return ExitCode.Done;
        });
        return command;
    }

    /// <returns>K; null for the prior.</returns>
    private static int? Components(string sampler) => sampler == "prior" ? null
        : sampler.StartsWith("gmm:", StringComparison.Ordinal) && int.TryParse(sampler.AsSpan(4), NumberStyles.None,
            CultureInfo.InvariantCulture, out int k) && k > 0 ? k
        : throw new OptionException($"--sampler {sampler}: expected prior, or gmm: and the number of Gaussians such as gmm:10");

    private static float[] OfMixture(CommandContext context, OpenRun run, int images, int components)
    {
        var fitted = CodeSampler.Fit(run.Model, run.TrainingImages, run.Data.Test, run.Configuration, components);
        if (fitted.Gain is { } gain)
            context.Output.Line(string.Create(CultureInfo.InvariantCulture,
                $"density            {gain:F3} nats per {run.Configuration.Item} gained over N(0, I), mean of "
                + $"{fitted.TestCodes} test codes"));
        return fitted.Draw(images, run.Configuration.Training.Seed);
    }
}
