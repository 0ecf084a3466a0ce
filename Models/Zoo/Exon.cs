using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="Exon"/>.</summary>
internal sealed record ExonSettings : IModelSettings
{
    [Setting("training images whose labels the model may see, as many of each class; 0 for all", Least = 0)]
    public int Labels { get; init; }

    [Setting("labelled images in each step, beside the batch of all images without labels", Least = 1)]
    public int LabelledBatch { get; init; } = 100;

    [Setting("where the classes lie in the latent space", Expected = LatentDesign.Expected)]
    public string Design { get; init; } = "circle";

    [Setting("weight of the labels' cross-entropy beyond the 1 that the bound gives it", Least = 0)]
    public double Lambda1 { get; init; } = 100;

    [Setting("weight of the penalty on a small learned variance, squared pixel units; 0 for none", Least = 0)]
    public double Lambda2 { get; init; }

    [Setting("what says of which class an image is: shared (a head on the encoder), conv (strided convolutions) or pool (with maximum "
        + "pooling)", Expected = ClassifierKind.Expected)]
    public ClassifierKind Classifier { get; init; } = new("shared");

    [Setting("passes over the labelled images that train the classifier alone before all else", Least = 0)]
    public int PretrainingEpochs { get; init; }

    [Setting("learning rate of the classifier's pre-training", Above = 0, MayChange = true)]
    public double PretrainingLearningRate { get; init; } = 2e-3;

    [Setting("whether the classifier learns from mixtures of images, too; it must be a network of its own")]
    public bool Mixup { get; init; }

    [Setting("epochs over which the weight of mixtures of unlabelled images grows to its full size", Least = 0)]
    public double RampEpochs { get; init; } = 10;

    [Setting("temperature of the Gumbel-softmax relaxation of the component", Above = 0)]
    public double Temperature { get; init; } = 1;

    [Setting("1 moves every training image at random, 0 none", Least = 0)]
    public double Augment { get; init; }

    [SettingGroup("augment_")]
    public Motion Motion { get; init; } = new();

    double IModelSettings.NoisePenalty => Lambda2;

    int IModelSettings.Components(int latents) => LatentDesign.Parse(Design, latents).Components;

    void IModelSettings.Check(RunConfiguration configuration)
    {
        LatentDesign.Parse(Design, configuration.Network.Latents);
        if (Mixup && Classifier.Name == "shared")
            throw new OptionException("mixup true: it mixes images for a classifier of its own; add --classifier conv");
    }
}

/// <summary>
/// EXoN of paper 4: NLL + lambda_2 D / (2 b) + KL^u + (lambda_1 + 1) CE, a mixture posterior against a mixture prior whose centres the user
/// designs, one for each
/// class; the cross-entropy is of the labelled images, all else of labelled and unlabelled ones (equations.md (G2), (G3)).
/// </summary>
/// <remarks>
/// With mixup it is the recipe that reaches the published error: (G8). Pseudo-labels of unlabelled images are the classifier's own, as
/// constants.
/// </remarks>
internal sealed class Exon : VaeModel, IHasDesign, ICatalogued
{
    private const double LabelledAlpha = 0.1, UnlabelledAlpha = 2;

    private readonly MixtureEncoder encoder;
    private readonly MixturePrior prior;
    private readonly ExonSettings settings;
    private readonly Tensor temperature, ramp;
    private readonly Augmentation? augmentation;
    private readonly Mixup? labelledMixup, unlabelledMixup;

    private Exon(VaeParts parts, Module classifier, ExonSettings settings) : base(parts with { Further = classifier })
    {
        this.settings = settings;
        encoder = new(parts.Encoder, classifier, ownClassifier: settings.Classifier.Name != "shared");
        prior = new(Compute, LatentDesign.Parse(settings.Design, Latents));
        temperature = Compute.Allocate(Shape.Scalar, [(float)settings.Temperature]);
        ramp = Scheduled(Schedules.RampUp(1, settings.RampEpochs));
        augmentation = settings.Augment > 0 ? new(Compute, settings.Motion) : null;
        if (settings.Mixup)
        {
            labelledMixup = new(Compute, settings.LabelledBatch, LabelledAlpha, Rng.Seed, draw: 0);
            unlabelledMixup = new(Compute, parts.Batch, UnlabelledAlpha, Rng.Seed, draw: 1);
        }
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<ExonSettings>("exon", Create, "paper 4; An et al. 2021", "(G3), with mixup (G8)") with { Recipes = ExonRecipes.All },
    ];

