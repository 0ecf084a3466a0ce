using VaeFromScratch.Engine;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models;

/// <summary>The parts that every model is put together from.</summary>
/// <param name="Rng">Draws of training; the trainer moves it from step to step.</param>
/// <param name="TrainingImages">N, for estimates that take a batch for a part of the data.</param>
public sealed record VaeParts(Compute Compute, ImageShape Image, int Latents, GaussianEncoder Encoder, Module Decoder, NoiseModel Noise, Rng Rng, int TrainingImages = 1)
{
    /// <summary>A further network that is stepped together with encoder and decoder, such as a classifier.</summary>
    public Module? Further { get; init; }

    /// <summary>K, values of the category that the decoder reads behind the factors; 0 for none.</summary>
    public int Categories { get; init; }
}

/// <summary>An encoder, a decoder and a noise model, with the objective that trains them. Each model of the papers is a short subclass.</summary>
public abstract class VaeModel : IDisposable
{
    private readonly List<ScheduledScalar> schedules = [];
    private readonly VaeParts parts;

    protected VaeModel(VaeParts parts)
    {
        this.parts = parts;
        Arena = new(parts.Compute, [.. parts.Encoder.Parameters, .. parts.Further?.Parameters ?? [], .. parts.Decoder.Parameters, .. parts.Noise.Parameters]);
    }

    public Compute Compute => parts.Compute;

    public ImageShape Image => parts.Image;

    /// <summary>H, the number of factors.</summary>
    public int Latents => parts.Latents;

    /// <summary>K, values of the category in a code; 0 for none.</summary>
    public int Categories => parts.Categories;

    /// <summary>Numbers in a code: the factors, then the category.</summary>
    public int CodeLength => Latents + Categories;

    public NoiseModel Noise => parts.Noise;

    public Rng Rng => parts.Rng;

    public ParameterArena Arena { get; }

    /// <summary>N, the number of training images.</summary>
    protected int TrainingImages => parts.TrainingImages;

    /// <summary>Every parameter that is saved, those of further networks included.</summary>
    public IEnumerable<Parameter> Parameters => Phases.Select(p => p.Arena).Distinct().SelectMany(a => a.Parameters);

    /// <summary>The networks that are stepped one after another on each batch, each with its own objective and optimiser.</summary>
    public virtual IReadOnlyList<TrainingPhase> Phases => [new("vae", Arena, batch => Objective(batch.Images))];

    /// <summary>Whether each step has a second, independent batch; see <see cref="TrainingBatch.Second"/>.</summary>
    public virtual bool UsesSecondBatch => false;

    /// <summary>K, classes whose labels the model learns from; 0 for a model that takes none. See <see cref="TrainingBatch.Labelled"/>.</summary>
    public virtual int Classes => 0;

    /// <summary>p(z) where it is not N(0, I).</summary>
    public virtual MixturePrior? Prior => null;

    /// <summary>What comes before the first step: training of the classifier alone.</summary>
    public virtual Pretraining? Pretraining => null;

    /// <summary>Images at a time when the objective is evaluated; fewer where it needs much memory for each.</summary>
    public virtual int EvaluationBatch => 500;

    /// <summary>Values that change from step to step and reach the kernels through device memory.</summary>
    internal IReadOnlyList<ScheduledScalar> ScheduledScalars => schedules;

    /// <summary>What training minimises, nats per image.</summary>
    /// <param name="x">Pixels in [0, 1], [B, H, W, C].</param>
    public abstract Objective Objective(Tensor x);

    /// <summary>q(z|x) of each image; of a mixture its most probable component.</summary>
    public virtual DiagonalGaussian Encode(Tensor x) => parts.Encoder.Encode(x);

    /// <summary>Adds the moments of <see cref="Encode"/> over the images of x.</summary>
    public void AddMoments(Tensor x, FactorMoments moments)
    {
        var q = Encode(x);
        moments.Add(q.Mu.Shape[0], q.Mu.Data, q.LogVar.Data);
    }

    /// <summary>q(z, c|x) of each image.</summary>
    public virtual Posterior Infer(Tensor x) => new(Encode(x));

    /// <summary>The codes of factors z [B, H] and categories y [B, K], [B, <see cref="CodeLength"/>].</summary>
    /// <param name="y">One-hot, or relaxed; null where a code has no category.</param>
    public static Tensor Code(Tensor z, Tensor? y) => y is null ? z : Ops.Concat(1, z, y);

    /// <summary>The code that stands for each image: the mean of q(z|x) and the most probable category.</summary>
    public Tensor MeanCode(Tensor x)
    {
        var q = Infer(x);
        return Code(q.Z.Mu, Categories == 0 ? null : q.C!.MostProbable());
    }

    /// <summary>Codes of the prior: z ~ N(0, I), every category as probable as the others.</summary>
    public virtual Tensor PriorCodes(int count, Rng rng)
    {
        var z = rng.Draw(Kernels.Distribution.Normal, new(count, Latents));
        return Code(z, Categories == 0 ? null : Tape.Current!.Full(new(count, Categories), 0).SampleOneHot(rng));
    }

