using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>Batch normalisation of one entry, given its channel's numbers.</summary>
internal static class Normalisation
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>(x - mean) scale + shift, but not below <paramref name="floor"/>: 0 is a ReLU, -infinity none.</summary>
    [MethodImpl(Inline)]
    public static V Forward<V>(V x, V mean, V scale, V shift, V floor) where V : struct, IReal<V> =>
        V.AtLeast(V.Fma(x - mean, scale, shift), floor);

    /// <summary>g (x - mean): what the gradient of a channel's factor sums.</summary>
    [MethodImpl(Inline)] public static V WeightedDeviation<V>(V g, V x, V mean) where V : struct, IReal<V> => g * (x - mean);

    /// <summary>scale (g - meanG - (x - mean) slope): the slope is the mean of g (x - mean) / variance.</summary>
    [MethodImpl(Inline)]
    public static V Gradient<V>(V g, V x, V mean, V scale, V meanG, V slope) where V : struct, IReal<V> =>
        scale * V.Fma(-(x - mean), slope, g - meanG);
}
