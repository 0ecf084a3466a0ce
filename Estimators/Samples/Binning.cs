namespace VaeFromScratch.Estimators.Samples;

/// <summary>Turns numbers into classes.</summary>
internal static class Binning
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

    /// <summary>
    /// Bins that hold as nearly equally many values as equal values allow, which share a bin: that of the middle of their ranks.
    /// </summary>
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
        for (int first = 0, end = 0; first < order.Length; first = end)
        {
            while (end < order.Length && keys[end] == keys[first])
                end++;
            int bin = (int)((first + end - 1L) * bins / (2L * order.Length));
            for (int rank = first; rank < end; rank++)
                result[order[rank]] = bin;
        }
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
