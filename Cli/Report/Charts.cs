using System.Globalization;
using VaeFromScratch.Engine.Report;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Report;

/// <summary>The charts of a run.</summary>
internal static class Charts
{
    private const int LargestSpectrum = 256;

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
