using VaeFromScratch.Engine;

namespace VaeFromScratch.Models.Distributions;

/// <summary>q(z|x) = N(mu, diag exp(logVar)), one per image.</summary>
/// <param name="Mu">[B, H].</param>
/// <param name="LogVar">log sigma^2, [B, H].</param>
public sealed record DiagonalGaussian(Tensor Mu, Tensor LogVar)
{
    /// <summary>A reparameterised sample with its KL to the unit Gaussian (equations.md (V1), (V2)).</summary>
    public GaussianSample Sample(Rng rng) => Ops.Reparameterise(Mu, LogVar, rng);
}
