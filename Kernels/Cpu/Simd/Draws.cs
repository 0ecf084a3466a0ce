using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>How random words become numbers: the two vectors of words of eight counters give two vectors of results.</summary>
internal interface IDistribution
{
    static abstract void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V>;
}

internal readonly struct UniformDraw : IDistribution
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V> =>
        (y0, y1) = (Draw.Uniform(words0), Draw.Uniform(words1));
}

/// <summary>Words x, y, z, w of a counter: x and z give the radii, y and w the angles.</summary>
internal readonly struct NormalDraw : IDistribution
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V>
    {
        V cosine = Draw.Normal(V.Evens(words0, words1), V.Odds(words0, words1), out V sine);
        y0 = V.InterleaveLow(cosine, sine);
        y1 = V.InterleaveHigh(cosine, sine);
    }
}

internal readonly struct GumbelDraw : IDistribution
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Make<V>(V words0, V words1, out V y0, out V y1) where V : struct, IVector<V> =>
        (y0, y1) = (Draw.Gumbel(words0), Draw.Gumbel(words1));
}

/// <summary>Entries of a random draw.</summary>
internal static unsafe class Draws
{
    /// <param name="philox">The stream.</param>
    /// <param name="first">Index of the first entry in the draw, a multiple of 4.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void Fill<D, V>(PhiloxLanes philox, int first, float* y, int count) where D : struct, IDistribution
        where V : struct, IVector<V>
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
