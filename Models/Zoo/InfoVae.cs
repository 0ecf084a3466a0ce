using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// InfoVAE by Zhao et al. (2017), equation 6: NLL + (1 - alpha) KL + (alpha + lambda - 1) MMD^2(q(z), p(z)), MMD as in equations.md (X8).
/// </summary>
public sealed class InfoVae(VaeParts parts, double alpha, double lambda) : VaeModel(parts)
{
    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + (1 - alpha) * Kl(sample) + (alpha + lambda - 1) * Mmd(sample.Z);
    }
}
