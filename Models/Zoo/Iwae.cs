using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="Iwae"/>.</summary>
internal sealed record IwaeSettings
{
    [Setting("K, codes for each image", Least = 1)]
    public int Samples { get; init; } = 50;
}

/// <summary>
/// The importance-weighted autoencoder of Burda et al. (2016): -log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), a bound of the NLL that tightens
/// as K grows
/// (the bound that equations.md (M7) evaluates). A variance in closed form weighs samples by importance, as the bound's gradient does. NLL
/// and KL of single samples are logged, not charged.
/// </summary>
internal sealed class Iwae(VaeParts parts, int samples) : VaeModel(parts), ICatalogued
{
    public static IReadOnlyList<ModelEntry> Entries { get; } =
        [ModelEntry.Of<IwaeSettings>("iwae", (parts, settings) => new Iwae(parts, settings.Samples), "Burda et al. 2016",
            "the bound of (M7) with K samples")];

    /// <summary>Each image is decoded K times.</summary>
    public override int EvaluationBatch => Math.Max(1, base.EvaluationBatch / samples);

    public override Objective Objective(Tensor x)
    {
        var posterior = Encode(x);
        var q = posterior.Repeat(samples);
        var sample = q.Sample(Rng);
        var reconstruction = Reconstruction(x.RepeatRows(samples).Reshape([-1, .. x.Shape.Sizes[1..]]), Decode(sample.Z));
        var logWeights = -(reconstruction.Value + q.LogRatioToPrior(sample.Z));
        var byImage = logWeights.Reshape(samples, -1);
        var total = byImage.LogSumExp(0);
        var bound = new Term("iwae", MathF.Log(samples) - total);
        // At the best sigma^2 the bound's gradient weighs each sample's squared error by its share of the importance.
        Noise.Weigh(samples * (byImage - total).Exp().Reshape(logWeights.Length));
        return bound + 0 * reconstruction + 0 * Kl(sample);
    }
}
