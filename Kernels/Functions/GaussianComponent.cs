using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>
/// One latent of a mixture's component, log N(z | mu, exp(logVar)) = u^2 precision + constant with u = z - mu, and the gradients of the
/// mixture's log density (equations.md (X1), (X2)).
/// </summary>
internal static class GaussianComponent
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const float LogTwoPi = 1.8378770664093453f;

    /// <summary>-1/2 exp(-logVar): the precision with the factor that it has in the exponent.</summary>
    [MethodImpl(Inline)] public static V Precision<V>(V logVar) where V : struct, IReal<V> => V.Broadcast(-0.5f) * RealMath.Exp(-logVar);

    /// <summary>-1/2 (log 2 pi + logVar)</summary>
    [MethodImpl(Inline)]
    public static V Constant<V>(V logVar) where V : struct, IReal<V> =>
        V.Broadcast(-0.5f) * (V.Broadcast(LogTwoPi) + logVar);

    [MethodImpl(Inline)]
    public static V LogDensity<V>(V z, V mu, V precision, V constant) where V : struct, IReal<V>
    {
        V u = z - mu;
        return V.Fma(u * u, precision, constant);
    }

    /// <summary>
    /// The component's share of the gradient: that of the joint density plus g times its responsibility for the latent's own density.
    /// </summary>
    /// <param name="quadratic">u^2 precision.</param>
    [MethodImpl(Inline)]
    public static V Share<V>(V ofJoint, V g, V quadratic, V constant, V logWeight, V marginal) where V : struct, IReal<V> =>
        V.Fma(g, RealMath.Exp(quadratic + constant + logWeight - marginal), ofJoint);

    [MethodImpl(Inline)] public static V Quadratic<V>(V u, V precision) where V : struct, IReal<V> => u * u * precision;

    /// <summary>d/dz; with the other sign d/dmu.</summary>
    [MethodImpl(Inline)]
    public static V ToLatent<V>(V share, V u, V precision) where V : struct, IReal<V> =>
        share * (u * (precision + precision));

    /// <summary>d/dlogVar, added to a sum.</summary>
    [MethodImpl(Inline)]
    public static V AddToLogVar<V>(V share, V quadratic, V sum) where V : struct, IReal<V> =>
        V.Fma(share, V.Broadcast(-0.5f) - quadratic, sum);
}
