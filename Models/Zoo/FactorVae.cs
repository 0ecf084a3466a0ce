using VaeFromScratch.Engine;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// FactorVAE of Kim and Mnih (2018): NLL + KL + gamma TC, where TC is the mean log-odds of a discriminator between codes and codes whose factors come from
/// different images (equations.md (X6)).
/// </summary>
public sealed class FactorVae : VaeModel
{
    private readonly double gamma;
    private readonly DiscriminatorSettings settings;
    private readonly Discriminator discriminator;
    private readonly ParameterArena arena;
    private readonly ColumnShuffle shuffle;
    private Tensor? z;

    /// <param name="largestBatch">The most images a training step has.</param>
    public FactorVae(VaeParts parts, double gamma, DiscriminatorSettings settings, int largestBatch) : base(parts)
    {
        (this.gamma, this.settings) = (gamma, settings);
        discriminator = new(Latents, settings);
        arena = new(Compute, discriminator.Parameters);
        shuffle = new(Compute, largestBatch, Latents, Rng.Seed);
    }

    public override IReadOnlyList<TrainingPhase> Phases =>
    [
        .. base.Phases,
        new("discriminator", arena, DiscriminatorObjective, new(settings.LearningRate, DiscriminatorSettings.Beta1, DiscriminatorSettings.Beta2)),
    ];

    public override bool UsesSecondBatch => true;

    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        z = sample.Z;
        return Reconstruction(x, Decode(z)) + Kl(sample) + gamma * new Term("tc", discriminator.Forward(z));
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