    /// <summary>Unnormalised log-probabilities of an image's class, [B, <see cref="Classes"/>]; only of models that learn from labels.</summary>
    public virtual Tensor ClassLogits(Tensor x) => throw new InvalidOperationException("this model knows no classes");

    /// <summary>log q(z, c|x) - log p(z, c), nats, [B].</summary>
    public Tensor LogRatioToPrior(Posterior q, Tensor z, Tensor? y) => Prior is { } prior ? q.Z.LogDensity(z) - prior.LogDensity(z) : q.LogRatioToPrior(z, y);

    /// <summary>Called before each training step, outside of what is captured: writes what the step reads from device memory.</summary>
    /// <param name="step">Steps done.</param>
    /// <param name="images">In the step's batch.</param>
    public virtual void BeforeStep(uint step, int images)
    {
    }

    /// <summary>The decoder's output for each code [B, <see cref="CodeLength"/>]; see <see cref="NoiseModel.Mean"/> for the image.</summary>
    public Tensor Decode(Tensor z) => parts.Decoder.Forward(z);

    /// <summary>The mean image of each code, [B, H, W, C].</summary>
    public Tensor DecodeMean(Tensor z) => Noise.Mean(Decode(z));

    public virtual void Dispose()
    {
        foreach (var schedule in schedules)
            Compute.Free(schedule.Value);
        Arena.Dispose();
        Rng.Dispose();
    }

    /// <summary>What an image has in common with others for further heads to read, [B, features].</summary>
    protected Tensor Features(Tensor x) => parts.Encoder.Features(x);

    /// <summary>q(z|x) from <see cref="Features"/>.</summary>
    protected DiagonalGaussian EncodeFeatures(Tensor features) => parts.Encoder.OfFeatures(features);

    /// <summary><see cref="VaeParts.Further"/> on its input.</summary>
    protected Tensor ApplyFurther(Tensor input) => parts.Further!.Forward(input);

    protected Term Reconstruction(Tensor x, Tensor decoded) => Noise.NegativeLogLikelihood(x, decoded);

    /// <summary>sum_h KL(q(z_h|x) || N(0, 1)), nats per image.</summary>
    protected static Term Kl(GaussianSample sample) => new("kl", sample.Kl);

    /// <summary>MMD^2 between codes and as many draws of N(0, I) (equations.md (X8)).</summary>
    protected Term Mmd(Tensor z) => new("mmd", MaximumMeanDiscrepancy.Squared(z, Rng.Draw(Kernels.Distribution.Normal, z.Shape)));

    /// <summary>A scalar that the trainer sets before each step; until then it has the value that the schedule ends with.</summary>
    protected Tensor Scheduled(Engine.Optim.Schedule schedule)
    {
        var scalar = new ScheduledScalar(Compute.Allocate(Shape.Scalar), schedule);
        // A model that is only evaluated has its final weights.
        scalar.Set(double.PositiveInfinity);
        schedules.Add(scalar);
        return scalar.Value;
    }
}

/// <summary>What a training step works on.</summary>
/// <param name="Images">Pixels in [0, 1], [B, H, W, C].</param>
/// <param name="Second">As many other images, for models that ask for them.</param>
/// <param name="Labelled">Images with labels, for models that learn from them.</param>
public sealed record TrainingBatch(Tensor Images, Tensor? Second = null, LabelledBatch? Labelled = null);

/// <summary>Images with their labels.</summary>
/// <param name="Images">[L, H, W, C].</param>
/// <param name="Labels">One-hot, [L, K].</param>
public sealed record LabelledBatch(Tensor Images, Tensor Labels);

/// <summary>Training of <see cref="VaeModel.ClassLogits"/> alone, by the cross-entropy of the labelled images, with an Adam of its own.</summary>
/// <param name="Epochs">Passes over the labelled images.</param>
public sealed record Pretraining(int Epochs, double LearningRate);

/// <summary>One network's turn on a batch. Later phases see the tensors of earlier ones; through <see cref="Ops.Detach"/> no gradient flows back into them.</summary>
/// <param name="Objective">From the batch to what is minimised over <paramref name="Arena"/>.</param>
/// <param name="Optimiser">How the arena is stepped; by default as the run's configuration says.</param>
public sealed record TrainingPhase(string Name, ParameterArena Arena, Func<TrainingBatch, Objective> Objective, PhaseOptimiser? Optimiser = null);

/// <summary>Adam for one phase.</summary>
public sealed record PhaseOptimiser(double LearningRate, double Beta1 = 0.9, double Beta2 = 0.999);

/// <summary>A scalar in device memory and the schedule that it follows.</summary>
internal sealed record ScheduledScalar(Tensor Value, Engine.Optim.Schedule Schedule)
{
    public void Set(double epoch) => Value.Compute.Backend.Upload([(float)Schedule(epoch)], Value.Data);
}
