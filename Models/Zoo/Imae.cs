using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="Imae"/>.</summary>
internal sealed record ImaeSettings : JointSettings
{
    [Setting("beta_z, weight of the marginal KL of the factors", Least = 0)]
    public double Beta { get; init; } = 5;

    [Setting("weight of the total correlation between category and factors", Least = 0)]
    public double Gamma { get; init; } = 4;

    [Setting("how a batch stands for the data in estimates of q(z)")]
    public MinibatchEstimate Estimate { get; init; } = MinibatchEstimate.Stratified;
}

/// <summary>
/// IMAE of paper 3: NLL + beta_z sum_h KL(p(z_h) || r) - beta_y I(x; y) + gamma TC(y; z) + lambda VAT (equations.md (S1)); beta_y and
/// lambda are the encoder's
/// information and the adversary of <see cref="CategorySettings"/>.
/// </summary>
internal sealed class Imae(VaeParts parts, ImaeSettings settings) : JointModel(parts, settings.Category), ICatalogued
{
    private readonly ImaeSettings settings = settings;

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<ImaeSettings>("imae", (parts, settings) => new Imae(parts, settings), "paper 3", "(S1)-(S3)") with
        {
            Code = CodeKind.Joint,
            Recipes = JointRecipes.OfImae,
        },
    ];

    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var aggregate = new AggregatePosterior(sample.Z, sample.Sample.Z, settings.Estimate, TrainingImages, sample.C, sample.Y);
        return Reconstruction(x, Decode(sample)) + 0 * Kl(sample) + settings.Beta * aggregate.MarginalKl
            + settings.Gamma * aggregate.TotalCorrelation + 0 * aggregate.MutualInformation;
    }
}
