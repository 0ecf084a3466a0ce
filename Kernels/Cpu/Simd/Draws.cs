using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Entries of a random draw. <c>first</c>, the index of the first one, is a multiple of 32; words become numbers in the output itself, block by block.</summary>
internal static unsafe class Draws
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void Uniform<V>(PhiloxLanes philox, int first, float* y, int count) where V : struct, IVector<V>
    {
        float* block = stackalloc float[PhiloxLanes.Words];
        for (int i = 0; i < count; i += PhiloxLanes.Words)
        {
            float* to = i + PhiloxLanes.Words <= count ? y + i : block;
            philox.Eight((uint)(first + i) / 4, (uint*)block);
            V.Store(Inside(V.Load(block)), to);
            V.Store(Inside(V.Load(block + 16)), to + 16);
            if (to == block)
                new ReadOnlySpan<float>(block, count - i).CopyTo(new(y + i, count - i));
        }
    }

    /// <summary>Box-Muller: words x, y, z, w of a counter give r(x) cos(y), r(x) sin(y), r(z) cos(w), r(z) sin(w).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void Normal<V>(PhiloxLanes philox, int first, float* y, int count) where V : struct, IVector<V>
    {
        float* block = stackalloc float[PhiloxLanes.Words];
        for (int i = 0; i < count; i += PhiloxLanes.Words)
        {
            float* to = i + PhiloxLanes.Words <= count ? y + i : block;
            philox.Eight((uint)(first + i) / 4, (uint*)block);
            V a = V.Load(block), b = V.Load(block + 16);
            V radius = V.Sqrt(V.Broadcast(-2f) * VectorMath.LogOfPositive(Inside(V.Evens(a, b))));
            V sine = radius * VectorMath.SinCosTwoPi(Inside(V.Odds(a, b)), out V cosine);
            cosine = radius * cosine;
            V.Store(V.InterleaveLow(cosine, sine), to);
            V.Store(V.InterleaveHigh(cosine, sine), to + 16);
            if (to == block)
                new ReadOnlySpan<float>(block, count - i).CopyTo(new(y + i, count - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void Gumbel<V>(PhiloxLanes philox, int first, float* y, int count) where V : struct, IVector<V>
    {
        float* block = stackalloc float[PhiloxLanes.Words];
        for (int i = 0; i < count; i += PhiloxLanes.Words)
        {
            float* to = i + PhiloxLanes.Words <= count ? y + i : block;
            philox.Eight((uint)(first + i) / 4, (uint*)block);
            for (int k = 0; k < PhiloxLanes.Words; k += IVector<V>.Lanes)
                V.Store(-VectorMath.LogOfPositive(-VectorMath.LogOfPositive(Inside(V.Load(block + k)))), to + k);
            if (to == block)
                new ReadOnlySpan<float>(block, count - i).CopyTo(new(y + i, count - i));
        }
    }

    /// <summary>A word as a number strictly inside (0, 1): the middle of one of 2^23 equal cells. (24 bits would round up to 1.)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Inside<V>(V words) where V : struct, IVector<V> =>
        V.Fma(V.TopBits(words), V.Broadcast(1.1920928955078125e-7f), V.Broadcast(5.9604644775390625e-8f));
}
