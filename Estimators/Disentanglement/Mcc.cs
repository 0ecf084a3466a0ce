namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>
/// The mean correlation coefficient of Hyvärinen and Morioka (2016) and Khemakhem et al. (2020): how well codes are true factors, each up
/// to scale and sign, under the best
/// one-to-one map. 1 where the factors are found; a rotation of them scores less.
/// </summary>
public static class Mcc
{
    /// <summary>
    /// Of a code against the true factors, in classes; a category and factors without an order have no correlation and are left out.
    /// </summary>
    /// <exception cref="EstimatorException">No factor has an order and more than one value.</exception>
    public static double Compute(LabelledCodes data, ulong seed)
    {
        var drawn = data.Draw(InformationMetrics.Points, seed);
        float[][] factors = [.. Enumerable.Range(0, drawn.FactorCount).Where(f => !drawn.Categorical[f]
            && drawn.Factor(f).Distinct().Count() > 1)
            .Select(f => Array.ConvertAll(drawn.Factor(f), v => (float)v))];
        return factors.Length == 0
            ? throw new EstimatorException("mcc: no factor has an order and more than one value; give data with such factors")
            : OfColumns([.. Enumerable.Range(0, drawn.Gaussians).Select(drawn.Code)], factors);
    }

    /// <summary>
    /// Of two sets of columns over the same points: mean of |Pearson's correlation| over the best one-to-one map; columns left over count
    /// nothing.
    /// </summary>
    /// <param name="a">Codes, one array a column.</param>
    /// <param name="b">What they are held against; the mean is over the smaller number of columns.</param>
    public static double OfColumns(IReadOnlyList<float[]> a, IReadOnlyList<float[]> b)
    {
        int size = Math.Max(a.Count, b.Count);
        var cost = new double[size, size];
        for (int i = 0; i < a.Count; i++)
            for (int j = 0; j < b.Count; j++)
                cost[i, j] = -Math.Abs(Correlation(a[i], b[j]));
        return Assignment.Minimise(cost).Select((column, row) => -cost[row, column]).Sum() / Math.Min(a.Count, b.Count);
    }

    /// <summary>Pearson's; 0 where one of them is constant.</summary>
    internal static double Correlation(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        double meanX = 0, meanY = 0;
        for (int i = 0; i < x.Length; i++)
            (meanX, meanY) = (meanX + x[i] / (double)x.Length, meanY + y[i] / (double)x.Length);
        double xx = 0, yy = 0, xy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double dx = x[i] - meanX, dy = y[i] - meanY;
            (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
        }
        return xx > 0 && yy > 0 ? xy / Math.Sqrt(xx * yy) : 0;
    }
}
