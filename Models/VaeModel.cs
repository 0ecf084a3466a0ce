using VaeFromScratch.Estimators;
using VaeFromScratch.Graphs;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models;

/// <summary>The parts that every model is put together from.</summary>
/// <param name="Rng">Draws of training; the trainer moves it from step to step.</param>
/// <param name="TrainingImages">N, for estimates that take a batch for a part of the data.</param>
public sealed record VaeParts(Compute Compute, ImageShape Image, int Latents, GaussianEncoder Encoder, Module Decoder, NoiseModel Noise,
    Rng Rng, int TrainingImages = 1)
{
    /// <summary>A further network that is stepped together with encoder and decoder, such as a classifier.</summary>
    public Module? Further { get; init; }

    /// <summary>K, values of the category that the decoder reads behind the factors; 0 for none.</summary>
    public int Categories { get; init; }

    /// <summary>The most images that a training step has.</summary>
    public int Batch { get; init; } = 100;

    /// <summary>Epochs of training, for schedules that last as long.</summary>
    public int Epochs { get; init; } = 1;
}

/// <summary>What an encoder computes.</summary>
/// <param name="Image">x, pixels in [0, 1], [H, W, C].</param>
/// <param name="Mu">The means, [H].</param>
/// <param name="LogVar">log sigma^2, [H].</param>
/// <param name="Probabilities">q(c|x) of a category, or w(k|x) of the components of a mixture, [K]; null where there is neither.</param>
/// <param name="ProbabilitiesName">probs or weights.</param>
internal sealed record EncoderGraph(InputNode Image, GraphNode Mu, GraphNode LogVar, GraphNode? Probabilities = null,
    string ProbabilitiesName = "probs");

/// <summary>What a decoder computes.</summary>
/// <param name="Code">z: factors, then the category one-hot.</param>
/// <param name="Mean">The mean image, [H, W, C].</param>
/// <param name="Logits">The same before the sigmoid; null where the noise model has none.</param>
internal sealed record DecoderGraph(InputNode Code, GraphNode Mean, GraphNode? Logits);

/// <summary>
/// An encoder, a decoder and a noise model, with the objective that trains them. Each model of the papers is a short subclass.
/// </summary>
public abstract class VaeModel : IDisposable
{
    private readonly List<ScheduledScalar> schedules = [];
    private readonly VaeParts parts;

    protected VaeModel(VaeParts parts)
    {
        this.parts = parts;
        Arena = new(parts.Compute,
            [.. parts.Encoder.Parameters, .. parts.Further?.Parameters ?? [], .. parts.Decoder.Parameters, .. parts.Noise.Parameters]);
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

    /// <summary>Whether that batch holds for each image one that differs from it in one known factor only.</summary>
    public virtual bool SecondIsPaired => false;

    /// <summary>Images at a time when the objective is evaluated; fewer where it needs much memory for each.</summary>
    public virtual int EvaluationBatch => 500;

    /// <summary>Whether p(z) is N(0, I), to which the parts (D1) to (D5) of the KL refer.</summary>
    public virtual bool HasStandardPrior => true;

    /// <summary>Values that change from step to step and reach the kernels through device memory.</summary>
    internal IReadOnlyList<ScheduledScalar> ScheduledScalars => schedules;

    /// <summary>What training minimises, nats per image.</summary>
    /// <param name="x">Pixels in [0, 1], [B, H, W, C].</param>
    public abstract Objective Objective(Tensor x);

    /// <summary>q(z|x) of each image; of a mixture its most probable component.</summary>
    public virtual DiagonalGaussian Encode(Tensor x) => parts.Encoder.Encode(x);

    /// <summary>Adds the moments of <see cref="Encode"/> over the images of x.</summary>
    internal void AddMoments(Tensor x, FactorMoments moments)
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
        var z = rng.Normal(new(count, Latents));
        return Code(z, Categories == 0 ? null : Tape.Current.Full(new(count, Categories), 0).SampleOneHot(rng));
    }

    /// <summary>log q(z, c|x) - log p(z, c), nats, [B].</summary>
    public virtual Tensor LogRatioToPrior(Posterior q, Tensor z, Tensor? y) => q.LogRatioToPrior(z, y);

    /// <summary>Into how many shards a training step's images are cut, each of which is a batch for the objective.</summary>
    public int Shards { get; internal set; } = 1;

    /// <summary>Called before each training step, outside of what is captured: writes what the step reads from device memory.</summary>
    /// <param name="step">Steps done, each shard of a step counted.</param>
    /// <param name="images">In the step's batch, or in that shard of it.</param>
    public virtual void BeforeStep(uint step, int images)
    {
    }

    /// <summary>
    /// The decoder's output for each code [B, <see cref="CodeLength"/>]; see <see cref="NoiseModel.Mean"/> for the image.
    /// </summary>
    public Tensor Decode(Tensor z) => parts.Decoder.Forward(z);

    /// <summary>The mean image of each code, [B, H, W, C].</summary>
    public Tensor DecodeMean(Tensor z) => Noise.Mean(Decode(z));

