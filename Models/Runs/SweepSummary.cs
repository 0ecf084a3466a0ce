using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Engine.Report;

namespace VaeFromScratch.Models.Runs;

/// <summary>What a finished run of a sweep measured.</summary>
/// <param name="Evaluation">Its evaluation.json.</param>
public sealed record SweepResult(SweepPoint Point, JsonObject Evaluation)
{
    /// <summary>A number of evaluation.json; NaN where it is null.</summary>
    public double this[string key] => Evaluation[key]?.GetValue<double>() ?? double.NaN;

    public double Beta => Point.Configuration.Beta;

    /// <summary>beta sigma^2: what paper 2 calls the normalised variance.</summary>
    public double NormalisedVariance => Beta * this["sigma2"];

    /// <summary>Runs that differ in beta and in the value of a fixed variance only are one line of a chart.</summary>
    public string Line => string.Join(", ", ((string[])[$"{(Point.Configuration.Noise.StartsWith("fixed:", StringComparison.Ordinal) ? "fixed" : Point.Configuration.Noise)} noise",
        .. Point.Values.Where(v => v.Key is not ("beta" or "noise")).Select(v => $"{v.Key} {v.Value}")]));
}

/// <summary>The finished runs of a sweep as a table, as the charts of paper 2 and, with a category, as the trade of paper 3.</summary>
public sealed record SweepSummary(IReadOnlyList<string> Keys, IReadOnlyList<SweepResult> Results)
{
    private static readonly string[] Columns =
    [
        "images", "nll_nats", "kl_nats", "evlb_nats", "sigma2", "squared_error", "mi_nats", "mi_mixture_nats", "total_correlation_nats", "dtilde_nats", "d4_nats", "d5_nats",
        "influential_factors", "normal_variance_factors", "active_units", "bce_nats", "mi_category_nats", "mi_joint_nats", "total_correlation_joint_nats", "cluster_accuracy",
    ];

    // Paper 2: figure 4, 5a, 5b, 6a, 6b.
    private static readonly (string File, string Key, string Title, string Label)[] AgainstVariance =
    [
        ("evlb.svg", "evlb_nats", "EVLB against the normalised variance", "EVLB, nats per image"),
        ("d_indicator.svg", "d5_nats", "Aggregate posterior to prior (D5)", "nats"),
        ("normal_variance_factors.svg", "normal_variance_factors", "Factors with normal variance (D8)", "factors"),
        ("information.svg", "mi_nats", "Information of all factors, an upper bound (I3)", "nats"),
        ("influential_factors.svg", "influential_factors", "Influential factors (D8)", "factors"),
    ];

    /// <summary>Writes summary.csv and the charts into a folder.</summary>
    public void Save(string folder)
    {
        Csv.Save(Path.Combine(folder, "summary.csv"), ["run", .. Keys, "beta_sigma2", .. Columns],
            Results.Select(r => (object?[])[r.Point.Name, .. r.Point.Values.Select(v => v.Value), r.NormalisedVariance, .. Columns.Select(c => (object)r[c])]));
        foreach (var (file, chart) in Charts())
            AtomicFile.WriteText(Path.Combine(folder, file), chart.ToSvg());
    }

    /// <summary>Paper 2's figures 4, 5a, 5b, 6a, 6b, 8, 9 with the names of their files.</summary>
    public IEnumerable<(string File, Chart Chart)> Charts()
    {
        foreach (var (file, key, title, label) in AgainstVariance)
            yield return (file, new LineChart(Lines(r => r.NormalisedVariance, r => r[key])) { Title = title, XLabel = "beta sigma^2", YLabel = label, LogX = true });
        // Figures 8 and 9 show what was learned, as beta varies.
        yield return ("learned_sigma2.svg", new LineChart(Learned(r => r["sigma2"])) { Title = "Learned variance", XLabel = "beta", YLabel = "sigma^2" });
        yield return ("learned_beta_sigma2.svg", new LineChart(Learned(r => r.NormalisedVariance)) { Title = "Normalised learned variance", XLabel = "beta", YLabel = "beta sigma^2" });
        // Paper 3, table 4a: what the factors say against how far the parts of the code are from independent. A run without a category has no such point.
        if (Lines(r => r["total_correlation_joint_nats"], r => r["mi_mixture_nats"]) is { Length: > 0 } front)
            yield return ("front.svg", new LineChart(front) { Title = "Information of the factors against total correlation", XLabel = "TC(y; z), nats (X3)", YLabel = "I(x; z), nats (X1)" });
    }

    private Series[] Learned(Func<SweepResult, double> y) => Lines(r => r.Point.Configuration.Noise.StartsWith("fixed:", StringComparison.Ordinal) ? double.NaN : r.Beta, y);

    /// <summary>One series for each line, in the order of x; points that are not finite are left out.</summary>
    private Series[] Lines(Func<SweepResult, double> x, Func<SweepResult, double> y) =>
    [
        .. Results.Select(r => (r.Line, X: x(r), Y: y(r))).Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).GroupBy(p => p.Line)
            .Select(g => g.OrderBy(p => p.X).ToArray()).Select(points => new Series(points[0].Line, [.. points.Select(p => p.X)], [.. points.Select(p => p.Y)])),
    ];
}
