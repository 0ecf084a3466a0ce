using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Models.Noise;

/// <summary>How far learned variances, one or many, may move in a step.</summary>
internal static class VarianceSteps
{
    /// <summary>
    /// Variances within (1 - c) s2 and (1 + c) s2, c the largest relative change, and not below the floor (equations.md (N2)).
    /// </summary>
    /// <param name="moved">Where the data would have them.</param>
    /// <param name="s2">What they are, of the same shape.</param>
    public static Tensor Limited(Tensor moved, Tensor s2, double maximumChange, double floor)
    {
        if (maximumChange < 1)
            moved = moved.Minimum((float)(1 + maximumChange) * s2).Maximum((float)(1 - maximumChange) * s2);
        return moved.ClampMin((float)floor);
    }

    /// <summary>Copies values into memory that outlives the tape.</summary>
    public static void Store(Tensor from, Tensor to) => to.Compute.Backend.Unary<Scale>(from.Data, to.Data, 1);
}
