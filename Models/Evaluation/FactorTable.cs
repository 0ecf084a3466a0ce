using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>What each factor carries, as files and JSON show it.</summary>
/// <param name="Mixture">The estimates without a Gaussian assumption; null where they were not asked for.</param>
public sealed record FactorTable(Indicators Indicators, MixtureInformation? Mixture)
{
    /// <summary>Writes influence.csv: most informative first.</summary>
    public void SaveCsv(string path) => Csv.Save(path,
        ["factor", "mi_nats", "mi_centred_nats", "mi_mixture_nats", "aggregate_variance", "kl_nats", "mean_variance", "influential"],
        Indicators.Ranked.Select(f => (object?[])[f.Factor, f.Information, f.CentredInformation,
            Mixture?.Factors[f.Factor].Information.Value, f.AggregateVariance, f.Kl, f.MeanVariance, f.Influential]));

    /// <summary>The totals, nats: (I3), the mixture's, (D1), (D4), (D5); null where there is no mixture.</summary>
    public JsonObject Totals() => new()
    {
        ["points"] = Indicators.Points,
        ["mixture_points"] = Mixture?.Points,
        ["mi_nats"] = Indicators.Information,
        ["mi_mixture_nats"] = Mixture?.Information.Value,
        ["mi_mixture_standard_error"] = Mixture?.Information.StandardError,
        ["total_correlation_nats"] = Mixture?.TotalCorrelation.Value,
        ["total_correlation_standard_error"] = Mixture?.TotalCorrelation.StandardError,
        ["dtilde_nats"] = Indicators.Dtilde,
        ["d4_nats"] = Indicators.D4,
        ["d5_nats"] = Indicators.D5,
        ["influential_factors"] = Indicators.InfluentialFactors,
        ["normal_variance_factors"] = Indicators.NormalVarianceFactors,
        ["active_units"] = Indicators.ActiveUnits,
    };

    /// <summary>One object a factor, in the order given.</summary>
    public JsonArray Rows(IEnumerable<FactorIndicators> factors) => [.. factors.Select(f =>
    {
        var mixture = Mixture?.Factors[f.Factor].Information;
        return new JsonObject
        {
            ["factor"] = f.Factor,
            ["mi_nats"] = f.Information,
            ["mi_centred_nats"] = f.CentredInformation,
            ["mi_variance_ratio_nats"] = f.VarianceRatioInformation,
            ["mi_mixture_nats"] = mixture?.Value,
            ["mi_mixture_standard_error"] = mixture?.StandardError,
            ["aggregate_variance"] = f.AggregateVariance,
            ["kl_nats"] = f.Kl,
            ["mean_variance"] = f.MeanVariance,
            ["influential"] = f.Influential,
        };
    })];
}
