using VaeFromScratch.Engine;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models;

/// <summary>The parts that every model is put together from.</summary>
/// <param name="Rng">Draws of training; the trainer moves it from step to step.</param>
public sealed record VaeParts(Compute Compute, ImageShape Image, int Latents, GaussianEncoder Encoder, Module Decoder, NoiseModel Noise, Rng Rng);

/// <summary>An encoder, a decoder and a noise model, with the objective that trains them. Each model of the papers is a short subclass.</summary>
public abstract class VaeModel : IDisposable
{
    private readonly List<ScheduledScalar> schedules = [];
    private readonly VaeParts parts;

    protected VaeModel(VaeParts parts)
    {
        this.parts = parts;
        Arena = new(parts.Compute, [.. parts.Encoder.Parameters, .. parts.Decoder.Parameters, .. parts.Noise.Parameters]);
    }

    public Compute Compute => parts.Compute;

    public ImageShape Image => parts.Image;

    /// <summary>H, the number of factors.</summary>
    public int Latents => parts.Latents;

    public NoiseModel Noise => parts.Noise;

    public Rng Rng => parts.Rng;

    public ParameterArena Arena { get; }

    /// <summary>The networks that are stepped one after another on each batch, each with its own objective and optimiser.</summary>
    public virtual IReadOnlyList<TrainingPhase> Phases => [new("vae", Arena, Objective)];

    /// <summary>Values that change from step to step and reach the kernels through device memory.</summary>
    internal IReadOnlyList<ScheduledScalar> ScheduledScalars => schedules;

    /// <summary>What training minimises, nats per image.</summary>
    /// <param name="x">Pixels in [0, 1], [B, H, W, C].</param>
    public abstract Objective Objective(Tensor x);

    /// <summary>q(z|x) of each image.</summary>
    public DiagonalGaussian Encode(Tensor x) => parts.Encoder.Encode(x);

    /// <summary>The decoder's output for each code [B, H]; see <see cref="NoiseModel.Mean"/> for the image.</summary>
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

    protected Term Reconstruction(Tensor x, Tensor decoded) => Noise.NegativeLogLikelihood(x, decoded);

    /// <summary>sum_h KL(q(z_h|x) || N(0, 1)), nats per image.</summary>
    protected static Term Kl(GaussianSample sample) => new("kl", sample.Kl);

    /// <summary>A scalar that the trainer sets before each step.</summary>
    protected Tensor Scheduled(Engine.Optim.Schedule schedule)
    {
        var scalar = new ScheduledScalar(Compute.Allocate(Shape.Scalar), schedule);
        schedules.Add(scalar);
        return scalar.Value;
    }
}

/// <summary>One network's turn on a batch.</summary>
/// <param name="Objective">From the batch to what is minimised over <paramref name="Arena"/>.</param>
public sealed record TrainingPhase(string Name, ParameterArena Arena, Func<Tensor, Objective> Objective);

/// <summary>A scalar in device memory and the schedule that it follows.</summary>
internal sealed record ScheduledScalar(Tensor Value, Engine.Optim.Schedule Schedule)
{
    public void Set(double epoch) => Value.Compute.Backend.Upload([(float)Schedule(epoch)], Value.Data);
}
