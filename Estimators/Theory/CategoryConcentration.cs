namespace VaeFromScratch.Estimators.Theory;

/// <summary>(R7): how far the empirical I_N(x; y) of N images lies from that of all, beside paper 3's bound, nats.</summary>
/// <param name="Points">The number of points, N.</param>
/// <param name="Deviation">The largest |I_N - I| over the draws.</param>
/// <param name="Bound">K (max(log(C K) - 1, 1) + e) sqrt(log(2 K / delta) / 2N), which holds with probability above 1 - 2 delta.</param>
internal sealed record ConcentrationPoint(int Points, double Deviation, double Bound);

/// <summary>Paper 3's proposition 2 on a trained category: I(x; y) of subsets drawn with replacement against that of all images.</summary>
internal static class CategoryConcentration
{
    private const ulong Stream = 0x63_61_74_63;

    /// <summary>delta of the bound.</summary>
    public const double Delta = 0.05;

    /// <param name="encodings">With a category.</param>
    /// <param name="sizes">N, ascending.</param>
    /// <param name="draws">Subsets of each size.</param>
    /// <exception cref="EstimatorException">There is no category.</exception>
    public static IReadOnlyList<ConcentrationPoint> Measure(Encodings encodings, IEnumerable<int> sizes, int draws, ulong seed)
    {
        if (encodings.Categories == 0)
            throw new EstimatorException("concentration of I(x; y): the encodings have no category; give those of a model with one");
        var all = CategoryInformation.Compute(encodings);
        int k = encodings.Categories;
        double smallest = Smallest(encodings);
        // The smallest C > 1 for which every category has a share of at least 1 / (C K).
        double c = Math.Max(1 + 1e-9, 1 / (k * Math.Max(smallest, 1e-12)));
        var random = SeededRandom.Create(seed, Stream);
        return [.. sizes.Select(n =>
        {
            double worst = 0;
            for (int d = 0; d < draws; d++)
            {
                int[] rows = [.. Enumerable.Range(0, n).Select(_ => random.Next(encodings.Points))];
                worst = Math.Max(worst,
                    Math.Abs(CategoryInformation.Compute(encodings.Rows(rows)).Information.Value - all.Information.Value));
            }
            return new ConcentrationPoint(n, worst, k * (Math.Max(Math.Log(c * k) - 1,
                1) + Math.E) * Math.Sqrt(Math.Log(2 * k / Delta) / (2.0 * n)));
        })];
    }

    /// <summary>The least of mean_n p(y|x_n).</summary>
    private static double Smallest(Encodings e)
    {
        var sums = new double[e.Categories];
        for (int i = 0; i < e.Probabilities.Length; i++)
            sums[i % e.Categories] += e.Probabilities.Span[i] / (double)e.Points;
        return sums.Min();
    }
}
