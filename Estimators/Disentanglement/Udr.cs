namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>One model's encodings of images that others encode as well.</summary>
/// <param name="Codes">Posterior means, one array a factor, [M] each.</param>
/// <param name="Kl">Mean KL(q(z_h|x) || p) of each factor, nats.</param>
public sealed record ComparedCodes(IReadOnlyList<float[]> Codes, IReadOnlyList<double> Kl)
{
    /// <summary>From encodings of the images in file order.</summary>
    public static ComparedCodes Of(Encodings e, Indicators indicators) =>
        new([.. Enumerable.Range(0, e.Factors).Select(h => (float[])[.. Enumerable.Range(0,
            e.Points).Select(m => e.Mu.Span[m * e.Factors + h])])],
            [.. indicators.Factors.Select(f => f.Kl)]);
}

/// <summary>
/// Unsupervised disentanglement ranking of Duan et al. (2020), equation 3, with Spearman's correlation: do models that differ in their
/// seeds find the same factors? 1 where each
/// informative factor of one is one of the other's, up to order, sign and a monotone map; no labels are needed.
/// </summary>
public static class Udr
{
    /// <summary>Factors whose mean KL is below this say too little to count, nats.</summary>
    public const double InformativeAbove = 0.01;

    /// <summary>Of each model the median over the others, [models].</summary>
    /// <exception cref="EstimatorException">There are fewer than two models, or they encode different numbers of images.</exception>
    public static double[] Scores(IReadOnlyList<ComparedCodes> models)
    {
        if (models.Count < 2 || models.Any(m => m.Codes[0].Length != models[0].Codes[0].Length))
            throw new EstimatorException(
                $"udr: {models.Count} models of {string.Join(", ", models.Select(m => m.Codes[0].Length))} images; give at least two "
                + $"that encode the same images");
        float[][][] ranks = [.. models.Select(m => m.Codes.Select(Ranks).ToArray())];
        var pair = new double[models.Count, models.Count];
        for (int i = 0; i < models.Count; i++)
            for (int j = 0; j < i; j++)
                pair[i, j] = pair[j, i] = OfPair(ranks[i], models[i].Kl, ranks[j], models[j].Kl);
        return [.. Enumerable.Range(0, models.Count).Select(i =>
            Median([.. Enumerable.Range(0, models.Count).Where(j => j != i).Select(j => pair[i, j])]))];
    }

    /// <summary>
    /// 1 / (d_a + d_b) times the sum over informative factors of both of the largest similarity's square over the sum of all.
    /// </summary>
    private static double OfPair(float[][] a, IReadOnlyList<double> klA, float[][] b, IReadOnlyList<double> klB)
    {
        var similarity = new double[a.Length, b.Length];
        for (int i = 0; i < a.Length; i++)
            for (int j = 0; j < b.Length; j++)
                similarity[i, j] = klA[i] > InformativeAbove && klB[j] > InformativeAbove ? Math.Abs(Mcc.Correlation(a[i], b[j])) : 0;
        int informative = klA.Count(k => k > InformativeAbove) + klB.Count(k => k > InformativeAbove);
        if (informative == 0)
            return 0;
        double sum = Enumerable.Range(0, a.Length).Sum(i => Share([.. Enumerable.Range(0, b.Length).Select(j => similarity[i, j])]))
            + Enumerable.Range(0, b.Length).Sum(j => Share([.. Enumerable.Range(0, a.Length).Select(i => similarity[i, j])]));
        return sum / informative;
    }

    private static double Share(double[] similarities) => similarities.Sum() is > 0 and var all
        ? similarities.Max() * similarities.Max() / all : 0;

    /// <summary>Ranks from 0, ties by their mean.</summary>
    private static float[] Ranks(float[] values)
    {
        int[] order = [.. Enumerable.Range(0, values.Length)];
        float[] keys = [.. values];
        Array.Sort(keys, order);
        var ranks = new float[values.Length];
        for (int from = 0; from < order.Length;)
        {
            int to = from;
            while (to < order.Length && keys[to] == keys[from])
                to++;
            for (int i = from; i < to; i++)
                ranks[order[i]] = 0.5f * (from + to - 1);
            from = to;
        }
        return ranks;
    }

    private static double Median(double[] values)
    {
        Array.Sort(values);
        return 0.5 * (values[(values.Length - 1) / 2] + values[values.Length / 2]);
    }
}
