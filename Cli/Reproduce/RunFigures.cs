using System.Globalization;
using VaeFromScratch.Cli.Report;
using VaeFromScratch.Engine.Report;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;

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
        codes = pictures.First(run.Data.Test, Seeds).Codes;
    }

    /// <summary>Of the test images.</summary>
    public Encodings Encodings { get; }

    public Indicators Indicators { get; }

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

    /// <summary>Traversals over [-3, 3] of the most informative factors and, last, of the least informative one.</summary>
    public IEnumerable<(string Label, byte[] Png)> Traversals(int most, double range = 3)
    {
        var ranked = Indicators.Ranked;
        return ranked.Take(most).Append(ranked[^1]).Select((f, i) => (string.Create(CultureInfo.InvariantCulture, $"{(char)('A' + i)}: factor {f.Factor}\n{f.Information:F2} nats"), pictures.Traversal(codes, f.Factor, range, Steps)));
    }

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
            yield return (string.Create(CultureInfo.InvariantCulture, $"top {kept.Percent:0.#} %"), pictures.Row([.. all.Select((z, i) => z * mask[i % mask.Length])]));
        }
    }

    public byte[] Reconstructions(int images) => pictures.Reconstructions(run.Data.Test, images, images);
}
