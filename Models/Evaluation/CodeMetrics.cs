using System.Text.Json.Nodes;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Samples;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>
/// Codes of anyone's model with the factors behind them: the metrics that <see cref="RunMetrics"/> has for a run of ours.
/// </summary>
/// <param name="Points">The number of codes, M.</param>
/// <param name="Disentanglement">With every factor.</param>
/// <param name="OrderedFactors">With the ordered factors alone; null where all have an order or none has.</param>
/// <param name="ActiveUnits">(M8); null without log variances.</param>
/// <param name="Categories">What the category of the code says about each factor; empty without probabilities.</param>
internal sealed record CodeMetrics(int Points, FactorScores Disentanglement, FactorScores? OrderedFactors, int? ActiveUnits,
    IReadOnlyList<(string Factor, ContingencyTable Table)> Categories)
{
    /// <summary>
    /// Values of a factor that are still classes; more are cut into <see cref="InformationMetrics.Bins"/> bins of equal width.
    /// </summary>
    private const int MostClasses = 100;

    /// <param name="mu">Codes, [M, H].</param>
    /// <param name="logVar">Log variances, [M, H]; empty for none.</param>
    /// <param name="probabilities">Of a category, [M, K]; empty for none.</param>
    /// <param name="factors">Values or class numbers, [M, F].</param>
    /// <param name="names">Of the factors, [F].</param>
    /// <param name="categorical">Which factors have no order, [F].</param>
    /// <exception cref="EstimatorException">Lengths do not match, or no factor varies.</exception>
    public static CodeMetrics Compute(IBackend backend, int points, float[] mu, float[] logVar, float[] probabilities, float[] factors,
        string[] names, bool[] categorical, ulong seed)
    {
        int[] classes = Classes(factors, names.Length);
        var codes = new LabelledCodes(points, mu, classes, categorical, logVar);
        int[] ordered = [.. Enumerable.Range(0, names.Length).Where(f => !categorical[f])];
        int[] category = probabilities.Length == 0 ? [] : ContingencyTable.MostProbable(probabilities, probabilities.Length / points);
        return new(points, new(names, points, DisentanglementScores.Compute(backend, codes, seed)),
            ordered.Length == names.Length || ordered.Length == 0 ? null
                : new([.. ordered.Select(f => names[f])], points, DisentanglementScores.Compute(backend, codes.WithFactors(ordered), seed)),
            logVar.Length == 0 ? null : Indicators.Compute(backend, new Encodings(points, codes.CodeSize, mu, logVar)).ActiveUnits,
            category.Length == 0 ? [] : [.. names.Select((name, f) => (name, new ContingencyTable(category, codes.Factor(f))))]);
    }

    /// <summary>The keys of a run's metrics.json; null for what codes alone do not define.</summary>
    public JsonObject ToJson()
    {
        var json = new RunMetrics("", Points, 0, ActiveUnits ?? 0)
        {
            Disentanglement = Disentanglement,
            OrderedFactors = OrderedFactors
        }.ToJson();
        json["split"] = null;
        json["squared_error"] = null;
        json["active_units"] = ActiveUnits;
        if (Categories.Count > 0)
            json["category"] = new JsonArray([.. Categories.Select(c => new JsonObject
            {
                ["factor"] = c.Factor,
                ["mi_nats"] = c.Table.MutualInformation().Value,
                ["cluster_accuracy"] = c.Table.ClusteringAccuracy(),
            })]);
        return json;
    }

    /// <summary>The values of each factor numbered in ascending order, or its bins where they are too many.</summary>
    private static int[] Classes(float[] factors, int count)
    {
        int points = factors.Length / count;
        var classes = new int[factors.Length];
        for (int f = 0; f < count; f++)
        {
            float[] column = [.. Enumerable.Range(0, points).Select(i => factors[i * count + f])];
            float[] values = [.. column.Distinct().Order()];
            int[] ofFactor = values.Length <= MostClasses ? Array.ConvertAll(column, v => Array.BinarySearch(values, v))
                : Binning.EqualWidth(column, InformationMetrics.Bins);
            for (int i = 0; i < points; i++)
                classes[i * count + f] = ofFactor[i];
        }
        return classes;
    }
}
