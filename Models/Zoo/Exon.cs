using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Zoo;

/// <summary>What an EXoN is trained with beyond its networks.</summary>
/// <param name="Lambda1">Weight of the labels' cross-entropy beyond the 1 that the bound gives it.</param>
/// <param name="Temperature">Of the Gumbel-softmax relaxation of the component.</param>
/// <param name="Mixup">Whether the classifier also learns from mixtures of labelled and of unlabelled images.</param>
/// <param name="RampEpochs">Over which the weight of unlabelled mixtures grows to lambda_1.</param>
/// <param name="Pretraining">How the classifier is trained on labels alone beforehand; null for not at all.</param>
/// <param name="Motion">How far every training image is moved at random; null for not at all.</param>
public sealed record ExonSettings(double Lambda1, double Temperature, bool Mixup, double RampEpochs, Pretraining? Pretraining, int LargestBatch, int LabelledBatch, Motion? Motion);

/// <summary>
/// EXoN of paper 4: NLL + lambda_2 D / (2 b) + KL^u + (lambda_1 + 1) CE, a mixture posterior against a mixture prior whose centres the user designs, one for each
/// class; the cross-entropy is of the labelled images, all else of labelled and unlabelled ones (equations.md (G2), (G3)).
/// </summary>
/// <remarks>With mixup it is the recipe that reaches the published error: (G8). Pseudo-labels of unlabelled images are the classifier's own, as constants.</remarks>
public sealed class Exon : VaeModel
{
    private const double LabelledAlpha = 0.1, UnlabelledAlpha = 2;

    private readonly MixtureEncoder encoder;
    private readonly MixturePrior prior;
    private readonly ExonSettings settings;
    private readonly Tensor temperature, ramp;
    private readonly Augmentation? augmentation;
    private readonly Mixup? labelledMixup, unlabelledMixup;

    public Exon(VaeParts parts, MixtureEncoder encoder, LatentDesign design, ExonSettings settings) : base(parts)
    {
        (this.encoder, this.settings) = (encoder, settings);
        prior = new(Compute, design);
        temperature = Compute.Allocate(Shape.Scalar, [(float)settings.Temperature]);
        ramp = Scheduled(Schedules.RampUp(1, settings.RampEpochs));
        augmentation = settings.Motion is { } motion ? new(Compute, motion) : null;
        if (settings.Mixup)
        {
            labelledMixup = new(Compute, settings.LabelledBatch, LabelledAlpha, Rng.Seed, draw: 0);
            unlabelledMixup = new(Compute, settings.LargestBatch, UnlabelledAlpha, Rng.Seed, draw: 1);
        }
    }

    public override int Classes => prior.Components;

    public override MixturePrior Prior => prior;

    public override IReadOnlyList<TrainingPhase> Phases => [new("vae", Arena, Objective)];

    public override Pretraining? Pretraining => settings.Pretraining;

    /// <summary>Without labels: the bound alone.</summary>
    public override Objective Objective(Tensor x) => Bound(x, Posterior(x));

    public override Tensor ClassLogits(Tensor x) => encoder.Classify(x);

    /// <summary>The mixture posterior of each image.</summary>
    public GaussianMixture Posterior(Tensor x) => encoder.Encode(x, prior.Centres);

    public override Tensor PriorCodes(int count, Rng rng) => prior.Draw(count, rng);

    public override DiagonalGaussian Encode(Tensor x) => Posterior(x).MostProbable();

    public override void BeforeStep(uint step, int images)
    {
        labelledMixup?.Draw(step, settings.LabelledBatch);
        unlabelledMixup?.Draw(step, images);
    }

    public override void Dispose()
    {
        augmentation?.Dispose();
        labelledMixup?.Dispose();
        unlabelledMixup?.Dispose();
        Compute.Free(temperature);
        prior.Dispose();
        base.Dispose();
    }

    private Objective Objective(TrainingBatch batch)
    {
        var y = batch.Labelled!.Labels;
        int unlabelledCount = batch.Images.Shape[0], labelledCount = y.Shape[0];
        var x = Moved(Ops.Concat(0, batch.Images, batch.Labelled.Images));
        if (!settings.Mixup)
        {
            var q = Posterior(x);
            return Bound(x, q) + (settings.Lambda1 + 1) * CrossEntropy("classification", y, q.Logits.Slice(0, unlabelledCount, labelledCount));
        }

        // Mixtures are of images under another motion than those that the pseudo-labels are of, so that the classifier also learns that motions change no class. One pass over originals and
        // mixtures gives batch normalisation one set of statistics.
        var mixedLabelled = labelledMixup!.Apply(Moved(batch.Labelled.Images));
        var mixedUnlabelled = unlabelledMixup!.Apply(Moved(batch.Images));
        var logits = encoder.Classify(Ops.Concat(0, x, mixedLabelled, mixedUnlabelled));
        int originals = unlabelledCount + labelledCount;
        var ofOriginals = logits.Slice(0, 0, originals);
        var pseudoLabels = unlabelledMixup.Apply(ofOriginals.Slice(0, 0, unlabelledCount).Softmax().Detach());
        var posterior = encoder.Encode(x, prior.Centres, ofOriginals);
        return Bound(x, posterior)
            + (settings.Lambda1 + 1) * CrossEntropy("classification", y, ofOriginals.Slice(0, unlabelledCount, labelledCount))
            + settings.Lambda1 * CrossEntropy("mixup_labelled", labelledMixup.Apply(y), logits.Slice(0, originals, labelledCount))
            + new Coefficient(settings.Lambda1, ramp) * CrossEntropy("mixup_unlabelled", pseudoLabels, logits.Slice(0, originals + labelledCount, unlabelledCount));
    }

    private Tensor Moved(Tensor x) => augmentation?.Apply(x, Rng) ?? x;

    /// <summary>NLL + lambda_2 D / (2 b) + KL^u; the component is relaxed in training and drawn exactly elsewhere.</summary>
    private Objective Bound(Tensor x, GaussianMixture q)
    {
        var z = Tape.Current!.Training ? q.RelaxedSample(temperature, Rng) : q.Sample(Rng);
        var categoryKl = q.CategoryKl(prior);
        var kl = new Term("kl", categoryKl + q.ComponentKl(prior));
        var bound = Reconstruction(x, Decode(z)) + kl + 0 * new Term("kl_category", categoryKl);
        return Noise.Penalty(Image.Pixels) is { } penalty ? bound + penalty : bound;
    }

    /// <summary>-sum_k y_k log w(k|x), nats, [B].</summary>
    private static Term CrossEntropy(string name, Tensor y, Tensor logits) => new(name, -(y * logits.LogSoftmax()).SumPerRow());
}
