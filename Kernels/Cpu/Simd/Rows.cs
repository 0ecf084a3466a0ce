using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

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

    /// <summary>The row's sum: at most four vectors are added in float, such groups in pairs of floats, lanes in double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Sum<V>(float* row, int n) where V : struct, IVector<V>
    {
        V high = V.Broadcast(0f), low = high;
        int i = 0;
        if (n <= 8 * IVector<V>.Lanes)
        {
            for (; i <= n - 2 * IVector<V>.Lanes; i += 2 * IVector<V>.Lanes)
            {
                high += V.Load(row + i);
                low += V.Load(row + i + IVector<V>.Lanes);
            }
            if (i <= n - IVector<V>.Lanes)
            {
                high += V.Load(row + i);
                i += IVector<V>.Lanes;
            }
            if (i < n)
                low += V.LoadPart(row + i, n - i);
            return V.SumLanes(high, low);
        }
        for (; i <= n - 4 * IVector<V>.Lanes; i += 4 * IVector<V>.Lanes)
            TwoSum.Add(ref high, ref low, (V.Load(row + i) + V.Load(row + i + 16)) + (V.Load(row + i + 32) + V.Load(row + i + 48)));
        V rest = V.Broadcast(0f);
        for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
            rest += V.Load(row + i);
        if (i < n)
            rest += V.LoadPart(row + i, n - i);
        TwoSum.Add(ref high, ref low, rest);
        return PairSum.Total(high, low);
    }

    /// <summary>The row's maximum, spread over lanes, where NaN need not come through: what follows is NaN anyway.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Largest<V>(float* row, int n) where V : struct, IVector<V>
    {
        V max = V.Broadcast(float.NegativeInfinity);
        int i = 0;
        for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
            max = V.AtLeast(V.Load(row + i), max);
        return i < n ? V.AtLeast(Lanes.LoadPartOr(row + i, n - i, max), max) : max;
    }

    /// <summary>log sum exp of a row: -infinity where every entry is, +infinity where any is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LogSumExp<V>(float* row, int n) where V : struct, IVector<V>
    {
        float largest = V.MaxLanes(Largest<V>(row, n));
        V shift = Softmaxes.Shift(V.Broadcast(largest)), zero = V.Broadcast(0f), high = zero, low = zero, four = zero;
        int i = 0;
        for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
        {
            four += Softmaxes.Exponential(V.Load(row + i), shift);
            if ((i & 48) == 48)
            {
                TwoSum.Add(ref high, ref low, four);
                four = zero;
            }
        }
        if (i < n)
            four += Softmaxes.Exponential(Lanes.LoadPartOr(row + i, n - i, V.Broadcast(float.NegativeInfinity)), shift);
        TwoSum.Add(ref high, ref low, four);
        // Where the shift is not the largest entry, the logarithm is the same infinity.
        return (float)(largest + Math.Log(PairSum.Total(high, low)));
    }

    /// <summary><see cref="Softmaxes.Shift"/> of one number.</summary>
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
        V shift = Softmaxes.Shift(Max<V>(top, rows, stride, count));
        V high = V.Broadcast(0f), low = high;
        for (int r = 0; r < rows; r++)
            TwoSum.Add(ref high, ref low, Softmaxes.Exponential(V.LoadPart(top + (nint)r * stride, count), shift));
        // The pair's low part is NaN beside an infinite sum.
        return shift + RealMath.Log(V.SelectLess(high, V.Broadcast(float.PositiveInfinity), high + low, high));
    }
}
