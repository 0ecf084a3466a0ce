namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>
/// (M2), separated attribute predictability (Kumar et al. 2018): how much better one code alone predicts a factor than the second-best
/// does.
/// </summary>
public static class Sap
{
    /// <summary>The mean over factors of the gap between the two best scores. Factors with one value only are left out.</summary>
    public static double Compute(LabelledCodes data, ulong seed)
    {
        var drawn = data.Draw(InformationMetrics.Points, seed);
        var scores = Scores(drawn);
        var gaps = new List<double>();
        for (int f = 0; f < drawn.FactorCount; f++)
            if (drawn.Factor(f).Distinct().Count() > 1)
            {
                var (first, second) = InformationMetrics.TopTwo(scores, f);
                gaps.Add(first - second);
            }
        return gaps.Count == 0 ? throw new EstimatorException("sap: every factor has one value only; give data whose factors vary")
            : gaps.Average();
    }

    /// <summary>
    /// How well code h alone predicts factor f, [H, F]: for a factor with an order the squared correlation; for a categorical one the
    /// balanced accuracy on the second
    /// half of the points of thresholds halfway between the class means of the first half. Of a category it is the share of the factor's
    /// variance between its values, and
    /// the balanced accuracy of its commonest classes.
    /// </summary>
    public static double[,] Scores(LabelledCodes data)
    {
        var scores = new double[data.CodeSize, data.FactorCount];
        for (int h = 0; h < data.CodeSize; h++)
        {
            var code = data.Code(h);
            for (int f = 0; f < data.FactorCount; f++)
                scores[h, f] = data.IsCategory(h)
                    ? data.Categorical[f] ? TableAccuracy(data.Category(), data.Categories, data.Factor(f), data.Sizes[f])
                        : ShareBetween(data.Category(), data.Categories, data.Factor(f))
                    : data.Categorical[f] ? ThresholdAccuracy(code, data.Factor(f), data.Sizes[f]) : SquaredCorrelation(code,
                        data.Factor(f));
        }
        return scores;
    }

    private static double SquaredCorrelation(float[] code, int[] factor)
    {
        var (x, y) = (new RunningMean(), new RunningMean());
        for (int i = 0; i < code.Length; i++)
        {
            x.Add(code[i]);
            y.Add(factor[i]);
        }
        double covariance = 0;
        for (int i = 0; i < code.Length; i++)
            covariance += (code[i] - x.Mean) * (factor[i] - y.Mean) / code.Length;
        double variances = x.Variance * y.Variance;
        return variances > 0 ? covariance * covariance / variances : 0;
    }

    private static double ThresholdAccuracy(float[] code, int[] factor, int size)
    {
        int half = code.Length / 2;
        var means = new RunningMean[size];
        for (int i = 0; i < half; i++)
            means[factor[i]].Add(code[i]);
        var (right, seen) = (new int[size], new int[size]);
        for (int i = half; i < code.Length; i++)
        {
            seen[factor[i]]++;
            if (Nearest(means, code[i]) == factor[i])
                right[factor[i]]++;
        }
        return Enumerable.Range(0, size).Where(c => seen[c] > 0).Average(c => (double)right[c] / seen[c]);
    }

    /// <summary>R^2 of the factor's mean within each category.</summary>
    private static double ShareBetween(int[] category, int categories, int[] factor)
    {
        var all = new RunningMean();
        var within = new RunningMean[categories];
        for (int i = 0; i < factor.Length; i++)
        {
            all.Add(factor[i]);
            within[category[i]].Add(factor[i]);
        }
        double left = within.Where(k => k.Count > 0).Sum(k => k.Variance * k.Count) / factor.Length;
        return all.Variance > 0 ? Math.Max(0, 1 - left / all.Variance) : 0;
    }

    /// <summary>The balanced accuracy on the second half of the points of the commonest class of each category in the first.</summary>
    private static double TableAccuracy(int[] category, int categories, int[] factor, int size)
    {
        int half = factor.Length / 2;
        int[] table = new ContingencyTable(category.AsSpan(0, half), factor.AsSpan(0, half), categories, size).MajorityTable();
        var (right, seen) = (new int[size], new int[size]);
        for (int i = half; i < factor.Length; i++)
        {
            seen[factor[i]]++;
            if (table[category[i]] == factor[i])
                right[factor[i]]++;
        }
        return Enumerable.Range(0, size).Where(c => seen[c] > 0).Average(c => (double)right[c] / seen[c]);
    }

    private static int Nearest(RunningMean[] means, double value)
    {
        int best = -1;
        for (int c = 0; c < means.Length; c++)
            if (means[c].Count > 0 && (best < 0 || Math.Abs(value - means[c].Mean) < Math.Abs(value - means[best].Mean)))
                best = c;
        return best;
    }
}
