using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models;

/// <summary>How a category is drawn and trained, whatever the model's own objective is; any part can be left out.</summary>
/// <param name="Temperature">Of the Gumbel-softmax relaxation.</param>
public sealed record JointSettings(Schedule Temperature)
{
    /// <summary>Whether training decodes exact one-hot samples with the relaxed sample's gradient.</summary>
    public bool StraightThrough { get; init; }

    /// <summary>The weight of what the encoder's category says about the image, and of how evenly it is used.</summary>
    public EncoderInformation Information { get; init; } = new(0);

    /// <summary>Weight of <see cref="Adversary"/>.</summary>
    public double Vat { get; init; }

    public VirtualAdversary Adversary { get; init; } = new(Radius: 1.5, Step: 10);

    /// <summary>Weight of the cross-entropy between an image's category and that of the image moved.</summary>
    public double Augment { get; init; }

    public Motion Motion { get; init; } = new();

    /// <summary>Epochs in which the category trains alone, before all else joins.</summary>
    public int CategoryEpochs { get; init; }
}

/// <summary>One draw of z and c for each image.</summary>
/// <param name="Z">q(z|x).</param>
/// <param name="C">q(c|x).</param>
/// <param name="Sample">z with its KL.</param>
/// <param name="Y">The category, relaxed in training and one-hot elsewhere, [B, K].</param>
public sealed record JointSample(DiagonalGaussian Z, Categorical C, GaussianSample Sample, Tensor Y)
{
    /// <summary>[B, H + K].</summary>
    public Tensor Code => VaeModel.Code(Sample.Z, Y);
}

/// <summary>
/// A model whose code has Gaussian factors and a category. Its own objective stands in its file in Zoo; what any of them can add for the category stands here: virtual adversarial
/// training (equations.md (S2)), invariance to motions, the encoder's information (C3), and epochs in which the category trains alone.
/// </summary>
/// <remarks><see cref="VaeParts.Further"/> is the category's head.</remarks>
public abstract class JointModel : VaeModel
{
    /// <summary>
    /// log sigma^2 stays between these: an objective on the aggregate posterior alone leaves the width of single posteriors free.
    /// </summary>
    private const float SmallestLogVar = -12, LargestLogVar = 6;

    private readonly JointSettings settings;
    private readonly Augmentation? augmentation;
    private readonly Tensor temperature;
    private readonly Tensor? whole;

    protected JointModel(VaeParts parts, JointSettings settings) : base(parts)
    {
        this.settings = settings;
        augmentation = settings.Augment > 0 ? new(Compute, settings.Motion) : null;
        temperature = Scheduled(settings.Temperature);
        whole = settings.CategoryEpochs > 0 ? Scheduled(epoch => epoch < settings.CategoryEpochs ? 0 : 1) : null;
    }

    /// <summary>The model's own objective on one draw of its code.</summary>
    protected abstract Objective Objective(Tensor x, JointSample sample);

    public sealed override Objective Objective(Tensor x)
    {
        var sample = Draw(x);
        var own = Objective(x, sample);
        return (whole is null ? own : own.Times(whole)) + CategoryTerms(x, sample.C);
    }

    public override DiagonalGaussian Encode(Tensor x) => Infer(x).Z;

    public override Posterior Infer(Tensor x)
    {
        var features = Features(x);
        var (mu, logVar) = EncodeFeatures(features);
        return new(new(mu, logVar.ClampMin(SmallestLogVar).ClampMax(LargestLogVar)), new(ApplyFurther(features)));
    }

    /// <summary>q(c|x) alone.</summary>
    public Categorical Classify(Tensor x) => new(ApplyFurther(Features(x)));

    public override void Dispose()
    {
        augmentation?.Dispose();
        base.Dispose();
    }

    protected JointSample Draw(Tensor x)
    {
        var (z, c) = Infer(x);
        var sample = z.Sample(Rng);
        var y = Tape.Current!.Training ? c!.LogProbabilities.GumbelSoftmax(temperature, Rng, settings.StraightThrough) : c!.LogProbabilities.SampleOneHot(Rng);
        return new(z, c, sample, y);
    }

    protected Tensor Decode(JointSample sample) => Decode(sample.Code);

    /// <summary>KL(q(z, c|x) || p(z) p(c)), p(c) uniform, nats per image (equations.md (V2), (C2)).</summary>
    protected static Term Kl(JointSample sample) => new("kl", sample.Sample.Kl + sample.C.KlToUniform());

    /// <summary>The category's part of <see cref="Kl(JointSample)"/>.</summary>
    protected static Term CategoryKl(JointSample sample) => new("kl_category", sample.C.KlToUniform());

    /// <summary>What is added for the category.</summary>
    private Objective CategoryTerms(Tensor x, Categorical c)
    {
        var terms = settings.Information.Objective(c);
        if (settings.Vat == 0 && augmentation is null)
            return terms;
        var held = c.Probabilities.Detach();
        if (settings.Vat > 0)
            terms += settings.Vat * settings.Adversary.Penalty(x, held, Classify, Rng);
        if (augmentation is not null)
        {
            var moved = Tape.Current!.KeepingStatistics(() => Classify(augmentation.Apply(x, Rng)));
            terms += settings.Augment * new Term("invariance", moved.CrossEntropy(held));
        }
        return terms;
    }
}