    /// <summary>What <see cref="Infer"/> gives, as a graph: what is exported, and what <see cref="Inference.Encoder"/> runs.</summary>
    /// <exception cref="NotSupportedException">A module does not say what it computes.</exception>
    internal virtual EncoderGraph DescribeEncoder()
    {
        var image = NewImage();
        var (mu, logVar) = parts.Encoder.DescribeHeads(parts.Encoder.DescribeFeatures(image));
        return new(image, mu, logVar);
    }

    /// <summary>What <see cref="DecodeMean"/> gives, as a graph.</summary>
    /// <exception cref="NotSupportedException">A module does not say what it computes.</exception>
    internal DecoderGraph DescribeDecoder()
    {
        var code = new InputNode("z", new(CodeLength));
        var decoded = parts.Decoder.Describe(code);
        return new(code, Noise.DescribeMean(decoded), Noise.DescribeLogits(decoded));
    }

    public virtual void Dispose()
    {
        foreach (var schedule in schedules)
            Compute.Free(schedule.Value);
        Arena.Dispose();
        Rng.Dispose();
    }

    /// <summary>The input of <see cref="DescribeEncoder"/>.</summary>
    private protected InputNode NewImage() => new("x", new(Image.Height, Image.Width, Image.Channels));

    /// <summary>The encoder's features, its heads, and <see cref="VaeParts.Further"/> on the features, as a graph.</summary>
    private protected (GraphNode Mu, GraphNode LogVar, GraphNode Further) DescribeHeads(InputNode image)
    {
        var features = parts.Encoder.DescribeFeatures(image);
        var (mu, logVar) = parts.Encoder.DescribeHeads(features);
        return (mu, logVar, parts.Further!.Describe(features));
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
    protected Term Mmd(Tensor z) => new("mmd", MaximumMeanDiscrepancy.Squared(z, Rng.Normal(z.Shape)));

    /// <summary>A weight that grows linearly from 0 over the first epochs; constant where there are none.</summary>
    protected Coefficient WarmedUp(double weight, double epochs) =>
        new(weight, epochs > 0 ? Scheduled(Schedules.Linear(0, 1, epochs)) : null);

    /// <summary>A scalar that the trainer sets before each step; until then it has the value that the schedule ends with.</summary>
    protected Tensor Scheduled(Schedule schedule)
    {
        var scalar = new ScheduledScalar(Compute.Allocate(Shape.Scalar), schedule);
        // A model that is only evaluated has its final weights.
        scalar.Set(double.PositiveInfinity);
        schedules.Add(scalar);
        return scalar.Value;
    }
}

/// <summary>
/// A model that learns the classes of images from labels; its phases find labelled images in <see cref="TrainingBatch.Labelled"/>.
/// </summary>
public interface ILearnsFromLabels
{
    /// <summary>The number of classes, K.</summary>
    int Classes { get; }

    /// <summary>Training images whose labels are seen, as many of each class, 0 for all; and how many of them each step has.</summary>
    (int Count, int Batch) Labelled { get; }

    /// <summary>
    /// What comes before the first step: training of <see cref="ClassLogits"/> alone, by the cross-entropy of the labelled images, for so
    /// many passes over these, with an Adam of its own. Null for nothing.
    /// </summary>
    (int Epochs, double LearningRate)? Pretraining => null;

    /// <summary>Unnormalised log-probabilities of an image's class, [B, <see cref="Classes"/>].</summary>
    Tensor ClassLogits(Tensor x);
}

/// <summary>A model whose classes lie in the latent space where the user wants them.</summary>
public interface IHasDesign : ILearnsFromLabels
{
    LatentDesign Design { get; }

    /// <summary>The mixture posterior of each image, one component a class.</summary>
    GaussianMixture Posterior(Tensor x);
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

/// <summary>
/// One network's turn on a batch. Later phases see the tensors of earlier ones; through <see cref="Ops.Detach"/> no gradient flows back
/// into them.
/// </summary>
/// <param name="Objective">From the batch to what is minimised over <paramref name="Arena"/>.</param>
/// <param name="Optimiser">How the arena is stepped; by default as the run's configuration says.</param>
public sealed record TrainingPhase(string Name, ParameterArena Arena, Func<TrainingBatch, Objective> Objective,
    PhaseOptimiser? Optimiser = null)
{
    /// <summary>What the phase's network consists of, by the names that a checkpoint has.</summary>
    internal IEnumerable<(string Name, Slice<float> Slice)> Weights => [($"{Name}.values", Arena.Values), ($"{Name}.state", Arena.State)];
}

/// <summary>Adam for one phase.</summary>
public sealed record PhaseOptimiser(double LearningRate, double Beta1 = 0.9, double Beta2 = 0.999);

/// <summary>A scalar in device memory and the schedule that it follows.</summary>
internal sealed record ScheduledScalar(Tensor Value, Schedule Schedule)
{
    public void Set(double epoch) => Value.Compute.Backend.Upload([(float)Schedule(epoch)], Value.Data);
}
