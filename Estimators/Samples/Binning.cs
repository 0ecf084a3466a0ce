namespace VaeFromScratch.Estimators.Samples;

/// <summary>Turns numbers into classes.</summary>
public static class Binning
{
    /// <summary>Bins of equal width between the smallest and the largest value; a constant falls into bin 0.</summary>
    public static int[] EqualWidth(ReadOnlySpan<float> values, int bins)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bins);
        var (low, high) = Range(values);
        double width = high - low;
        var result = new int[values.Length];
        for (int i = 0; i < values.Length && width > 0; i++)
            result[i] = Math.Min(bins - 1, (int)((values[i] - low) / width * bins));
        return result;
    }

    /// <summary>Bins that hold equally many values; equal values can fall into neighbouring bins.</summary>
    public static int[] EqualFrequency(ReadOnlySpan<float> values, int bins)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bins);
        Range(values);
        var order = new int[values.Length];
        for (int i = 0; i < order.Length; i++)
            order[i] = i;
        var keys = values.ToArray();
        Array.Sort(keys, order);
        var result = new int[values.Length];
        for (int rank = 0; rank < order.Length; rank++)
            result[order[rank]] = (int)((long)rank * bins / order.Length);
        return result;
    }

    private static (double Low, double High) Range(ReadOnlySpan<float> values)
    {
        double low = double.PositiveInfinity, high = double.NegativeInfinity;
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
                throw new EstimatorException($"binning: value {i} is {values[i]}; check the codes, only finite numbers can be binned");
            (low, high) = (Math.Min(low, values[i]), Math.Max(high, values[i]));
        }
        return (low, high);
    }
}
