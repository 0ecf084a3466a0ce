using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>How random words become numbers: the two vectors of words of eight counters give two vectors of results.</summary>
internal interface IDistribution
{
    static abstract void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V>;
}

/// <summary>Strictly inside (0, 1): the middle of one of 2^23 equal cells. (24 bits would round up to 1.)</summary>
internal readonly struct UniformDraw : IDistribution
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V> => (y0, y1) = (Inside(words0), Inside(words1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Inside<V>(V words) where V : struct, IVector<V> => V.Fma(V.TopBits(words), V.Broadcast(1.1920928955078125e-7f), V.Broadcast(5.9604644775390625e-8f));
}

/// <summary>Box-Muller: words x, y, z, w of a counter give r(x) cos(y), r(x) sin(y), r(z) cos(w), r(z) sin(w).</summary>
internal readonly struct NormalDraw : IDistribution
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V>
    {
        V radius = V.Sqrt(V.Broadcast(-2f) * VectorMath.LogOfPositive(UniformDraw.Inside(V.Evens(words0, words1))));
        V sine = radius * VectorMath.SinCosTwoPi(UniformDraw.Inside(V.Odds(words0, words1)), out V cosine);
        cosine = radius * cosine;
        y0 = V.InterleaveLow(cosine, sine);
        y1 = V.InterleaveHigh(cosine, sine);
    }
}

/// <summary>-log(-log u)</summary>
internal readonly struct GumbelDraw : IDistribution
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V> => (y0, y1) = (Of(words0), Of(words1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Of<V>(V words) where V : struct, IVector<V> => -VectorMath.LogOfPositive(-VectorMath.LogOfPositive(UniformDraw.Inside(words)));
}

/// <summary>Entries of a random draw.</summary>
internal static unsafe class Draws
{
    /// <param name="philox">The stream.</param>
    /// <param name="first">Index of the first entry in the draw, a multiple of 4.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void Fill<D, V>(PhiloxLanes philox, int first, float* y, int count) where D : struct, IDistribution where V : struct, IVector<V>
    {
        ulong* keys = stackalloc ulong[PhiloxLanes.Keys];
        float* words = stackalloc float[PhiloxLanes.Words];
        philox.Expand(keys);
        for (int i = 0; i < count; i += PhiloxLanes.Words)
        {
            // The last block is made beside the output.
            float* to = i + PhiloxLanes.Words <= count ? y + i : words;
            philox.Sixteen((uint)(first + i) / 4, keys, (uint*)words);
            for (int k = 0; k < PhiloxLanes.Words; k += 2 * IVector<V>.Lanes)
            {
                D.Make(V.Load(words + k), V.Load(words + k + IVector<V>.Lanes), out V y0, out V y1);
                V.Store(y0, to + k);
                V.Store(y1, to + k + IVector<V>.Lanes);
            }
            if (to == words)
                new ReadOnlySpan<float>(words, count - i).CopyTo(new(y + i, count - i));
        }
    }
}
