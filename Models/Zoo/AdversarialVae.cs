using VaeFromScratch.Engine;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// An autoencoder whose codes a discriminator compares with draws of the prior (equations.md (X9)): cost + lambda (-log D(z)), the encoder's loss not saturating.
/// WAE-GAN of Tolstikhin et al. (2018) with the squared error as cost and lambda 10; the adversarial autoencoder of Makhzani et al. (2016) with lambda 1.
/// </summary>
/// <remarks>The first kind of the discriminator is the prior. The encoder is Gaussian; the KL of each image is logged, not charged.</remarks>
public sealed class AdversarialVae : VaeModel
{
    private readonly double lambda;
    private readonly DiscriminatorSettings settings;
    private readonly Discriminator discriminator;
    private readonly ParameterArena arena;
    private Tensor? z;

    public AdversarialVae(VaeParts parts, double lambda, DiscriminatorSettings settings) : base(parts)
    {
        (this.lambda, this.settings) = (lambda, settings);
        discriminator = new(Latents, settings);
        arena = new(Compute, discriminator.Parameters);
    }

    public override IReadOnlyList<TrainingPhase> Phases =>
    [
        .. base.Phases,
        new("discriminator", arena, _ => DiscriminatorObjective(), new(settings.LearningRate, DiscriminatorSettings.Beta1, DiscriminatorSettings.Beta2)),
    ];

    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        z = sample.Z;
        var adversarial = new Term("adversarial", LogisticLoss.First(discriminator.Forward(z)));
        return Reconstruction(x, Decode(z)) + 0 * Kl(sample) + lambda * adversarial;
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
        return LogisticLoss.Discriminator(discriminator.Forward(Rng.Draw(Distribution.Normal, codes.Shape)), discriminator.Forward(codes));
    }
}
