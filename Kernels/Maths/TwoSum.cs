using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Maths;

/// <summary>Running sums kept as an unevaluated pair of floats (about 48 bits): double precision without double registers.</summary>
internal static class TwoSum
{
    /// <summary>Adds x to high + low; the rounding error of the addition is kept (Knuth's two-sum).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<V>(ref V high, ref V low, V x) where V : struct, IReal<V>
    {
        V sum = high + x;
        V part = sum - high;
        low += (high - (sum - part)) + (x - part);
        high = sum;
    }
}
