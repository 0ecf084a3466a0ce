using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>
/// Sixteen float lanes, held in one register of 512 bits, two of 256 or four of 128: what a loop on the CPU needs beside
/// <see cref="IReal{V}"/>.
/// The lane count is fixed, so all widths give the same bits, sums over lanes included.
/// </summary>
internal interface IVector<V> : IReal<V> where V : struct, IVector<V>
{
    /// <summary>Lanes of every implementation.</summary>
    const int Lanes = 16;

    static abstract unsafe V Load(float* source);
    static abstract unsafe void Store(V value, float* destination);
    /// <summary>
    /// The first <paramref name="count"/> lanes (at most 16) from memory, 0 in the others; nothing behind them is touched.
    /// </summary>
    static abstract unsafe V LoadPart(float* source, int count);
    /// <summary>Stores the first <paramref name="count"/> lanes only.</summary>
    static abstract unsafe void StorePart(V value, float* destination, int count);
    /// <summary>Sixteen bytes as 0 .. 255.</summary>
    static abstract unsafe V FromBytes(byte* source);
    /// <summary>Per group of four lanes: a0 a2 b0 b2.</summary>
    static abstract V Evens(V a, V b);
    /// <summary>Per group of four lanes: a1 a3 b1 b3.</summary>
    static abstract V Odds(V a, V b);
    /// <summary>Per group of four lanes: a0 b0 a1 b1.</summary>
    static abstract V InterleaveLow(V a, V b);
    /// <summary>Per group of four lanes: a2 b2 a3 b3.</summary>
    static abstract V InterleaveHigh(V a, V b);
    /// <summary>The sum of all lanes in double precision: lanes 8 apart are added first, then 4, 2 and 1 apart.</summary>
    static abstract double SumLanes(V a);
    /// <summary>The sum of all lanes of both, in double precision: lane i of a and of b are added first, then as for one.</summary>
    static abstract double SumLanes(V a, V b);
    /// <summary>The largest lane; NaN where any is.</summary>
    static abstract float MaxLanes(V a);
}
