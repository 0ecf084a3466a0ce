using System.Globalization;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>Paper 2: what VAEs learn, by theorems and by indicators under different noise models.</summary>
internal sealed class Troubleshooting : Paper
{
    private static readonly (string Name, string Noise, string Update, string Title)[] NoiseModels =
    [
        ("closed-form", "learned", "closed-form", "one variance, closed form (N2)"),
            ("gradient", "learned", "gradient", "one variance, gradient on log sigma (N2)"),
        ("network", "network", "closed-form", "a variance for each pixel by the decoder (N3)"),
            ("mog-2", "mog:2", "closed-form", "mixture of 2 Gaussians (N4)"),
    ];

    /// <summary>beta with learned noise, and the normalised variance beta sigma^2 that the captions of figures 2, 10 and 11 give.</summary>
    private static readonly (string Beta, double Variance, string Figure)[] Published =
        [("10", 0.112, "figure 2"), ("1", 0.00248, "figure 10"), ("0.5", 0.00086, "figure 11")];

    private const string CelebA = "celeba-beta-40", YaleB = "yale-b-beta-120", YaleNetwork = "yale-b-network";

    public override string Name => "troubleshooting";

    public override string Title => "Preliminary theoretical troubleshooting in variational autoencoder (paper 2)";

    public override IReadOnlyList<string> Shortened =>
    [
        "five values of beta and five of sigma^2 instead of 12 and 23; 3 epochs on 20 000 images instead of 200 epochs on 42 000, beta "
            + "10 for 15 epochs on 42 000",
        "noise models for 3 epochs on 20 000 images",
        "CelebA and Yale B are left out",
    ];

    public override IReadOnlyList<SweepPoint> Runs(bool quick, CommandContext context) =>
    [
        .. MnistRuns.Betas(quick).Select(beta => MnistRuns.Learned(beta, quick)),
        .. MnistRuns.Variances(quick).Select(variance => MnistRuns.Specified(variance, quick)),
        .. NoiseModels.Select(n => MnistRuns.WithNoise(n.Name, quick, n.Noise, n.Update)),
        .. Theory.IntrinsicDimensions.Select(p => Run(Theory.IntrinsicName(p), Theory.IntrinsicRun(p))),
        .. quick ? [] : new[]
        {
            Run(CelebA, ModelCatalogue.Defaults("beta-vae", "celeba")),
            Run(YaleB, ModelCatalogue.Defaults("beta-vae", "yale-b")),
            Run(YaleNetwork, ModelCatalogue.Defaults("beta-vae", "yale-b").With(("beta", 1), ("noise", "network"), ("epochs", 1460))),
        },
    ];

    public override void Report(Findings findings)
    {
        var grid = findings.Summary(["beta", "noise"], r => r.Point.Name.StartsWith("mnist-beta-", StringComparison.Ordinal)
            || r.Point.Name.StartsWith("mnist-sigma2-", StringComparison.Ordinal));
        Variances(findings);
        if (grid.Results.Count > 0)
            findings.Section("Figures 4, 5, 6, 8 and 9: indicators against the normalised variance")
                .Charts(grid.Charts().Select(c => c.Chart with { Width = 440, Height = 300 }));
        foreach (var (beta, _, figure) in Published)
            Spectrum(findings, MnistRuns.LearnedName(beta), $"{char.ToUpperInvariant(figure[0])}{figure[1..]}: learned noise, beta {beta}");
        Spectrum(findings, MnistRuns.SpecifiedName("0.11"), "Figure 16: specified noise, sigma^2 0.11");
        Claims(findings, grid);
        Noise(findings);
        Faces(findings);
        Attributes(findings);
        Theory.Corollary(findings, findings.Results);
        Theory.Report(findings);
    }

    /// <summary>Figures 3, 7, 14 and 15 and table 1: CelebA and Yale B.</summary>
    private static void Faces(Findings findings)
    {
        foreach (var (name, heading) in ((string, string)[])[(CelebA, "Figures 3, 7 and 15, table 1: CelebA, mixture noise, beta 40"),
            (YaleB, "Figure 14: Extended Yale Face B, learned noise, beta 120"),
            (YaleNetwork, "Extended Yale Face B, a variance for each pixel")])
        {
            findings.Section(heading);
            if (findings.Result(name) is not { } result)
            {
                findings.Note(findings.Quick ? "Left out by --quick." : "The pictures are not at hand, or the run is not finished.");
                continue;
            }
            using var run = findings.Open(result);
            var figures = new RunFigures(run);
            findings.Figure(figures.Spectrum, "Information of each factor (I2) and the mean variance of its posteriors.")
                .Strips(figures.OneShot(4), "One-shot traversals (figure 3): four factors from 3 below to 3 above each image's own value.")
                .Strips(figures.Traversals(6),
                    "The most informative factors from -3 to 3 on three test images, and the least informative one.")
                .Figure(figures.Reconstructions(10), "Test images above their reconstructions (figure 15).");
            if (figures.Attributes() is { } attributes)
                findings.Table("Table 1 by numbers: I(z_h; attribute), nats, the factors that say most", RunFigures.AttributeHeader,
                    attributes);
        }
    }

