using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Which of the readings of InfoVAE is trained.</summary>
internal enum InfoVaeReading
{
    /// <summary>As its authors have it: <see cref="InfoVae"/>.</summary>
    Mmd,
    /// <summary>As paper 3 compares it, on the marginal q(z) of the whole code: <see cref="MarginalInfoVae"/>.</summary>
    Marginal,
}

/// <summary>Settings of <see cref="InfoVae"/> and <see cref="MarginalInfoVae"/>.</summary>
internal sealed record InfoVaeSettings
{
    [Setting("which InfoVAE: mmd (Zhao et al.) or marginal (as paper 3 compares it)")]
    public InfoVaeReading Reading { get; init; }

    [Setting("alpha of the mmd reading: 1 - alpha weighs the KL")]
    public double InfoAlpha { get; init; }

    [Setting("weight of the MMD, with the mmd reading", Least = 0)]
    public double Lambda { get; init; } = 1000;

    [Setting("weight of KL(q(z) || p), with the marginal reading", Least = 0)]
    public double Beta { get; init; } = 5;

    [Setting("how a batch stands for the data in estimates of q(z), with the marginal reading")]
    public MinibatchEstimate Estimate { get; init; }
}

/// <summary>
/// InfoVAE by Zhao et al. (2017), equation 6: NLL + (1 - alpha) KL + (alpha + lambda - 1) MMD^2(q(z), p(z)), MMD as in equations.md (X8).
/// </summary>
internal sealed class InfoVae(VaeParts parts, double alpha, double lambda) : VaeModel(parts), ICatalogued
{
    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<InfoVaeSettings>("info-vae",
            (parts, s) => s.Reading == InfoVaeReading.Mmd ? new InfoVae(parts, s.InfoAlpha, s.Lambda)
                : new MarginalInfoVae(parts, s.Beta, s.Estimate),
            "papers 3, 5; Zhao et al. 2017", "(X8) with the mmd reading, (C5) with the marginal one"),
    ];

    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + (1 - alpha) * Kl(sample) + (alpha + lambda - 1) * Mmd(sample.Z);
    }
}
