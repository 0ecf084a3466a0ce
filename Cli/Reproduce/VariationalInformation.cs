using System.Globalization;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>
/// Paper 5: maximising a variational bound of the information between a chosen part of the code and the decoder's output.
/// </summary>
internal sealed class VariationalInformation : Paper
{
    private const int ImagesShown = 8;

    private const string GaussianPlain = "vmi-gaussian-elbo";

    /// <summary>
    /// lambda of figure 4.4: the text's 0.001, 0.005 and 0.01 belong to a loss that is a mean over the 784 pixels (Q4), (Q5).
    /// </summary>
    private static readonly double[] Weights = [0.001, 0.005, 0.01];
    private const int Pixels = 784, Chosen = 2, GridSteps = 9;

    private static readonly (string Suffix, string Title)[] Trained = [("elbo", "ELBO alone"), ("mi", "with the MI regulariser")];

    public override string Name => "vmi";

    public override string Title => "Variational mutual information maximisation (paper 5)";

    public override IReadOnlyList<string> Shortened => ["Fashion-MNIST for 2 epochs instead of 5",
        "the paper's recipe without its additions is left out",
        "Gaussian factors alone: a fully connected network for 3 epochs instead of convolutions for 30, one lambda instead of three"];

    public override IReadOnlyList<SweepPoint> Runs(bool quick, CommandContext context)
    {
        var tuned = ModelCatalogue.Defaults("vmi-vae", "mnist", "tuned");
        // The plain VAE has the same network and code, and none of the terms that are about the category.
        var plain = tuned.With(("lambda", 0), ("encoder_mi", "0"), ("augment", 0), ("category_scale", 1)) with { Recipe = "" };
        (string, object)[] fashion = [("data", "fashion-mnist"), ("epochs", quick ? 2 : 5)];
        return
        [
            Run("vmi-mnist-elbo", plain),
            Run("vmi-mnist-mi", tuned),
            .. quick ? [] : new[] { Run("vmi-mnist-paper", ModelCatalogue.Defaults("vmi-vae", "mnist", "paper")) },
            Run("vmi-fashion-mnist-elbo", plain.With(fashion)),
            Run("vmi-fashion-mnist-mi", tuned.With(fashion)),
            Run(GaussianPlain, Gaussian(quick, weight: 0, "0,1")),
        ];
    }

    /// <summary>The runs with the bound on the two factors that matter least in the plain run: the paper chose them by eye.</summary>
    public override IReadOnlyList<SweepPoint> Then(bool quick, CommandContext context, Sweep finished)
    {
        if (finished.Results.FirstOrDefault(r => r.Point.Name == GaussianPlain) is not { } plain)
            return [];
        using var run = context.OpenRun(finished.DirectoryOf(plain.Point).Path);
        string chosen = string.Join(',',
            new RunFigures(run).Indicators.Ranked.TakeLast(Chosen).Select(f => f.Factor.ToString(CultureInfo.InvariantCulture)));
        return [.. Weights.TakeLast(quick ? 1 : Weights.Length).Select(w => Run(GaussianName(w), Gaussian(quick, Pixels * w, chosen)))];
    }

    /// <summary>
    /// Section 4.3.1: 32 Gaussian factors, x' drawn from p(x|z). With weight 0 it is the plain VAE, from the same initial weights.
    /// </summary>
    private static RunConfiguration Gaussian(bool quick, double weight, string factors)
    {
        var paper = ModelCatalogue.Defaults("vmi-vae", "mnist", "paper", "gaussian").With(("mi_weight", weight), ("mi_factors", factors));
        return quick ? paper.With(("network", "mlp:500,1000/500,500"), ("batch_norm", "encoder"), ("epochs", 3)) : paper;
    }

    private static string GaussianName(double weight) => string.Create(CultureInfo.InvariantCulture, $"vmi-gaussian-lambda-{weight}");

    public override void Report(Findings findings)
    {
        Numbers(findings);
        Factors(findings);
        foreach (string data in (string[])["mnist", "fashion-mnist"])
            Categories(findings, data);
        Curves(findings);
    }

    private static void Numbers(Findings findings)
    {
        var (elbo, mi, paper) = (findings.Result("vmi-mnist-elbo"), findings.Result("vmi-mnist-mi"), findings.Result("vmi-mnist-paper"));
        double? Kl(SweepResult? result) => result is null ? null : findings.Metrics(result).Columns["test_kl_category"][^1];
        var bounds = new[] { elbo, mi }.Select(result => result is null ? null : Bound(findings, result)).ToArray();
        findings.Section("Accuracies and information of the category, MNIST")
            .Table("Accuracy: share of test images whose category has the label that it has most often among the training images",
        [
            new("accuracy with the ELBO alone", 0.21, elbo?["accuracy"], Target.Within(0.25)),
            new("accuracy with the MI regulariser (recipe tuned)", 0.82, mi?["accuracy"], Target.AtLeast),
            new("accuracy with the MI regulariser and nothing else (recipe paper)", 0.82, paper?["accuracy"], Target.AtLeast),
            new("the same as the paper measured it: training images, each batch's own statistics", 0.82, paper is null ? null
                : InTrainingMode(findings, paper), Target.AtLeast),
            new("KL of the category with the MI regulariser, nats (figure 4.9)", 2.27, Kl(mi), Target.Within(0.10)),
            new("KL of the category with the ELBO alone, nats", null, Kl(elbo), Target.Shown),
            new("I(x; c) (C3) with the MI regulariser, nats", null, mi?["mi_category_nats"], Target.Shown),
            new("I(x; c) (C3) with the ELBO alone, nats", null, elbo?["mi_category_nats"], Target.Shown),
            new("bound on I(c; x') (Q3) with the MI regulariser, nats (figure 4.8)", null, bounds[1]?.Bound.Category?.Value, Target.Shown),
            new("bound on I(c; x') (Q3) with the ELBO alone, nats", null, bounds[0]?.Bound.Category?.Value, Target.Shown),
            new("bound with the regulariser less that without, \"higher\" (figure 4.8), nats", 0,
                bounds[1]?.Bound.Category?.Value - bounds[0]?.Bound.Category?.Value, Target.AtLeast),
        ]).Paragraph(
            "(C3) is about the encoder, what the category says about the image; (Q3) is about the decoder, what its output says about "
            + "the category. They are different quantities, and the second may be large where the first is 0. The paper's accuracies are "
            + "of training images with batch normalisation in training mode; these are of test images in evaluation mode.");
    }

