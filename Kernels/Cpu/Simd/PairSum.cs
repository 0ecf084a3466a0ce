using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Running sums per lane, kept as an unevaluated pair of floats (about 48 bits): double precision without double registers.</summary>
internal static unsafe class PairSum
{
    /// <summary>Adds x to high + low; the rounding error of the addition is kept (Knuth's two-sum).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<V>(ref V high, ref V low, V x) where V : struct, IVector<V>
    {
        V sum = high + x;
        V part = sum - high;
        low += (high - (sum - part)) + (x - part);
        high = sum;
    }

    /// <summary>The sum over all lanes. Infinities and NaN come through: the rounding "error" beside them is NaN and does not count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Total<V>(V high, V low) where V : struct, IVector<V>
    {
        double sum = V.SumLanes(high, low);
        return double.IsFinite(sum) ? sum : V.SumLanes(high);
    }

    /// <summary>Stores the first <paramref name="count"/> lanes' sums as doubles.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreLanes<V>(V high, V low, double* totals, int count) where V : struct, IVector<V>
    {
        float* h = stackalloc float[2 * IVector<V>.Lanes];
        float* l = h + IVector<V>.Lanes;
        V.Store(high, h);
        // The rounding "error" beside an infinity is NaN: it counts as 0.
        V.Store(V.SelectLess(V.Abs(high), V.Broadcast(float.PositiveInfinity), low, V.Broadcast(0f)), l);
        for (int i = 0; i < count; i++)
            totals[i] = (double)h[i] + l[i];
    }
}
