using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="JointBetaVae"/>.</summary>
internal sealed record JointBetaVaeSettings : JointSettings
{
    [SettingGroup]
    public BetaVaeSettings Weight { get; init; } = new();
}

/// <summary>The beta-VAE with a category, as paper 3 compares it: NLL + beta (KL_z + KL_c) (equations.md (V3), (C2)).</summary>
internal sealed class JointBetaVae : JointModel, ICatalogued
{
    private readonly Coefficient beta;

    public JointBetaVae(VaeParts parts, JointBetaVaeSettings settings) : base(parts, settings.Category) =>
        beta = WarmedUp(settings.Weight.Beta, settings.Weight.KlWarmUpEpochs);

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<JointBetaVaeSettings>("beta-vae", (parts, settings) => new JointBetaVae(parts, settings), "papers 3, 5",
            "(V3), (C2)") with
        {
            Code = CodeKind.Joint,
            Recipes = JointRecipes.OfBetaVae,
        },
    ];

    protected override Objective Objective(Tensor x, JointSample sample) =>
        Reconstruction(x, Decode(sample)) + beta * Kl(sample) + 0 * CategoryKl(sample);
}
