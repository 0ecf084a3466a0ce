using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>One parameter's step, given its gradient; moments are updated in place.</summary>
internal static class OptimiserStep
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Adam, or AdamW where <paramref name="keep"/> is below 1.</summary>
    /// <param name="rate">Learning rate / (1 - beta1^t).</param>
    /// <param name="rootScale">1 / sqrt(1 - beta2^t).</param>
    /// <param name="keep">What decoupled weight decay leaves of a parameter.</param>
    [MethodImpl(Inline)]
    public static V Adam<V>(V parameter, V gradient, ref V first, ref V second, V beta1, V rest1, V beta2, V rest2, V epsilon, V rate,
        V rootScale, V keep) where V : struct, IReal<V>
    {
        first = V.Fma(beta1, first, rest1 * gradient);
        second = V.Fma(beta2, second, rest2 * gradient * gradient);
        return V.Fma(-rate, first / V.Fma(V.Sqrt(second), rootScale, epsilon), keep * parameter);
    }

    /// <summary>RMSprop as PyTorch's.</summary>
    [MethodImpl(Inline)]
    public static V RmsProp<V>(V parameter, V gradient, ref V second, V alpha, V rest, V epsilon, V rate) where V : struct, IReal<V>
    {
        second = V.Fma(alpha, second, rest * gradient * gradient);
        return V.Fma(-rate, gradient / (V.Sqrt(second) + epsilon), parameter);
    }

    /// <summary>SGD with momentum as PyTorch's.</summary>
    [MethodImpl(Inline)]
    public static V Sgd<V>(V parameter, V gradient, ref V velocity, V momentum, V weightDecay, V rate) where V : struct, IReal<V>
    {
        velocity = V.Fma(momentum, velocity, V.Fma(weightDecay, parameter, gradient));
        return V.Fma(-rate, velocity, parameter);
    }
}
