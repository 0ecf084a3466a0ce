using System.Globalization;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>Figures of one trained run that several papers have in common.</summary>
internal sealed class RunFigures
{
    private const int Seeds = 3;
    private const int Steps = 11;
    private readonly OpenRun run;
    private readonly Pictures pictures;
    private readonly float[] codes;

    public RunFigures(OpenRun run)
    {
        this.run = run;
        using var evaluator = new Evaluator(run.Model, run.Data.Test, run.Configuration);
        Encodings = evaluator.Encode();
        Indicators = Indicators.Compute(run.Compute.Backend, Encodings);
        pictures = new(run.Model, run.Configuration);
        if (run.Model.Categories > 0 && run.Data.Test.Labels is not null)
            Labels = new(ContingencyTable.MostProbable(Encodings.Probabilities.Span, Encodings.Categories), Encodings.Labels.Span,
                Encodings.Categories);
        codes = pictures.First(run.Data.Test, Seeds).Codes;
    }

    /// <summary>q(z|x), and q(c|x) where there is a category, of every test image.</summary>
    public Encodings Encodings { get; }

    public Indicators Indicators { get; }

    /// <summary>The most probable category of each test image against its label; null without both.</summary>
    public ContingencyTable? Labels { get; }

    /// <summary>Information of each factor and its mean posterior variance, by falling information.</summary>
    public Chart Spectrum => Charts.Spectrum(new(Indicators, null));

    /// <summary>Variance of each factor's aggregate posterior in the same order: what classical methods rank by.</summary>
    public Chart AggregateVariances => new BarChart("s*_h (I1)", [.. Indicators.Ranked.Select(f => f.AggregateVariance)])
    {
        Title = "Aggregate variance, in the order of information",
        XLabel = "factor, by falling information",
        YLabel = "variance",
        Height = 260,
    };

    /// <summary>Traversals over [-range, range] of the most informative factors and, last, of the least informative one.</summary>
    public IEnumerable<(string Label, byte[] Png)> Traversals(int most, double range = 3) =>
        TraversalsOf([.. Enumerable.Range(0, most), Indicators.Factors.Count - 1], range);

    /// <summary>Traversals of the factors of these ranks, 0 being the most informative.</summary>
    public IEnumerable<(string Label, byte[] Png)> TraversalsOf(IEnumerable<int> ranks, double range)
    {
        var ranked = Indicators.Ranked;
        return ranks.Select((rank, i) => (string.Create(CultureInfo.InvariantCulture,
            $"{(char)('A' + i)}: factor {ranked[rank].Factor}\n{ranked[rank].Information:F2} nats"),
            pictures.Traversal(codes, ranked[rank].Factor, range, Steps)));
    }

    /// <summary>Traversals from range below to range above each seed image's own value: paper 2's one-shot traversals.</summary>
    public IEnumerable<(string Label, byte[] Png)> OneShot(int most, double range = 3) => Indicators.Ranked.Take(most).Select(f =>
        (string.Create(CultureInfo.InvariantCulture, $"factor {f.Factor}\n{f.Information:F2} nats"), pictures.Traversal(codes, f.Factor,
            range, Steps, relative: true)));

    /// <summary>The first test image with one factor from -range to range.</summary>
    public byte[] One(int factor, double range) => pictures.Traversal(codes[..run.Model.CodeLength], factor, range, Steps);

    /// <summary>The first test image with one factor down and another across, each from -range to range.</summary>
    public byte[] Plane(int down, int across, double range, int steps)
    {
        var rows = new List<float>();
        for (int i = 0; i < steps * steps; i++)
        {
            float[] code = codes[..run.Model.CodeLength];
            (code[down], code[across]) = (At(i / steps), At(i % steps));
            rows.AddRange(code);
        }
        return Decoded([.. rows], steps);

        float At(int step) => (float)(range * (2.0 * step / (steps - 1) - 1));
    }

    /// <summary>The header of <see cref="Attributes"/>.</summary>
    public static string[] AttributeHeader { get; } = ["attribute", "entropy", "first", "second", "third"];

    /// <summary>
    /// For each known factor, attribute or label of the test images the three factors that say most about it; null where nothing is known.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<string>>? Attributes() => run.Data.Test.Factors is null && run.Data.Test.Labels is null ? null
        : [.. AttributeInformation.Compute(Encodings, run.Data.Test).Select(ResultTables.Row)];

    /// <summary>One row a category: the mean code of its images with the most informative factor from -range to range.</summary>
    public byte[] CategoryTraversal(double range) => pictures.CategoryTraversal(Encodings, Indicators.Ranked[0].Factor, range, Steps);

    /// <summary>Test images, and their codes with each category in turn.</summary>
    public byte[] Categories(int images) => pictures.Categories(run.Data.Test, images);

    /// <summary>Codes side by side.</summary>
    public byte[] Decoded(float[] rows, int columns) => pictures.Grid(columns, Evaluator.Decode(run.Model, rows));

    /// <summary>How many images of each label fell into each category.</summary>
    public Chart? LabelMap => Labels is not { } table ? null : new HeatMap(table.Categories, table.Labels,
        [.. from k in Enumerable.Range(0, table.Categories) from l in Enumerable.Range(0, table.Labels) select (double)table[k, l]])
    {
        Title = "Images of each label in each category",
        XLabel = "label",
        YLabel = "category",
        Width = 560,
        Height = 420,
    };

    /// <summary>What the most informative factors reconstruct: table 2 of paper 1.</summary>
    public ReducedTable Reduced(IEnumerable<double> percents)
    {
        using var evaluator = new Evaluator(run.Model, run.Data.Test, run.Configuration);
        return ReducedTable.Compute(evaluator, Encodings, Indicators, percents);
    }

    /// <summary>Test images, decoded from the factors that each row keeps: figure 4 of paper 1.</summary>
    public IEnumerable<(string Label, byte[] Png)> ReducedImages(ReducedTable table, int images)
    {
        var (originals, all) = pictures.First(run.Data.Test, images);
        yield return ("original", pictures.Grid(images, originals));
        foreach (var (kept, _) in table.Rows)
        {
            float[] mask = Evaluator.Mask(run.Model, kept);
            yield return (string.Create(CultureInfo.InvariantCulture, $"top {kept.Percent:0.#} %"),
                pictures.Row([.. all.Select((z, i) => z * mask[i % mask.Length])]));
        }
    }

    public byte[] Reconstructions(int images) => pictures.Reconstructions(run.Data.Test, images, images);
}