    /// <summary>What table 1 says by eye, for the labels of MNIST.</summary>
    private static void Attributes(Findings findings)
    {
        if (findings.Result(MnistRuns.LearnedName(MnistRuns.MainBeta)) is not { } result)
            return;
        using var run = findings.Open(result);
        if (new RunFigures(run).Attributes() is { } attributes)
            findings.Section("I(z_h; attribute) on MNIST: variants and factors by numbers")
                .Table($"beta {MnistRuns.MainBeta}; label by label, nats", RunFigures.AttributeHeader, attributes);
    }

    private static void Variances(Findings findings) => findings.Section("Learned noise")
        .Table("Normalised variance beta sigma^2 of learned noise", [.. Published.Select(p => new Finding($"beta {p.Beta} ({p.Figure})",
        p.Variance, findings.Result(MnistRuns.LearnedName(p.Beta))?.NormalisedVariance, Target.Within(0.25)))]);

    private static void Spectrum(Findings findings, string name, string heading)
    {
        if (findings.Result(name) is not { } result)
            return;
        using var run = findings.Open(result);
        var figures = new RunFigures(run);
        findings.Section(heading)
            .Figure(figures.Spectrum, "Information of each factor (I2) and the mean variance of its posteriors.")
            .Figure(figures.AggregateVariances, "Aggregate variances s* in the same order.")
            .Strips(figures.Traversals(6),
                "The most informative factors from -3 to 3 on three test images, and the least informative one.");
    }

    /// <summary>What section 8 says in words, as numbers.</summary>
    private static void Claims(Findings findings, SweepSummary grid)
    {
        var learned = grid.Results.Where(r => r.Point.Configuration.Noise.Noise.Name == "learned").OrderBy(r => r.Beta).ToArray();
        var worst = grid.Results.Select(r => Math.Abs(r["d4_nats"] - r["d5_nats"]) / Math.Max(1e-9, r["d5_nats"]))
            .DefaultIfEmpty(double.NaN).Max();
        // At the same normalised variance, learned noise with beta above 1 carries less information than specified noise: compared at the
        // nearest specified variance.
        var pairs = learned.Where(r => r.Beta > 1).Select(r => (Learned: r, Specified: grid.Results.Where(s =>
            s.Point.Configuration.Noise.Noise.Name != "learned").MinBy(s => Math.Abs(Math.Log(s["sigma2"] / r.NormalisedVariance)))))
            .Where(p => p.Specified is not null).ToArray();
        findings.Section("What the paper says of its figures")
            .Table("Indicators",
            [
                new("largest relative difference of (D4) and (D5), \"the same estimation results\": an identity", 0, double.IsNaN(worst)
                    ? null : worst, Target.Near(1e-4)),
                new("rank correlation of beta and total information, \"suppression\"", -1, learned.Length < 3 ? null
                    : MathNet.Numerics.Statistics.Correlation.Spearman(learned.Select(r => r.Beta), learned.Select(r => r["mi_nats"])),
                    Target.Near(0.2)),
                new("rank correlation of beta and (D5), \"the bigger beta, the lower\"", -1, learned.Length < 3 ? null
                    : MathNet.Numerics.Statistics.Correlation.Spearman(learned.Select(r => r.Beta), learned.Select(r => r["d5_nats"])),
                    Target.Near(0.4)),
                new("share of beta above 1 where learned noise carries less information than specified noise of the nearest normalised "
                    + "variance (figure 6a)", 1, pairs.Length == 0 ? null : pairs.Count(p => p.Learned["mi_nats"] < p.Specified!["mi_nats"])
                    / (double)pairs.Length, Target.Incomparable("at a stationary point both have the same gradients")),
            ]).Paragraph(
                "Figure 6a sets learned noise with weight beta beside specified noise of variance beta sigma^2. Up to one factor the two "
                + "objectives have the same gradients (section 7.2.1 of the paper, (N1)), so that a difference between them says how far "
                + "the runs are from a stationary point, and nothing of suppression.");
    }

    private static void Noise(Findings findings)
    {
        var results = NoiseModels.Select(n => (n.Title, Result: findings.Result($"mnist-noise-{n.Name}"))).Where(n => n.Result is not null)
            .ToArray();
        if (results.Length == 0)
            return;
        findings.Section("Noise models").Table("MNIST, beta 1, nats per image; the paper gives no numbers", ["noise", "EVLB", "NLL", "KL",
            "squared error", "information (I3)", "influential"], [.. results.Select(n => (IReadOnlyList<string>)
        [
            n.Title, .. ((string[])["evlb_nats", "nll_nats", "kl_nats", "squared_error", "mi_nats", "influential_factors"])
                .Select(key => n.Result![key].ToString("0.##", CultureInfo.InvariantCulture)),
        ])]);
    }
}
