using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// The importance-weighted autoencoder of Burda et al. (2016): -log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), a bound of the NLL that tightens as K grows
/// (the bound that equations.md (M7) evaluates). NLL and KL of single samples are logged, not charged.
/// </summary>
public sealed class Iwae(VaeParts parts, int samples) : VaeModel(parts)
{
    /// <summary>Each image is decoded K times.</summary>
    public override int EvaluationBatch => Math.Max(1, base.EvaluationBatch / samples);

    public override Objective Objective(Tensor x)
    {
        var posterior = Encode(x);
        var q = posterior.Repeat(samples);
        var sample = q.Sample(Rng);
        var reconstruction = Reconstruction(x.RepeatRows(samples).Reshape([-1, .. x.Shape.Sizes[1..]]), Decode(sample.Z));
        var logWeights = -(reconstruction.Value + q.LogRatioToPrior(sample.Z));
        var bound = new Term("iwae", MathF.Log(samples) - logWeights.Reshape(samples, -1).LogSumExp(0));
        return bound + 0 * reconstruction + 0 * Kl(sample);
    }
}
