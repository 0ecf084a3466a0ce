using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="DipVae"/>.</summary>
internal sealed record DipVaeSettings
{
    [Setting("weight of the off-diagonal covariances", Least = 0)]
    public double LambdaOffDiagonal { get; init; } = 10;

    [Setting("weight of the variances' distance to 1", Least = 0)]
    public double LambdaDiagonal { get; init; } = 10;
}

/// <summary>
/// DIP-VAE of Kumar et al. (2018): NLL + KL + lambda_od sum_{i != j} Cov_ij^2 + lambda_d sum_i (Cov_ii - 1)^2, where Cov is the covariance
/// of mu (I) or of z (II)
/// (equations.md (X7)).
/// </summary>
internal sealed class DipVae(VaeParts parts, DipVaeSettings settings, bool ofSamples) : VaeModel(parts), ICatalogued
{
    private const string Paper = "paper 5; Kumar et al. 2018";

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<DipVaeSettings>("dip-vae-i", (parts, settings) => new DipVae(parts, settings, ofSamples: false), Paper, "(X7)",
            [("latents", 10), ("lambda_diagonal", 100)]),
        ModelEntry.Of<DipVaeSettings>("dip-vae-ii", (parts, settings) => new DipVae(parts, settings, ofSamples: true), Paper, "(X7)",
            [("latents", 10)]),
    ];

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var penalty = new CovariancePenalty(q, ofSamples);
        return Reconstruction(x, Decode(sample.Z)) + Kl(sample) + settings.LambdaOffDiagonal * penalty.OffDiagonal
            + settings.LambdaDiagonal * penalty.Diagonal;
    }
}
