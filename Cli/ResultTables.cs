using System.Globalization;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli;

/// <summary>What an evaluation looks like on a console.</summary>
internal static class ResultTables
{
    private const int FactorsShown = 15;
    private const int BarWidth = 30;

    public static void Print(Output output, EvaluationResult result)
    {
        Summary(output, result);
        Ranking(output, result);
        if (result.Collapsed)
            Output.Warn(string.Create(CultureInfo.InvariantCulture,
                $"the model has collapsed: its code carries {result.Indicators.Information:F2} nats about the images, so the decoder ignores it. Try a smaller --beta, --set kl_warm_up_epochs=1, or a smaller --set noise_maximum_change"));
    }

    private static void Summary(Output output, EvaluationResult result)
    {
        var l = result.Likelihoods;
        output.Line();
        output.Line(string.Create(CultureInfo.InvariantCulture, $"{result.Split} images {l.Images}: EVLB {l.Evlb:F2} nats per image (NLL {l.Nll:F2}, KL {l.Kl:F2}), squared error {l.SquaredError:F2} per image{(l.Variance is { } v ? $", sigma^2 {v:G4}" : "")}"));
        output.Line(string.Create(CultureInfo.InvariantCulture,
            $"information {result.Indicators.Information:F2} nats by (I2), an upper bound; {result.Mixture.Information.Value:F2} nats by the mixture of {result.Mixture.Points} encodings, which cannot exceed {result.Mixture.Ceiling:F2}"));
        output.Line($"influential factors {result.Indicators.InfluentialFactors} of {result.Indicators.Factors.Count} (more than 0.5 nats); active units {result.Indicators.ActiveUnits}");
        output.Line();
    }

    /// <summary>Factors by information, with a bar beside each.</summary>
    public static void Ranking(Output output, EvaluationResult result)
    {
        var ranked = result.Indicators.Ranked;
        double largest = Math.Max(ranked[0].Information, 1e-9);
        output.Table(["factor", "information, nats", "mean variance", "aggregate variance", ""], ranked.Take(FactorsShown).Select(f => (IReadOnlyList<string>)
        [
            f.Factor.ToString(CultureInfo.InvariantCulture), Number(f.Information, "F3"), Number(f.MeanVariance, "F4"), Number(f.AggregateVariance, "F3"),
            new string('#', (int)Math.Round(BarWidth * f.Information / largest)).PadRight(BarWidth),
        ]));
        if (ranked.Count > FactorsShown)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"and {ranked.Count - FactorsShown} more factors with {ranked.Skip(FactorsShown).Sum(f => f.Information):F3} nats in all"));
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
