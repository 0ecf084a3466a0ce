using System.Globalization;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Reports;

/// <summary>The finished runs of a sweep as a table, as the charts of paper 2 and, with a category, as the trade of paper 3.</summary>
internal sealed record SweepSummary(IReadOnlyList<string> Keys, IReadOnlyList<SweepResult> Results)
{
    private static readonly Lock Writing = new();

    private static readonly string[] Columns =
    [
        "images", "nll_nats", "kl_nats", "evlb_nats", "sigma2", "squared_error", "mi_nats", "mi_mixture_nats", "total_correlation_nats",
            "dtilde_nats", "d4_nats", "d5_nats",
        "influential_factors", "normal_variance_factors", "active_units", "bce_nats", "mi_category_nats", "mi_joint_nats",
            "total_correlation_joint_nats", "cluster_accuracy",
    ];

    /// <summary>What the tables have of each run, by the name of the column.</summary>
    public static IReadOnlyList<(string Name, Func<SweepResult, double> Value)> Measured { get; } =
        [("beta_sigma2", r => r.NormalisedVariance), .. Columns.Select(c => (c, (Func<SweepResult, double>)(r => r[c])))];

    // Paper 2: figure 4, 5a, 5b, 6a, 6b.
    private static readonly (string File, string Key, string Title, string Label)[] AgainstVariance =
    [
        ("evlb.svg", "evlb_nats", "EVLB against the normalised variance", "EVLB, nats per image"),
        ("d_indicator.svg", "d5_nats", "Aggregate posterior to prior (D5)", "nats"),
        ("normal_variance_factors.svg", "normal_variance_factors", "Factors with normal variance (D8)", "factors"),
        ("information.svg", "mi_nats", "Information of all factors, an upper bound (I3)", "nats"),
        ("influential_factors.svg", "influential_factors", "Influential factors (D8)", "factors"),
    ];

    /// <summary>Runs that differ in the seed alone, together; none where no key of the grid is the seed.</summary>
    public IReadOnlyList<SeedGroup> OverSeeds => Keys.Contains(GridAxis.SeedKey) ? SeedGroup.Of(Results) : [];

    public static SweepSummary Of(Sweep sweep) => new(sweep.Keys, sweep.Results);

    /// <summary>
    /// Writes summary.csv, seeds.csv where there are several, and the charts of the runs that are finished into the sweep's folder; several
    /// threads may call it. Nothing is written before the first of them.
    /// </summary>
    public static void Write(Sweep sweep)
    {
        lock (Writing)
            if (Of(sweep) is { Results.Count: > 0 } summary)
                summary.Save(sweep.Path);
    }

    /// <summary>Writes summary.csv, seeds.csv and the charts into a folder.</summary>
    public void Save(string folder)
    {
        Csv.Save(Path.Combine(folder, "summary.csv"), ["run", .. Keys, .. Measured.Select(c => c.Name)],
            Results.Select(r => (object?[])[r.Point.Name, .. r.Point.Values.Select(v => v.Value),
                .. Measured.Select(c => (object)c.Value(r))]));
        if (OverSeeds is { Count: > 0 } groups)
            SaveMeans(Path.Combine(folder, "seeds.csv"), groups);
        foreach (var (file, chart) in Charts())
            AtomicFile.WriteText(Path.Combine(folder, file), chart.ToSvg());
    }

    /// <summary>A row for each combination of the other keys: how many seeds, and of every column mean and half-width.</summary>
    private void SaveMeans(string path, IReadOnlyList<SeedGroup> groups)
    {
        Csv.Save(path,
            [.. Keys.Where(k => k != GridAxis.SeedKey), "seeds", .. Measured.SelectMany(c => new[] { c.Name, c.Name + "_ci95" })],
            groups.Select(g => (object?[])[.. g.Values.Select(v => v.Value), g.Results.Count,
                .. Measured.Select(c => g.Over(c.Value)).SelectMany(m => new object[] { m.Mean, m.HalfWidth })]));
    }

    /// <summary>Paper 2's figures 4, 5a, 5b, 6a, 6b, 8, 9 with the names of their files.</summary>
    public IEnumerable<(string File, Chart Chart)> Charts()
    {
        foreach (var (file, key, title, label) in AgainstVariance)
            yield return (file, new LineChart(Lines(r => r.NormalisedVariance, r => r[key]))
            {
                Title = title,
                XLabel = "beta sigma^2",
                YLabel = label,
                LogX = true
            });
        // Figures 8 and 9 show what was learned, as beta varies.
        yield return ("learned_sigma2.svg",
            new LineChart(Learned(r => r["sigma2"])) { Title = "Learned variance", XLabel = "beta", YLabel = "sigma^2" });
        yield return ("learned_beta_sigma2.svg", new LineChart(Learned(r => r.NormalisedVariance))
        {
            Title = "Normalised learned variance",
            XLabel = "beta",
            YLabel = "beta sigma^2"
        });
        // Alemi et al. (2018): a run is a point, and no run lies below the line D + R = NLL of the best.
        yield return ("rate_distortion.svg", new LineChart(Lines(r => r["kl_nats"], r => r["evlb_nats"] is double.NaN ? double.NaN
            : r["nll_nats"]))
        {
            Title = "Rate and distortion",
            XLabel = "rate: KL, nats per image",
            YLabel = "distortion: NLL, nats per image"
        });
        // Paper 3, table 4a: what the factors say against how far the parts of the code are from independent. A run without a category has
        // no such point.
        if (Lines(r => r["total_correlation_joint_nats"], r => r["mi_mixture_nats"]) is { Length: > 0 } front)
            yield return ("front.svg", new LineChart(front)
            {
                Title = "Information of the factors against total correlation",
                XLabel = "TC(y; z), nats (X3)",
                YLabel = "I(x; z), nats (X1)"
            });
    }

    private Series[] Learned(Func<SweepResult, double> y) =>
        Lines(r => r.Point.Configuration.Noise.Noise.Name == "fixed" ? double.NaN : r.Beta, y);

    /// <summary>
    /// One series for each line, in the order of x; several seeds are one point, their means, and points that are not finite are left out.
    /// </summary>
    private Series[] Lines(Func<SweepResult, double> x, Func<SweepResult, double> y) =>
    [
        .. SeedGroup.Of(Results).Select(g => (g.Results[0].Line, X: g.Over(x).Mean, Y: g.Over(y).Mean))
            .Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).GroupBy(p => p.Line)
            .Select(g => g.OrderBy(p => p.X).ToArray())
            .Select(points => new Series(points[0].Line, [.. points.Select(p => p.X)], [.. points.Select(p => p.Y)])),
    ];
}
