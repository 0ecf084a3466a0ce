namespace VaeFromScratch.Models.Terms;

/// <summary>MMD^2 with the inverse multiquadric kernel summed over scales, as a U-statistic (equations.md (X8)).</summary>
/// <remarks>
/// k(a, b) = sum_s C_s / (C_s + |a - b|^2) with C_s = 2 H s, s = 0.1, 0.2, 0.5, 1, 2, 5, 10. Unbiased, so it may be below 0.
/// </remarks>
public static class MaximumMeanDiscrepancy
{
    private static readonly float[] Scales = [0.1f, 0.2f, 0.5f, 1, 2, 5, 10];

    /// <summary>Between codes z and draws of the prior, both [B, H]; a scalar.</summary>
    public static Tensor Squared(Tensor z, Tensor prior) =>
        MeanWithin(z) + MeanWithin(prior) - 2 * KernelSum(z, prior) * (1f / ((float)z.Shape[0] * prior.Shape[0]));

    /// <summary>The kernel's mean over pairs of two different points of a set; 0 for a single point, which has no pair.</summary>
    private static Tensor MeanWithin(Tensor a)
    {
        int n = a.Shape[0];
        // A point's kernel with itself is 1 at every scale.
        return (KernelSum(a, a) - n * (float)Scales.Length) * (n > 1 ? 1f / ((float)n * (n - 1)) : 0);
    }

    private static Tensor KernelSum(Tensor a, Tensor b)
    {
        var squaredDistance = SquaredDistances(a, b);
        float size = 2 * a.Shape[1];
        var sum = Kernel(squaredDistance, size * Scales[0]).Sum();
        foreach (float scale in Scales.AsSpan(1))
            sum += Kernel(squaredDistance, size * scale).Sum();
        return sum;
    }

    private static Tensor Kernel(Tensor squaredDistance, float c) => c * (squaredDistance + c).Reciprocal();

    /// <summary>|a_i - b_j|^2 = |a_i|^2 + |b_j|^2 - 2 a_i b_j, which rounding must not take below 0.</summary>
    private static Tensor SquaredDistances(Tensor a, Tensor b) =>
        (a.Square().SumPerRow().RepeatEach(b.Shape[0]) + b.Square().SumPerRow() - 2 * a.MatMul(b, transposeB: true)).ClampMin(0);
}