    public override bool HasStandardPrior => false;

    public int Classes => prior.Components;

    public (int Count, int Batch) Labelled => (settings.Labels, settings.LabelledBatch);

    public LatentDesign Design => prior.Design;

    public override IReadOnlyList<TrainingPhase> Phases => [new("vae", Arena, Objective)];

    public (int Epochs, double LearningRate)? Pretraining => settings.PretrainingEpochs > 0
        ? (settings.PretrainingEpochs, settings.PretrainingLearningRate) : null;

    /// <summary>Without labels: the bound alone.</summary>
    public override Objective Objective(Tensor x) => Bound(x, Posterior(x));

    public Tensor ClassLogits(Tensor x) => encoder.Classify(x);

    /// <summary>The mixture posterior of each image.</summary>
    public GaussianMixture Posterior(Tensor x) => encoder.Encode(x, prior.Centres);

    public override Tensor LogRatioToPrior(Posterior q, Tensor z, Tensor? y) => q.Z.LogDensity(z) - prior.LogDensity(z);

    public override Tensor PriorCodes(int count, Rng rng) => prior.Draw(count, rng);

    public override DiagonalGaussian Encode(Tensor x) => Posterior(x).MostProbable();

    internal override EncoderGraph DescribeEncoder() => encoder.Describe(NewImage(), prior.Centres.ToArray());

    public override void BeforeStep(uint step, int images)
    {
        labelledMixup?.Draw(step, settings.LabelledBatch / Shards);
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

    private static Exon Create(VaeParts parts, ExonSettings settings)
    {
        int classes = LatentDesign.Parse(settings.Design, parts.Latents).Components;
        // Draws of its own, so that the classifier does not change the initial weights of encoder and decoder ("clas" in ASCII).
        var init = new Initialise(parts.Rng.Seed, stream: 0x636c6173);
        return new(parts, settings.Classifier.Create(parts, classes, init), settings);
    }

    private Objective Objective(TrainingBatch batch)
    {
        var y = batch.Labelled!.Labels;
        int unlabelledCount = batch.Images.Shape[0], labelledCount = y.Shape[0];
        var x = Moved(Ops.Concat(0, batch.Images, batch.Labelled.Images));
        if (!settings.Mixup)
        {
            var q = Posterior(x);
            return Bound(x, q)
                + (settings.Lambda1 + 1) * CrossEntropy("classification", y, q.Logits.Slice(0, unlabelledCount, labelledCount));
        }

        // Mixtures are of images under another motion than those that the pseudo-labels are of, so that the classifier also learns that
        // motions change no class. One pass over originals and
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
            + new Coefficient(settings.Lambda1, ramp)
                * CrossEntropy("mixup_unlabelled", pseudoLabels, logits.Slice(0, originals + labelledCount, unlabelledCount));
    }

    private Tensor Moved(Tensor x) => augmentation?.Apply(x, Rng) ?? x;

    /// <summary>NLL + lambda_2 D / (2 b) + KL^u; the component is relaxed in training and drawn exactly elsewhere.</summary>
    private Objective Bound(Tensor x, GaussianMixture q)
    {
        var z = Tape.Current.Training ? q.RelaxedSample(temperature, Rng) : q.Sample(Rng);
        var categoryKl = q.CategoryKl(prior);
        var kl = new Term("kl", categoryKl + q.ComponentKl(prior));
        var bound = Reconstruction(x, Decode(z)) + kl + 0 * new Term("kl_category", categoryKl);
        return Noise.Penalty(Image.Pixels) is { } penalty ? bound + penalty : bound;
    }

    /// <summary>-sum_k y_k log w(k|x), nats, [B].</summary>
    private static Term CrossEntropy(string name, Tensor y, Tensor logits) => new(name, -(y * logits.LogSoftmax()).SumPerRow());
}
