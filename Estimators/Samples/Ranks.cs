using MathNet.Numerics.Distributions;

namespace VaeFromScratch.Estimators.Samples;

/// <summary>The distribution function of a column, from some of its values: equal values share the middle of their ranks.</summary>
internal sealed class Ranks
{
    private readonly float[] sorted;

    public Ranks(ReadOnlySpan<float> column)
    {
        sorted = column.ToArray();
        Array.Sort(sorted);
    }

    /// <summary>
    /// The share of the column below a value, from 1 / 2n to 1 - 1 / 2n. Between two neighbours it is interpolated, so that other columns
    /// keep their order; a value of the column has the middle of its rank.
    /// </summary>
    public double Share(float value)
    {
        int first = First(v => v >= value), end = First(v => v > value), n = sorted.Length;
        if (end > first)
            return (first + end) / (2.0 * n);
        if (first == 0 || first == n)
            return (first == 0 ? 0.5 : n - 0.5) / n;
        double below = Share(sorted[first - 1]), above = Share(sorted[first]);
        return below + (above - below) * (((double)value - sorted[first - 1]) / ((double)sorted[first] - sorted[first - 1]));
    }

    /// <summary>The quantile of the standard normal distribution with a share of it below.</summary>
    public static double NormalScore(double share) => Normal.InvCDF(0, 1, share);

    private int First(Func<float, bool> holds) => FirstPlace(sorted, holds);

    /// <summary>The first place of a sorted column from which on a condition holds; its length where it never does.</summary>
    public static int FirstPlace<T>(T[] sorted, Func<T, bool> holds)
    {
        int low = 0, high = sorted.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (holds(sorted[middle]))
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }
}

/// <summary>
/// What is done to every column before an estimate. None changes the information: each is strictly monotone, up to the rounding of ranks.
/// </summary>
public enum SampleTransform
{
    /// <summary>Leaves the columns as they are.</summary>
    None,

    /// <summary>Normal scores: the quantile of N(0, 1) at the value's rank. Takes heavy tails and the shape of the column away.</summary>
    Rank,

    /// <summary>
    /// asinh of the value less the median, over half the interquartile range: linear in the middle, logarithmic in the tails.
    /// </summary>
    Asinh,
}

/// <summary>Transforms columns one by one.</summary>
internal static class SampleTransforms
{
    /// <param name="values">[N, <paramref name="columns"/>].</param>
    /// <returns>[N, <paramref name="columns"/>].</returns>
    public static float[] Apply(SampleTransform transform, ReadOnlySpan<float> values, int columns)
    {
        var result = values.ToArray();
        if (transform == SampleTransform.None)
            return result;
        int points = values.Length / columns;
        var column = new float[points];
        for (int c = 0; c < columns; c++)
        {
            for (int i = 0; i < points; i++)
                column[i] = values[i * columns + c];
            var map = transform == SampleTransform.Rank ? NormalScores(column) : Asinh(column);
            for (int i = 0; i < points; i++)
                result[i * columns + c] = (float)map(column[i]);
        }
        return result;
    }

    private static Func<float, double> NormalScores(float[] column)
    {
        var ranks = new Ranks(column);
        return value => Ranks.NormalScore(ranks.Share(value));
    }

    private static Func<float, double> Asinh(float[] column)
    {
        float[] sorted = [.. column];
        Array.Sort(sorted);
        double median = sorted[sorted.Length / 2], scale = ((double)sorted[3 * sorted.Length / 4] - sorted[sorted.Length / 4]) / 2;
        return value => Math.Asinh((value - median) / (scale > 0 ? scale : 1));
    }
}
