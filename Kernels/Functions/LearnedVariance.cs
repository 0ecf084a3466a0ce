using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>The running closed form of a learned variance (equations.md (N2)).</summary>
internal static class LearnedVariance
{
    /// <summary>
    /// The variance after a step towards the mean squared residual, by no more than a factor 1 +- maximumChange and never below floor.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static W Next<W>(W old, W meanSquare, W decay, W maximumChange, W floor) where W : struct, IWide<W>
    {
        W one = W.Of(1f), moved = decay * old + (one - decay) * meanSquare;
        moved = W.AtMost(W.AtLeast(moved, old * W.AtLeast(one - maximumChange, W.Of(0f))), old * (one + maximumChange));
        return W.AtLeast(moved, floor);
    }
}
