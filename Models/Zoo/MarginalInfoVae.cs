using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// InfoVAE as paper 3 compares it, without both mutual-information terms: NLL + beta sum_h KL(q(z_h) || N(0, 1)) (equations.md (C5)), estimated as in (X2).
/// The KL of each image, the information and the total correlation are logged, not charged.
/// </summary>
public sealed class MarginalInfoVae(VaeParts parts, double beta, MinibatchEstimate estimate) : VaeModel(parts)
{
    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var aggregate = new AggregatePosterior(q, sample.Z, estimate, TrainingImages);
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample) + beta * aggregate.MarginalKl + 0 * aggregate.MutualInformation + 0 * aggregate.TotalCorrelation;
    }
}
