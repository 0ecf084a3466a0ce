using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>What the most informative factors alone can reconstruct: paper 1's table 2.</summary>
/// <param name="Rows">Each with the squared error, summed over pixels, per image, when only its factors are decoded.</param>
public sealed record ReducedTable(IReadOnlyList<(ReducedReconstruction Kept, double SquaredError)> Rows)
{
    /// <param name="encodings">Of all images of the evaluator's data set.</param>
    /// <param name="percents">How many factors to keep, in percent.</param>
    public static ReducedTable Compute(Evaluator evaluator, Encodings encodings, Indicators indicators, IEnumerable<double> percents)
    {
        var kept = percents.Select(p => ReducedReconstruction.Keep(indicators, p)).ToArray();
        double[] errors = evaluator.ReducedErrors(encodings, kept);
        return new([.. kept.Select((k, i) => (k, errors[i]))]);
    }

    /// <summary>Writes reduced.csv.</summary>
    public void SaveCsv(string path) => Csv.Save(path, ["top_percent", "factors", "mi_nats", "squared_error"],
        Rows.Select(r => (object?[])[r.Kept.Percent, r.Kept.Factors.Count, r.Kept.Information, r.SquaredError]));

    public JsonArray ToJson() => [.. Rows.Select(r => new JsonObject
    {
        ["top_percent"] = r.Kept.Percent,
        ["factors"] = r.Kept.Factors.Count,
        ["mi_nats"] = r.Kept.Information,
        ["squared_error"] = r.SquaredError,
    })];
}
