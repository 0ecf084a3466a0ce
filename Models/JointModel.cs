using VaeFromScratch.Estimators;
using VaeFromScratch.Graphs;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models;

/// <summary>How a category is drawn and trained, whatever the model's own objective is; any part can be left out.</summary>
internal sealed record CategorySettings
{
    [Setting("K, values of the category", Least = 2)]
    public int Categories { get; init; } = 10;

    [Setting("temperature of the Gumbel-softmax relaxation at the start", Above = 0)]
    public double Temperature { get; init; } = 1;

    [Setting("temperature at the end of a linear schedule", Above = 0)]
    public double TemperatureEnd { get; init; } = 0.5;

    [Setting("epochs until the temperature is at its end; 0 for all of the run", Least = 0)]
    public double TemperatureEpochs { get; init; }

    [Setting("whether training decodes exact one-hot samples of the category, with the gradient of the relaxed ones")]
    public bool StraightThrough { get; init; }

    [Setting("factor on the initial weights of the category's head", Above = 0)]
    public double CategoryScale { get; init; } = 1;

    [Setting("epochs in which the category trains alone, before all else joins; the run's last epoch always trains all", Least = 0)]
    public int CategoryEpochs { get; init; }

    [Setting("starts of that stage from other initial weights; the one whose own loss ends lowest is trained on, and takes the stage once "
        + "more", Least = 1)]
    public int CategoryStarts { get; init; } = 1;

    [Setting("WEIGHT or WEIGHT:BALANCE of what the category says about the image, and how much more its even use counts; in imae it is "
        + "beta_y", Expected = EncoderInformation.Expected)]
    public EncoderInformation EncoderMi { get; init; } = new(0);

    [Setting("weight of virtual adversarial training of the category", Least = 0)]
    public double Vat { get; init; }

    [SettingGroup("vat_")]
    public VirtualAdversary Adversary { get; init; } = new();

    [Setting("weight of the cross-entropy between an image's category and that of the image moved at random", Least = 0)]
    public double Augment { get; init; }

    [SettingGroup("augment_")]
    public Motion Motion { get; init; } = new();

    /// <summary>
    /// Epochs in which the category trains alone in a run of <paramref name="epochs"/>: all but one at the most, for otherwise no decoder
    /// would be trained.
    /// </summary>
    public int AloneFor(int epochs) => Math.Min(CategoryEpochs, Math.Max(0, epochs - 1));
}

/// <summary>Settings of a model with a category.</summary>
internal abstract record JointSettings : IModelSettings
{
    [SettingGroup]
    public CategorySettings Category { get; init; } = new();

    int IModelSettings.Categories => Category.Categories;

    double IModelSettings.CategoryScale => Category.CategoryScale;

    void IModelSettings.Check(RunConfiguration configuration) => Check(configuration);

    /// <summary>Refuses values that do not go together.</summary>
    /// <exception cref="OptionException">They do not.</exception>
    protected virtual void Check(RunConfiguration configuration)
    {
        if (Category is { CategoryStarts: > 1 and var starts, CategoryEpochs: 0 })
            throw new OptionException($"--category-starts {starts}: there is no stage to start, because category_epochs is 0; give "
                + $"--category-epochs, or leave it out");
    }
}

/// <summary>One draw of z and c for each image.</summary>
/// <param name="Z">q(z|x).</param>
/// <param name="C">q(c|x).</param>
/// <param name="Sample">z with its KL.</param>
/// <param name="Y">The category, relaxed in training and one-hot elsewhere, [B, K].</param>
internal sealed record JointSample(DiagonalGaussian Z, Categorical C, GaussianSample Sample, Tensor Y)
{
    /// <summary>[B, H + K].</summary>
    public Tensor Code => VaeModel.Code(Sample.Z, Y);
}

/// <summary>
/// A model whose code has Gaussian factors and a category. Its own objective stands in its file in Zoo; what any of them can add for the
/// category stands here: virtual adversarial
/// training (equations.md (S2)), invariance to motions, the encoder's information (C3), and epochs in which the category trains alone.
/// </summary>
/// <remarks><see cref="VaeParts.Further"/> is the category's head.</remarks>
internal abstract class JointModel : VaeModel
{
    /// <summary>
    /// log sigma^2 stays between these: an objective on the aggregate posterior alone leaves the width of single posteriors free.
    /// </summary>
    private const float SmallestLogVar = -12, LargestLogVar = 6;

    private readonly CategorySettings settings;
    private readonly Augmentation? augmentation;
    private readonly Tensor temperature;
    private readonly Tensor? whole;

    protected JointModel(VaeParts parts, CategorySettings settings) : base(parts)
    {
        this.settings = settings;
        augmentation = settings.Augment > 0 ? new(Compute, settings.Motion) : null;
        temperature = Scheduled(Schedules.Linear(settings.Temperature, settings.TemperatureEnd, settings.TemperatureEpochs > 0
            ? settings.TemperatureEpochs : parts.Epochs));
        CategoryEpochs = settings.AloneFor(parts.Epochs);
        // A short run has the scalar, too: its checkpoint can be resumed with more epochs.
        whole = settings.CategoryEpochs > 0 ? Scheduled(epoch => epoch < CategoryEpochs ? 0 : 1) : null;
    }

    /// <summary>Epochs in which the category trains alone in this run.</summary>
    protected int CategoryEpochs { get; }

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

    internal override EncoderGraph DescribeEncoder()
    {
        var image = NewImage();
        var (mu, logVar, logits) = DescribeHeads(image);
        return new(image, mu, logVar.Apply(GraphFunction.AtLeast, SmallestLogVar).Apply(GraphFunction.AtMost, LargestLogVar),
            logits.Apply(GraphFunction.Softmax));
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
        var y = Tape.Current.Training ? c!.LogProbabilities.GumbelSoftmax(temperature, Rng, settings.StraightThrough)
            : c!.LogProbabilities.SampleOneHot(Rng);
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
        var terms = settings.EncoderMi.Objective(c);
        if (settings.Vat == 0 && augmentation is null)
            return terms;
        var held = c.Probabilities.Detach();
        if (settings.Vat > 0)
            terms += settings.Vat * settings.Adversary.Penalty(x, held, Classify, Rng);
        if (augmentation is not null)
        {
            var moved = Tape.Current.KeepingStatistics(() => Classify(augmentation.Apply(x, Rng)));
            terms += settings.Augment * new Term("invariance", moved.CrossEntropy(held));
        }
        return terms;
    }
}
