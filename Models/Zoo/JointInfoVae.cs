using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="JointInfoVae"/>.</summary>
internal sealed record JointInfoVaeSettings : JointSettings
{
    [Setting("weight of the KLs of category and factors to the prior", Least = 0)]
    public double Beta { get; init; } = 5;

    [Setting("how a batch stands for the data in estimates of q(z)")]
    public MinibatchEstimate Estimate { get; init; }
}

/// <summary>
/// InfoVAE with a category, as paper 3 compares it, without both mutual-information terms: NLL + beta (KL(q(y) || r) + KL(q(z) || r)) with
/// the vector z, r uniform
/// and N(0, I) (equations.md (C5)), estimated as in (X1).
/// </summary>
internal sealed class JointInfoVae(VaeParts parts, JointInfoVaeSettings settings) : JointModel(parts, settings.Category), ICatalogued
{
    private readonly double beta = settings.Beta;
    private readonly MinibatchEstimate estimate = settings.Estimate;

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<JointInfoVaeSettings>("info-vae", (parts, settings) => new JointInfoVae(parts, settings),
            "papers 3, 5; Zhao et al. 2017", "(C5)") with
        {
            Code = CodeKind.Joint,
            Recipes = JointRecipes.OfInfoVae,
        },
    ];

    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var factors = new AggregatePosterior(sample.Z, sample.Sample.Z, estimate, TrainingImages);
        var code = new AggregatePosterior(sample.Z, sample.Sample.Z, estimate, TrainingImages, sample.C, sample.Y);
        var categoryKl = new Term("kl_marginal_category", MathF.Log(Categories) - sample.C.EntropyOfMean());
        return Reconstruction(x, Decode(sample)) + 0 * Kl(sample) + beta * categoryKl + beta * factors.AggregateKl
            + 0 * factors.MarginalKl + 0 * code.TotalCorrelation;
    }
}
