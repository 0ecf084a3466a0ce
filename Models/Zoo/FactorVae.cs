using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="FactorVae"/>.</summary>
internal sealed record FactorVaeSettings
{
    [Setting("weight of the total correlation", Least = 0)]
    public double Gamma { get; init; } = 35;

    [SettingGroup]
    public DiscriminatorSettings Discriminator { get; init; } = new();
}

/// <summary>
/// FactorVAE of Kim and Mnih (2018): NLL + KL + gamma TC, where TC is the mean log-odds of a discriminator between codes and codes whose
/// factors come from
/// different images (equations.md (X6)).
/// </summary>
internal sealed class FactorVae : VaeModel, ICatalogued
{
    private readonly FactorVaeSettings settings;
    private readonly Discriminator discriminator;
    private readonly ParameterArena arena;
    private readonly ColumnShuffle shuffle;
    private Tensor? z;

    public FactorVae(VaeParts parts, FactorVaeSettings settings) : base(parts)
    {
        this.settings = settings;
        discriminator = new(Latents, settings.Discriminator, Rng.Seed);
        arena = new(Compute, discriminator.Parameters);
        shuffle = new(Compute, parts.Batch, Latents, Rng.Seed);
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<FactorVaeSettings>("factor-vae", (parts, settings) => new FactorVae(parts, settings), "paper 5; Kim and Mnih 2018",
            "(X6)",
            [("latents", 10), ("learning_rate", 1e-4)]),
    ];

    public override IReadOnlyList<TrainingPhase> Phases =>
    [
        .. base.Phases,
        new("discriminator", arena, DiscriminatorObjective, settings.Discriminator.Optimiser),
    ];

    public override bool UsesSecondBatch => true;

    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        z = sample.Z;
        return Reconstruction(x, Decode(z)) + Kl(sample) + settings.Gamma * new Term("tc", discriminator.Forward(z));
    }

    public override void BeforeStep(uint step, int images) => shuffle.Draw(step, images);

    public override void Dispose()
    {
        shuffle.Dispose();
        arena.Dispose();
        base.Dispose();
    }

    /// <summary>The codes of the phase before against codes of a second batch, permuted per factor; both as constants.</summary>
    private Objective DiscriminatorObjective(TrainingBatch batch)
    {
        var permuted = shuffle.Apply(Encode(batch.Second!).Sample(Rng).Z);
        return LogisticLoss.Discriminator(discriminator.Forward(z!.Detach()), discriminator.Forward(permuted));
    }
}
