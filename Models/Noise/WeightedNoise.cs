using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>
/// The weighted square of paper 4 (13): 1/2 sum_d (x - g)^2 / (x (1 - x) + eps) (equations.md (N6)). Its weight depends on x, so it is no
/// likelihood and bounds none.
/// The larger eps, the less a pixel near 0 or 1 counts; what that does to the code is (G9), measured beside paper 4's figure 7.
/// </summary>
internal sealed class WeightedNoise(double epsilon = WeightedNoise.DefaultEpsilon) : NoiseModel
{
    /// <summary>eps of the paper's CIFAR-10 run.</summary>
    public const double DefaultEpsilon = 0.02;

    public override string Name => "weighted";

    public override bool IsLikelihood => false;

    /// <summary>The term keeps the name "nll", which every reconstruction term has; it is not normalised.</summary>
    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded) =>
        new("nll", 0.5f * ((x - decoded).Square() / (x * (1 - x) + (float)epsilon)).SumPerRow());

    /// <summary>The mean: what is no likelihood cannot be drawn from.</summary>
    public override Tensor Sample(Tensor decoded, Rng rng) => decoded;
}
