using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>
/// The weighted square of paper 4 (13): 1/2 sum_d (x - g)^2 / (x (1 - x) + eps), eps = 0.02 (equations.md (N6)). Its weight depends on x, so it is no likelihood and
/// bounds none.
/// </summary>
public sealed class WeightedNoise : NoiseModel
{
    private const float Epsilon = 0.02f;

    public override string Name => "weighted";

    public override bool IsLikelihood => false;

    /// <summary>The term keeps the name "nll", which every reconstruction term has; it is not normalised.</summary>
    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded) =>
        new("nll", 0.5f * ((x - decoded).Square() / (x * (1 - x) + Epsilon)).SumPerRow());

    /// <summary>The mean: what is no likelihood cannot be drawn from.</summary>
    public override Tensor Sample(Tensor decoded, Rng rng) => decoded;
}
