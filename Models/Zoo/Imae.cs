using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// IMAE of paper 3: NLL + beta_z sum_h KL(p(z_h) || r) - beta_y I(x; y) + gamma TC(y; z) + lambda VAT (equations.md (S1)); beta_y and lambda are the encoder's
/// information and the adversary of <see cref="JointSettings"/>.
/// </summary>
public sealed class Imae(VaeParts parts, JointSettings settings, double betaZ, double gamma, MinibatchEstimate estimate) : JointModel(parts, settings)
{
    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var aggregate = new AggregatePosterior(sample.Z, sample.Sample.Z, estimate, TrainingImages, sample.C, sample.Y);
        return Reconstruction(x, Decode(sample)) + 0 * Kl(sample) + betaZ * aggregate.MarginalKl + gamma * aggregate.TotalCorrelation + 0 * aggregate.MutualInformation;
    }
}
