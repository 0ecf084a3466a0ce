using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="AdversarialVae"/>.</summary>
internal sealed record AdversarialVaeSettings
{
    [Setting("weight of the adversarial term", Least = 0)]
    public double Lambda { get; init; } = 10;

    [SettingGroup]
    public DiscriminatorSettings Discriminator { get; init; } = new();
}

/// <summary>
/// An autoencoder whose codes a discriminator compares with draws of the prior (equations.md (X9)): cost + lambda (-log D(z)), the
/// encoder's loss not saturating.
/// WAE-GAN of Tolstikhin et al. (2018) with the squared error as cost and lambda 10; the adversarial autoencoder of Makhzani et al. (2016)
/// with lambda 1.
/// </summary>
/// <remarks>
/// The first kind of the discriminator is the prior. The encoder is Gaussian; the KL of each image is logged, not charged.
/// </remarks>
internal sealed class AdversarialVae : VaeModel, ICatalogued
{
    private readonly AdversarialVaeSettings settings;
    private readonly Discriminator discriminator;
    private readonly ParameterArena arena;
    private Tensor? z;

    public AdversarialVae(VaeParts parts, AdversarialVaeSettings settings) : base(parts)
    {
        this.settings = settings;
        discriminator = new(Latents, settings.Discriminator, Rng.Seed);
        arena = new(Compute, discriminator.Parameters);
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<AdversarialVaeSettings>("wae-gan", (parts, settings) => new AdversarialVae(parts, settings),
            "paper 5; Tolstikhin et al. 2018", "(X9)",
            [("noise", "fixed:0.5"), ("latents", 8), ("discriminator", "512,512,512,512"), ("discriminator_learning_rate", 5e-4)]),
        ModelEntry.Of<AdversarialVaeSettings>("aae", (parts, settings) => new AdversarialVae(parts, settings),
            "paper 5; Makhzani et al. 2016", "(X9)",
            [("noise", "fixed:0.5"), ("latents", 8), ("lambda", 1), ("discriminator", "1000,1000"), ("discriminator_learning_rate", 1e-3)]),
    ];

    public override IReadOnlyList<TrainingPhase> Phases =>
    [
        .. base.Phases,
        new("discriminator", arena, _ => DiscriminatorObjective(), settings.Discriminator.Optimiser),
    ];

    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        z = sample.Z;
        var adversarial = new Term("adversarial", LogisticLoss.First(discriminator.Forward(z)));
        return Reconstruction(x, Decode(z)) + 0 * Kl(sample) + settings.Lambda * adversarial;
    }

    public override void Dispose()
    {
        arena.Dispose();
        base.Dispose();
    }

    /// <summary>On the codes of the phase before, as constants.</summary>
    private Objective DiscriminatorObjective()
    {
        var codes = z!.Detach();
        return LogisticLoss.Discriminator(discriminator.Forward(Rng.Normal(codes.Shape)), discriminator.Forward(codes));
    }
}
