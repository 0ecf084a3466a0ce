using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>One row of paper 1's table 2.</summary>
/// <param name="SquaredError">Summed over pixels, per image, when only the factors of <paramref name="Kept"/> are decoded.</param>
public sealed record ReducedRow(ReducedReconstruction Kept, double SquaredError);

/// <summary>What the most informative factors alone can reconstruct.</summary>
public sealed record ReducedTable(IReadOnlyList<ReducedRow> Rows)
{
    /// <param name="encodings">Of all images of the evaluator's data set.</param>
    /// <param name="percents">How many factors to keep, in percent.</param>
    public static ReducedTable Compute(Evaluator evaluator, Encodings encodings, Indicators indicators, IEnumerable<double> percents)
    {
        var kept = percents.Select(p => ReducedReconstruction.Keep(indicators, p)).ToArray();
        double[] errors = evaluator.ReducedErrors(encodings, kept);
        return new([.. kept.Select((k, i) => new ReducedRow(k, errors[i]))]);
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
