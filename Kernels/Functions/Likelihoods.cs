using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>
/// What one pixel x adds to a row's negative log-likelihood given the decoder's prediction, and the derivative with respect to the
/// prediction.
/// </summary>
internal interface IPixelTerm
{
    static abstract V Term<V>(V x, V prediction) where V : struct, IReal<V>;
    static abstract V Slope<V>(V x, V prediction) where V : struct, IReal<V>;
}

/// <summary>
/// (x - mean)^2; its factor 1 / (2 s2) and the constant of (N1) belong to the whole row. The slope is d/dmean of half of it.
/// </summary>
internal readonly struct SquaredError : IPixelTerm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Term<V>(V x, V prediction) where V : struct, IReal<V>
    {
        V difference = x - prediction;
        return difference * difference;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Slope<V>(V x, V prediction) where V : struct, IReal<V> =>
        prediction - x;
}

/// <summary>softplus(a) - x a, a the logit (N5).</summary>
internal readonly struct BernoulliTerm : IPixelTerm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Term<V>(V x, V prediction) where V : struct, IReal<V> =>
        V.Fma(-x, prediction, RealMath.Softplus(prediction));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Slope<V>(V x, V prediction) where V : struct, IReal<V> =>
        RealMath.Sigmoid(prediction) - x;
}
