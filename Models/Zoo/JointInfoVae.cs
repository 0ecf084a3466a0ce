using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// InfoVAE with a category, as paper 3 compares it, without both mutual-information terms: NLL + beta (KL(q(y) || r) + sum_h KL(q(z_h) || r)), r uniform and N(0, 1)
/// (equations.md (C5)), estimated as in (X2).
/// </summary>
public sealed class JointInfoVae(VaeParts parts, JointSettings settings, double beta, MinibatchEstimate estimate) : JointModel(parts, settings)
{
    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var aggregate = new AggregatePosterior(sample.Z, sample.Sample.Z, estimate, TrainingImages, sample.C, sample.Y);
        var categoryKl = new Term("kl_marginal_category", MathF.Log(Categories) - sample.C.EntropyOfMean());
        return Reconstruction(x, Decode(sample)) + 0 * Kl(sample) + beta * categoryKl + beta * aggregate.MarginalKl + 0 * aggregate.TotalCorrelation;
    }
}
