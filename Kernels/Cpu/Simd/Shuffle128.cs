using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Lanes of two registers of 128 bits in another order: one instruction each, on x86 as on Arm64.</summary>
internal static class Shuffle128
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>a0 a2 b0 b2.</summary>
    [MethodImpl(Inline)]
    public static Vector128<float> Evens(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.Shuffle(a, b, 0x88) : AdvSimd.Arm64.UnzipEven(a, b);

    /// <summary>a1 a3 b1 b3.</summary>
    [MethodImpl(Inline)]
    public static Vector128<float> Odds(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.Shuffle(a, b, 0xdd) : AdvSimd.Arm64.UnzipOdd(a, b);

    /// <summary>a0 b0 a1 b1.</summary>
    [MethodImpl(Inline)]
    public static Vector128<float> InterleaveLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    /// <summary>a2 b2 a3 b3.</summary>
    [MethodImpl(Inline)]
    public static Vector128<float> InterleaveHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);

    /// <summary>a0 a1 b0 b1.</summary>
    [MethodImpl(Inline)]
    public static Vector128<float> LowPairs(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveLowToHigh(a, b) : AdvSimd.Arm64.ZipLow(a.AsDouble(), b.AsDouble()).AsSingle();

    /// <summary>a2 a3 b2 b3.</summary>
    [MethodImpl(Inline)]
    public static Vector128<float> HighPairs(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveHighToLow(b, a) : AdvSimd.Arm64.ZipHigh(a.AsDouble(), b.AsDouble()).AsSingle();
}
