using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// The Wasserstein autoencoder with MMD of Tolstikhin et al. (2018): cost + lambda MMD^2(q(z), p(z)) (equations.md (X8)). The cost is the noise model's NLL, which
/// with fixed:0.5 is the squared error and a constant.
/// </summary>
/// <remarks>The encoder is the Gaussian one that all models share, so that information is defined; the KL of each image is logged, not charged.</remarks>
public sealed class WaeMmd(VaeParts parts, double lambda) : VaeModel(parts)
{
    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample) + lambda * Mmd(sample.Z);
    }
}
