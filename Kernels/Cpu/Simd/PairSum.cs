using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>What <see cref="Maths.TwoSum"/> has summed per lane, as doubles.</summary>
internal static unsafe class PairSum
{
    /// <summary>
    /// The sum over all lanes. Infinities and NaN come through: the rounding "error" beside them is NaN and does not count.
    /// </summary>
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
        int i = 0;
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var (high0, high1) = Vector256.Widen(Vector256.Load(h + i));
            var (low0, low1) = Vector256.Widen(Vector256.Load(l + i));
            Vector256.Store(high0 + low0, totals + i);
            Vector256.Store(high1 + low1, totals + i + Vector256<double>.Count);
        }
        for (; i < count; i++)
            totals[i] = (double)h[i] + l[i];
    }
}
