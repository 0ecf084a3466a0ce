using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>What the three widths share.</summary>
internal static class LaneConstants
{
    /// <summary>
    /// The float just below sqrt(1/2), as bits, and its double: mantissas are cut here so that a logarithm's argument is near 1.
    /// </summary>
    public const int SqrtHalfBits = 0x3f3504f3;

    public const float SqrtTwo = 1.41421354f;
    public const int MantissaBits = 0x007fffff;
    public const float SmallestNormal = 1.17549435e-38f;
    public const float TwoTo23 = 8388608f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumLanes(Vector512<double> eight) => SumLanes(eight.GetLower() + eight.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumLanes(Vector256<double> four) => SumLanes(four.GetLower() + four.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumLanes(Vector128<double> two) => two[0] + two[1];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxLanes(Vector256<float> eight) => MaxLanes(Vector128.Max(eight.GetLower(), eight.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxLanes(Vector128<float> four)
    {
        var two = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(two[0], two[1]);
    }
}
