using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="BetaTcVae"/>.</summary>
internal sealed record BetaTcVaeSettings
{
    [Setting("alpha, weight of the information between code and image", Least = 0)]
    public double MiWeight { get; init; } = 1;

    [Setting("weight of the total correlation", Least = 0)]
    public double Beta { get; init; } = 6;

    [Setting("weight of the marginal KL", Least = 0)]
    public double Gamma { get; init; } = 1;

    [Setting("how a batch stands for the data in estimates of q(z)")]
    public MinibatchEstimate Estimate { get; init; } = MinibatchEstimate.Stratified;
}

/// <summary>
/// The beta-TCVAE of Chen et al. (2018): NLL + alpha I(z; n) + beta TC(z) + gamma sum_h KL(q(z_h) || N(0, 1)) (equations.md (X5)). The KL
/// of each image is logged.
/// </summary>
internal sealed class BetaTcVae(VaeParts parts, BetaTcVaeSettings settings) : VaeModel(parts), ICatalogued
{
    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<BetaTcVaeSettings>("beta-tcvae", (parts, settings) => new BetaTcVae(parts, settings), "paper 5; Chen et al. 2018",
            "(X5), (X4)",
            [("latents", 10)]),
    ];

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var aggregate = new AggregatePosterior(q, sample.Z, settings.Estimate, TrainingImages);
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample)
            + settings.MiWeight * aggregate.MutualInformation + settings.Beta * aggregate.TotalCorrelation
                + settings.Gamma * aggregate.MarginalKl;
    }
}
