using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="WaeMmd"/>.</summary>
internal sealed record WaeMmdSettings
{
    [Setting("weight of the MMD", Least = 0)]
    public double Lambda { get; init; } = 10;
}

/// <summary>
/// The Wasserstein autoencoder with MMD of Tolstikhin et al. (2018): cost + lambda MMD^2(q(z), p(z)) (equations.md (X8)). The cost is the
/// noise model's NLL, which
/// with fixed:0.5 is the squared error and a constant.
/// </summary>
/// <remarks>
/// The encoder is the Gaussian one that all models share, so that information is defined; the KL of each image is logged, not charged.
/// </remarks>
internal sealed class WaeMmd(VaeParts parts, WaeMmdSettings settings) : VaeModel(parts), ICatalogued
{
    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<WaeMmdSettings>("wae-mmd", (parts, settings) => new WaeMmd(parts, settings), "paper 5; Tolstikhin et al. 2018",
            "(X8)",
            [("noise", "fixed:0.5"), ("latents", 8)]),
    ];

    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample) + settings.Lambda * Mmd(sample.Z);
    }
}
