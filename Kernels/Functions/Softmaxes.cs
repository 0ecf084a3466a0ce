using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>Softmax, its relatives and their gradients, entry by entry: what a row's largest entry and its sums are for.</summary>
internal static class Softmaxes
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>
    /// What to subtract before exponentials: the largest entry, or 0 where it is infinite, so that infinities give limits and not NaN.
    /// </summary>
    [MethodImpl(Inline)]
    public static V Shift<V>(V largest) where V : struct, IReal<V> =>
        V.SelectLess(V.Abs(largest), V.Broadcast(float.PositiveInfinity), largest, V.Broadcast(0f));

    /// <summary>exp(x - shift)</summary>
    [MethodImpl(Inline)] public static V Exponential<V>(V x, V shift) where V : struct, IReal<V> => RealMath.Exp(x - shift);

    /// <summary>x - largest - logSum, given the logarithm of the sum of exp(x - largest).</summary>
    [MethodImpl(Inline)] public static V LogSoftmax<V>(V x, V largest, V logSum) where V : struct, IReal<V> => x - largest - logSum;

    /// <summary>What Gumbel-softmax is the softmax of (C1).</summary>
    [MethodImpl(Inline)]
    public static V Perturbed<V>(V logit, V noise, V inverseTemperature) where V : struct, IReal<V> => (logit + noise) * inverseTemperature;

    /// <summary>y (g - mean) scale, y the softmax and mean the sum of g y.</summary>
    [MethodImpl(Inline)] public static V Gradient<V>(V g, V y, V mean, V scale) where V : struct, IReal<V> => y * (g - mean) * scale;

    /// <summary>g - exp(y) total, y the log-softmax and total the sum of g.</summary>
    [MethodImpl(Inline)] public static V LogGradient<V>(V g, V y, V total) where V : struct, IReal<V> => g - RealMath.Exp(y) * total;
}
