using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// InfoVAE as paper 3 compares it, without the mutual-information term: NLL + beta KL(q(z) || N(0, I)) of the vector z, which is
/// TC(z) + sum_h KL(q(z_h) || N(0, 1)) (equations.md (C5)), estimated as in (X1). The KL of each image, its parts and the information are
/// logged, not charged.
/// </summary>
internal sealed class MarginalInfoVae(VaeParts parts, double beta, MinibatchEstimate estimate) : VaeModel(parts)
{
    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var aggregate = new AggregatePosterior(q, sample.Z, estimate, TrainingImages);
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample) + beta * aggregate.AggregateKl + 0 * aggregate.MarginalKl
            + 0 * aggregate.MutualInformation + 0 * aggregate.TotalCorrelation;
    }
}
