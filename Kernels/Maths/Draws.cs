using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Maths;

/// <summary>How random words become numbers.</summary>
internal static class Draw
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Uniform strictly inside (0, 1): the middle of one of 2^23 equal cells. (24 bits would round up to 1.)</summary>
    [MethodImpl(Inline)]
    public static V Uniform<V>(V words) where V : struct, IReal<V> =>
        V.Fma(V.TopBits(words), V.Broadcast(1.1920928955078125e-7f), V.Broadcast(5.9604644775390625e-8f));

    /// <summary>
    /// Box-Muller: one word for the radius and one for the angle give two independent normal draws, the cosine's and the sine's.
    /// </summary>
    [MethodImpl(Inline)]
    public static V Normal<V>(V radiusWords, V angleWords, out V sine) where V : struct, IReal<V>
    {
        V radius = V.Sqrt(V.Broadcast(-2f) * RealMath.LogOfPositive(Uniform(radiusWords)));
        sine = radius * RealMath.SinCosTwoPi(Uniform(angleWords), out V cosine);
        return radius * cosine;
    }

    /// <summary>Standard Gumbel, -log(-log u).</summary>
    [MethodImpl(Inline)]
    public static V Gumbel<V>(V words) where V : struct, IReal<V> => -RealMath.LogOfPositive(-RealMath.LogOfPositive(Uniform(words)));
}
