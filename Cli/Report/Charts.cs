using System.Globalization;
using VaeFromScratch.Engine.Report;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Report;

/// <summary>The charts of a run.</summary>
internal static class Charts
{
    private const int LargestSpectrum = 256;

    /// <summary>Each term of the objective over the epochs, on training and test images, and sigma^2 where the model has one.</summary>
    public static IEnumerable<Chart> Training(MetricsTable metrics)
    {
        double[] epochs = metrics.Columns["epoch"];
        foreach (string term in metrics.Terms)
        {
            List<Series> lines = [new("train", epochs, metrics.Columns["train_" + term])];
            if (metrics.Columns.TryGetValue("test_" + term, out double[]? test))
                lines.Add(new("test", epochs, test));
            yield return new LineChart(lines) { Title = term, XLabel = "epoch", WholeX = true, YLabel = "nats per image", Width = 440, Height = 280 };
        }
        if (metrics.Columns.TryGetValue("sigma2", out double[]? sigma2) && sigma2.Any(double.IsFinite))
            yield return new LineChart([new("sigma^2", epochs, sigma2)]) { Title = "noise variance", XLabel = "epoch", WholeX = true, YLabel = "sigma^2 per pixel", LogY = true, Width = 440, Height = 280 };
    }

    /// <summary>Information of each factor, sorted, and its mean variance as a line: paper 1, figure 1.</summary>
    public static BarChart Spectrum(FactorTable factors)
    {
        var ranked = factors.Indicators.Ranked.Take(LargestSpectrum).ToArray();
        return new("I_h, nats (I2)", [.. ranked.Select(f => f.Information)])
        {
            Title = "Information spectrum",
            XLabel = ranked.Length < factors.Indicators.Factors.Count ? $"factor, the {ranked.Length} most informative" : "factor, by falling information",
            YLabel = "information, nats",
            Labels = [.. ranked.Select(f => f.Factor.ToString(CultureInfo.InvariantCulture))],
            Overlay = new("mean posterior variance", "mean variance", [.. ranked.Select(f => f.MeanVariance)]),
            Threshold = FactorIndicators.InfluentialInformation,
            ThresholdLabel = "influential: above 0.5 nats",
        };
    }
}
