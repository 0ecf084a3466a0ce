namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>(M5), Kim and Mnih (2018): with one factor fixed, does the same code always vary least?</summary>
public static class FactorVaeScore
{
    /// <summary>Codes whose variance over all points is below this are left out.</summary>
    public const double PruneBelow = 0.05;

    /// <summary>
    /// The accuracy, on fresh votes, of the majority table from the code with the least normalised variance to the fixed factor. 1 for a
    /// perfect code, 1 / F by
    /// guessing, 0 where every code is pruned.
    /// </summary>
    /// <param name="votes">To fit the table, and again to test it.</param>
    /// <param name="batch">Points behind a vote, at least 2.</param>
    public static double Compute(LabelledCodes data, ulong seed, int votes = 800, int batch = 64)
    {
        if (votes < 1 || batch < 2)
            throw new EstimatorException($"factorvae score: {votes} votes of {batch} points; expected at least 1 vote of 2 points");
        var sampler = new FixedFactorSampler("factorvae score", data, seed);
        var scales = new double[data.CodeSize];
        for (int h = 0; h < scales.Length; h++)
        {
            var moments = new RunningMean();
            foreach (float z in data.Code(h))
                moments.Add(z);
            scales[h] = data.IsCategory(h) ? Unlikeness(data.Category(), data.Categories) : moments.Variance;
        }
        if (scales.All(variance => variance < PruneBelow))
            return 0;
        var table = CastVotes().MajorityTable();
        return CastVotes().Accuracy(table);

        ContingencyTable CastVotes()
        {
            var (codes, factors) = (new int[votes], new int[votes]);
            for (int v = 0; v < votes; v++)
            {
                factors[v] = sampler.NextFactor();
                codes[v] = SteadiestCode(data, sampler, factors[v], batch, scales);
            }
            return new(codes, factors, data.CodeSize, data.FactorCount);
        }
    }

    private static int SteadiestCode(LabelledCodes data, FixedFactorSampler sampler, int factor, int batch, double[] scales)
    {
        var group = sampler.NextGroup(factor);
        var moments = new RunningMean[data.CodeSize];
        var codes = data.Codes.Span;
        var category = new int[data.Categories > 0 ? batch : 0];
        for (int i = 0; i < batch; i++)
        {
            int row = sampler.NextRow(group);
            for (int h = 0; h < moments.Length; h++)
                moments[h].Add(codes[row * data.CodeSize + h]);
            if (category.Length > 0)
                category[i] = (int)codes[row * data.CodeSize + data.Gaussians];
        }
        int best = -1;
        for (int h = 0; h < moments.Length; h++)
            if (scales[h] >= PruneBelow && (best < 0 || Spread(h) < Spread(best)))
                best = h;
        return best;

        double Spread(int h) => (data.IsCategory(h) ? Unlikeness(category, data.Categories) : moments[h].Variance) / scales[h];
    }

    /// <summary>
    /// What stands for a category's variance (Dupont 2018, appendix): the probability that two points differ, 1 - sum of squared shares.
    /// </summary>
    private static double Unlikeness(int[] category, int categories)
    {
        var counts = new int[categories];
        foreach (int c in category)
            counts[c]++;
        return 1 - counts.Sum(c => (double)c / category.Length * c / category.Length);
    }
}
