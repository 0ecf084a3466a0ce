namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>(M2), separated attribute predictability (Kumar et al. 2018): how much better one code alone predicts a factor than the second-best does.</summary>
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
        return gaps.Count == 0 ? throw new EstimatorException("sap: every factor has one value only; give data whose factors vary") : gaps.Average();
    }

    /// <summary>
    /// How well code h alone predicts factor f, [H, F]: for a factor with an order the squared correlation; for a categorical one the balanced accuracy on the second
    /// half of the points of thresholds halfway between the class means of the first half.
    /// </summary>
    public static double[,] Scores(LabelledCodes data)
    {
        var scores = new double[data.CodeSize, data.FactorCount];
        for (int h = 0; h < data.CodeSize; h++)
        {
            var code = data.Code(h);
            for (int f = 0; f < data.FactorCount; f++)
                scores[h, f] = data.Categorical[f] ? ThresholdAccuracy(code, data.Factor(f), data.Sizes[f]) : SquaredCorrelation(code, data.Factor(f));
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

    private static int Nearest(RunningMean[] means, double value)
    {
        int best = -1;
        for (int c = 0; c < means.Length; c++)
            if (means[c].Count > 0 && (best < 0 || Math.Abs(value - means[c].Mean) < Math.Abs(value - means[best].Mean)))
                best = c;
        return best;
    }
}
