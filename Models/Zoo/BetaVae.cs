using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="BetaVae"/>.</summary>
internal sealed record BetaVaeSettings
{
    [Setting("weight of the KL term", Least = 0)]
    public double Beta { get; init; } = 10;

    /// <remarks>Without it, some seeds with beta 10 collapse for good: Models/README.md has the measurement.</remarks>
    [Setting("epochs over which beta grows linearly from 0; 0 for no warm-up", Least = 0, MayChange = true)]
    public double KlWarmUpEpochs { get; init; } = 1;
}

/// <summary>
/// The beta-VAE of papers 1 and 2, and with beta 1 the VAE: NLL + beta sum_h KL (equations.md (V3)).
/// </summary>
internal sealed class BetaVae : VaeModel, ICatalogued
{
    private readonly Coefficient beta;

    public BetaVae(VaeParts parts, BetaVaeSettings settings) : base(parts) =>
        beta = WarmedUp(settings.Beta, settings.KlWarmUpEpochs);

    /// <summary>
    /// What papers 1 and 2 say of their data sets, in their tables of networks: of CelebA, DEAP and Yale B it is the default, of MNIST,
    /// where they train for 200 epochs,
    /// it has to be asked for.
    /// </summary>
    private static IReadOnlyList<Recipe> PaperRecipes { get; } =
    [
        new("paper", "mnist", [("beta", 10), ("kl_warm_up_epochs", 0), ("limit", 42_000), ("epochs", 200)]) { OnRequest = true },
        new("paper", "celeba", [("beta", 40), ("noise", "mog:2"), ("learning_rate", 1e-4), ("epochs", 20)]),
        new("paper", "deap", [("beta", 6), ("learning_rate", 1e-4), ("epochs", 300)]),
        new("paper", "yale-b", [("beta", 120), ("learning_rate", 1e-4), ("epochs", 2002)]),
    ];

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<BetaVaeSettings>("beta-vae", (parts, settings) => new BetaVae(parts, settings),
            "papers 1, 2, 3; Higgins et al. 2017", "(V3)") with
        {
            Recipes = PaperRecipes,
        },
        ModelEntry.Of<BetaVaeSettings>("vae", (parts, settings) => new BetaVae(parts, settings), "papers 1, 2; Kingma and Welling 2014",
            "(V3) with beta 1",
            [("beta", 1)]),
    ];

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + beta * Kl(sample);
    }
}
