using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Reductions of one contiguous row.</summary>
internal static unsafe class Rows
{
    /// <summary>The row's maximum, spread over lanes (see <see cref="IVector{V}.MaxLanes"/>); NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Max<V>(float* row, int n) where V : struct, IVector<V>
    {
        V max = V.Broadcast(float.NegativeInfinity);
        int i = 0;
        for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
            max = V.Max(max, V.Load(row + i));
        return i < n ? V.Max(max, Lanes.LoadPartOr(row + i, n - i, max)) : max;
    }

    /// <summary>The row's sum: four vectors are added in float, groups of four in pairs of floats, lanes in double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Sum<V>(float* row, int n) where V : struct, IVector<V>
    {
        V high = V.Broadcast(0f), low = high;
        int i = 0;
        for (; i <= n - 4 * IVector<V>.Lanes; i += 4 * IVector<V>.Lanes)
            PairSum.Add(ref high, ref low, (V.Load(row + i) + V.Load(row + i + 16)) + (V.Load(row + i + 32) + V.Load(row + i + 48)));
        V rest = V.Broadcast(0f);
        for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
            rest += V.Load(row + i);
        if (i < n)
            rest += V.LoadPart(row + i, n - i);
        if (n < 4 * IVector<V>.Lanes)
            return V.SumLanes(rest);
        PairSum.Add(ref high, ref low, rest);
        return PairSum.Total(high, low);
    }

    /// <summary>log sum exp of a row: -infinity where every entry is, +infinity where any is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LogSumExp<V>(float* row, int n) where V : struct, IVector<V>
    {
        float shift = Shift(V.MaxLanes(Max<V>(row, n)));
        V s = V.Broadcast(shift), high = V.Broadcast(0f), low = high;
        int i = 0;
        for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
            PairSum.Add(ref high, ref low, VectorMath.Exp(V.Load(row + i) - s));
        if (i < n)
            PairSum.Add(ref high, ref low, VectorMath.Exp(Lanes.LoadPartOr(row + i, n - i, V.Broadcast(float.NegativeInfinity)) - s));
        return (float)(shift + Math.Log(PairSum.Total(high, low)));
    }

    /// <summary>What to subtract before exponentials: the maximum, or 0 where it is infinite, so that infinities give their limits and not NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Shift(float max) => float.IsInfinity(max) ? 0 : max;
}

/// <summary>Reductions over the rows of a strip of at most 16 columns.</summary>
internal static unsafe class Columns
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Max<V>(float* top, int rows, int stride, int count) where V : struct, IVector<V>
    {
        V max = V.Broadcast(float.NegativeInfinity);
        if (count == IVector<V>.Lanes)
            for (int r = 0; r < rows; r++)
                max = V.Max(max, V.Load(top + (nint)r * stride));
        else
            for (int r = 0; r < rows; r++)
                max = V.Max(max, V.LoadPart(top + (nint)r * stride, count));
        return max;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LogSumExp<V>(float* top, int rows, int stride, int count) where V : struct, IVector<V>
    {
        V max = Max<V>(top, rows, stride, count);
        V shift = V.SelectLess(V.Abs(max), V.Broadcast(float.PositiveInfinity), max, V.Broadcast(0f));
        V high = V.Broadcast(0f), low = high;
        for (int r = 0; r < rows; r++)
            PairSum.Add(ref high, ref low, VectorMath.Exp(V.LoadPart(top + (nint)r * stride, count) - shift));
        // The pair's low part is NaN beside an infinite sum.
        return shift + VectorMath.Log(V.SelectLess(high, V.Broadcast(float.PositiveInfinity), high + low, high));
    }
}
