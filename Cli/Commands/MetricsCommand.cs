using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae metrics: disentanglement, likelihood and likeness of a trained run.</summary>
internal static class MetricsCommand
{
    public static Command Create()
    {
        var command = new Command("metrics", "disentanglement metrics of a run on data with known factors (dsprites, synthetic-shapes, synthetic-gaussian), active units, SSIM, likelihood; writes metrics.json");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var split = new Option<string>("--split") { Description = "the images to measure on: test or train", DefaultValueFactory = _ => "test" };
        var samples = new Option<int>("--nll-samples") { Description = "also estimate the NLL by so many importance samples for each image" };
        var images = new Option<int>("--ssim-images") { Description = "images whose pairs SSIM compares; 0 to leave it out", DefaultValueFactory = _ => new MetricsOptions().SsimImages };
        command.Arguments.Add(path);
        foreach (var option in (Option[])[split, samples, images])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            if (parsed.GetValue(samples) is < 0 and var s)
                throw new OptionException($"--nll-samples {s}: expected a positive number");
            int ssimImages = parsed.GetValue(images);
            if (ssimImages is < 0 or 1)
                throw new OptionException($"--ssim-images {ssimImages}: expected 0 (none) or at least 2");
            using var run = context.OpenRun(parsed.GetValue(path)!);
            var dataset = run.Split(parsed.GetValue(split)!);
            if (ssimImages > 0 && Math.Min(dataset.Height, dataset.Width) < Ssim.Window)
            {
                Output.Note($"SSIM needs images of at least {Ssim.Window} x {Ssim.Window}; these have {dataset.Height} x {dataset.Width}, so it is left out");
                ssimImages = 0;
            }
            var metrics = RunMetrics.Compute(run.Model, dataset, run.TrainingImages, run.Configuration, new(ssimImages, parsed.GetValue(samples)));
            AtomicFile.WriteText(run.Directory.File("metrics.json"), metrics.ToJson().ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
            Print(context.Output, metrics, run.Configuration.Data);
            context.Output.Json(metrics.ToJson());
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(Output output, RunMetrics metrics, string data)
    {
        if (metrics.Disentanglement is { } all)
        {
            Print(output, all);
            if (metrics.OrderedFactors is { } ordered)
                Print(output, ordered);
        }
        else
            output.Line($"disentanglement    none: the factors behind {data} are not known; dsprites, synthetic-shapes and synthetic-gaussian have known ones");
        output.Line(Text($"active units       {metrics.ActiveUnits} (M8)"));
        output.Line(Text($"squared error      {metrics.SquaredError:F3} per image, {metrics.Images} {metrics.Split} images"));
        if (metrics.Category?.Labels is { } labels)
            output.Line(Text($"clustering         {labels.ClusterAccuracy:F4} of the images by the best one-to-one map of categories to labels (S3), {labels.Accuracy:F4} by the commonest label of each"));
        if (metrics.Importance is { } importance)
            output.Line(Text($"NLL                {importance.Nll:F2} nats per image by {importance.Samples} importance samples (M7)"));
        if (metrics.SampleSsim is { } samples)
        {
            output.Line(Text($"SSIM               {metrics.ReconstructionSsim:F4} between {metrics.SsimImages} images and their reconstructions, data range 1"));
            output.Line(Text($"negative SSIM      {samples.Negative:F4} of {metrics.SsimImages} samples from the prior (G7), {samples.NegativeWithoutSelf:F4} without self-pairs"));
        }
    }

    private static void Print(Output output, FactorScores scores)
    {
        output.Line($"factors: {string.Join(", ", scores.Factors)}; {scores.Points} points, {Score.Repeats} seeds");
        output.Table(["metric", "mean", "95 % +-"], scores.All.Where(s => s.Score is not null).Select(s => (IReadOnlyList<string>)[Name(s.Key), Text($"{s.Score!.Mean:F4}"), Text($"{s.Score.HalfWidth:F4}")]), textColumns: 1);
        output.Line();
    }

    private static string Name(string key) => key switch
    {
        "mig" => "MIG, means in 20 bins (M1)",
        "mig_sampled" => "MIG, sampled codes (M1)",
        "sap" => "SAP (M2)",
        "dci_disentanglement" => "DCI disentanglement (M3)",
        "dci_completeness" => "DCI completeness (M3)",
        "dci_informativeness" => "DCI informativeness (M3)",
        "modularity" => "modularity (M4)",
        "factor_vae" => "FactorVAE score (M5)",
        _ => "beta-VAE score (M6)",
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
