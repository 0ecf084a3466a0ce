using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>A Gaussian latent: z = mu + sigma eps (V1) with its KL to the standard normal (V2), and the gradients of both.</summary>
internal static class Reparameterisation
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>exp(logVar / 2)</summary>
    [MethodImpl(Inline)] public static V Sigma<V>(V logVar) where V : struct, IReal<V> => RealMath.Exp(V.Broadcast(0.5f) * logVar);

    [MethodImpl(Inline)] public static V Sample<V>(V mu, V sigma, V epsilon) where V : struct, IReal<V> => V.Fma(sigma, epsilon, mu);

    /// <summary>sigma^2 + mu^2 - 1 - logVar: twice the KL of one factor, nats.</summary>
    [MethodImpl(Inline)]
    public static V TwiceKl<V>(V mu, V logVar, V sigma) where V : struct, IReal<V> =>
        V.Fma(sigma, sigma, V.Fma(mu, mu, V.Broadcast(-1f) - logVar));

    /// <summary>d/dmu, given the gradients g of z and k of the KL.</summary>
    [MethodImpl(Inline)] public static V GradientMu<V>(V g, V k, V mu) where V : struct, IReal<V> => V.Fma(k, mu, g);

    /// <summary>d/dlogVar, given the gradients g of z and k of the KL.</summary>
    [MethodImpl(Inline)]
    public static V GradientLogVar<V>(V g, V k, V sigma, V epsilon) where V : struct, IReal<V> =>
        V.Fma(V.Broadcast(0.5f) * g * epsilon, sigma, V.Broadcast(0.5f) * k * V.Fma(sigma, sigma, V.Broadcast(-1f)));
}
