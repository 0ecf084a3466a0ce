using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// The beta-TCVAE of Chen et al. (2018): NLL + alpha I(z; n) + beta TC(z) + gamma sum_h KL(q(z_h) || N(0, 1)) (equations.md (X5)). The KL of each image is logged.
/// </summary>
public sealed class BetaTcVae(VaeParts parts, double alpha, double beta, double gamma, MinibatchEstimate estimate) : VaeModel(parts)
{
    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var aggregate = new AggregatePosterior(q, sample.Z, estimate, TrainingImages);
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample)
            + alpha * aggregate.MutualInformation + beta * aggregate.TotalCorrelation + gamma * aggregate.MarginalKl;
    }
}