    private static double InTrainingMode(Findings findings, SweepResult result)
    {
        using var run = findings.Open(result);
        return TrainingModeAccuracy.Compute(run.Model, run.TrainingImages, run.Configuration.Training.Batch);
    }

    private static CodeBound Bound(Findings findings, SweepResult result)
    {
        using var run = findings.Open(result);
        return CodeBound.Compute(run.Model, run.TrainingImages, run.Data.Test, run.Configuration, [], sampled: true);
    }

    /// <summary>Figures 4.3 and 4.4: two chosen factors with and without the bound.</summary>
    private static void Factors(Findings findings)
    {
        findings.Section("Figures 4.3 and 4.4: two of 32 Gaussian factors, the least influential ones of the plain run");
        (string Name, string Title)[] runs = [(GaussianPlain, "ELBO alone"), .. Weights.Select(w => (GaussianName(w),
            string.Create(CultureInfo.InvariantCulture, $"lambda {w}")))];
        int[]? chosen = runs.Skip(1).Select(r => findings.Result(r.Name)).OfType<SweepResult>()
            .Select(r => ((FactorList)r.Point.Configuration.Value("mi_factors")!).Factors).FirstOrDefault();
        if (chosen is null)
        {
            findings.Note("The runs with the bound are not finished.");
            return;
        }
        var rows = new List<(string Title, double Information)>();
        var lines = new List<(string, byte[])>();
        foreach (var (name, title) in runs)
        {
            if (findings.Result(name) is not { } result)
                continue;
            using var run = findings.Open(result);
            var figures = new RunFigures(run);
            rows.Add((title, chosen.Sum(f => figures.Indicators.Factors[f].Information)));
            lines.Add((title, figures.One(chosen[0], range: 5)));
            if (name == GaussianPlain || name == GaussianName(Weights[^1]))
                findings.Figure(figures.Plane(chosen[0], chosen[1], range: 3, GridSteps),
                    $"Figure 4.3, {title}: factor {chosen[0]} down and factor {chosen[1]} across, from -3 to 3 on the first test image.");
        }
        findings.Strips(lines, $"Figure 4.4: factor {chosen[0]} from -5 to 5 on the first test image.")
            .Table("Information of the two chosen factors, nats (I2)",
            [
                .. rows.Select(r => new Finding(r.Title, null, r.Information, Target.Shown)),
                new("with the largest lambda less that without the bound", 0, rows.Count < 2 ? null
                    : rows[^1].Information - rows[0].Information, Target.AtLeast),
            ]);
    }

    /// <summary>Figures 4.5 to 4.7, 4.10 and 4.11.</summary>
    private static void Categories(Findings findings, string data)
    {
        foreach (var (suffix, title) in Trained)
        {
            if (findings.Result($"vmi-{data}-{suffix}") is not { } result)
                continue;
            using var run = findings.Open(result);
            var figures = new RunFigures(run);
            findings.Section($"{(data == "mnist" ? "Figures 4.5, 4.7, 4.10, 4.11" : "Figure 4.6")}: {data}, {title}")
                .Figure(figures.Categories(ImagesShown), "Test images, and their codes with each category in turn.");
            if (findings.Probabilities(result) is { } histograms)
                findings.Figure(Charts.Certainty(histograms), "Probabilities of the categories over training.");
            if (figures.LabelMap is { } map)
                findings.Figure(map, "How many images of each label fell into each category.");
        }
    }

    /// <summary>Figures 4.8 and 4.9: the terms of both runs, epoch by epoch.</summary>
    private static void Curves(Findings findings)
    {
        var runs = Trained.Select(t => (t.Title, Result: findings.Result($"vmi-mnist-{t.Suffix}"))).Where(r => r.Result is not null)
            .Select(r => (r.Title, Metrics: findings.Metrics(r.Result!))).ToArray();
        if (runs.Length == 0)
            return;
        string[] terms = [.. runs.SelectMany(r => r.Metrics.Names).Where(n => n.StartsWith("test_", StringComparison.Ordinal)
            && (n.Contains("category", StringComparison.Ordinal) || n.Contains("bound", StringComparison.Ordinal)
            || n.Contains("mi_", StringComparison.Ordinal))).Distinct()];
        findings.Section("Figures 4.8 and 4.9: bound and KL during training").Charts(terms.Select(term => new LineChart([.. runs.Where(r =>
            r.Metrics.Columns.ContainsKey(term)).Select(r => new Series(r.Title, r.Metrics.Columns["epoch"], r.Metrics.Columns[term]))])
        {
            Title = term["test_".Length..],
            XLabel = "epoch",
            WholeX = true,
            YLabel = "nats per image",
            Width = 440,
            Height = 280,
        }));
    }
}
