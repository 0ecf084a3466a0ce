using VaeFromScratch.Graphs;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Models.Inference;

/// <summary>
/// The encoder of a model by itself, on the CPU: from pixels to q(z|x) and, where the model has one, q(c|x), without a tape and without
/// allocating. It has its own copy of the weights and outlives
/// the model. Any number of threads may use it at the same time.
/// </summary>
public sealed class Encoder : IDisposable
{
    /// <summary>Images on which a new encoder has to agree with the model.</summary>
    private const int Probes = 2;

    private readonly CompiledGraph graph;

    /// <param name="threads">That share the images of a call, the caller's included.</param>
    /// <exception cref="NotSupportedException">The model does not say what its encoder computes, or says something else than it
    /// does.</exception>
    public Encoder(VaeModel model, int threads = 1)
    {
        var description = model.DescribeEncoder();
        (Image, Latents, Probabilities) = (model.Image, model.Latents, description.Probabilities?.Shape.Length ?? 0);
        graph = new(description.Image, description.Probabilities is { } p ? [description.Mu, description.LogVar, p]
            : [description.Mu, description.LogVar], threads);
        // That ours do is for the tests.
        if (model.GetType().Assembly != typeof(Encoder).Assembly)
            Verify(model);
    }

    public ImageShape Image { get; }

    /// <summary>The number of factors, H.</summary>
    public int Latents { get; }

    /// <summary>K of the third output: q(c|x) of a category, or the weights of a mixture's components; 0 for none.</summary>
    public int Probabilities { get; }

    /// <summary>The encoder of a stored run; its data set is not needed.</summary>
    /// <param name="run">The run directory.</param>
    /// <exception cref="Engine.IO.DataException">The folder is no run, or a file in it is damaged.</exception>
    public static Encoder Open(string run, int threads = 1)
    {
        using var compute = new Compute(new CpuBackend(1));
        using var model = StoredModel.Load(compute, RunDirectory.Open(run));
        return new(model, threads);
    }

    /// <summary>
    /// An encoder with the threads that the model computes with; null where it computes on another device or does not say what its encoder
    /// computes.
    /// </summary>
    internal static Encoder? For(VaeModel model)
    {
        if (model.Compute.Backend is not CpuBackend cpu)
            return null;
        try
        {
            return new(model, cpu.Threads);
        }
        catch (NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>q(z|x) of images.</summary>
    /// <param name="images">Pixels in [0, 1], [B, height, width, channels].</param>
    /// <param name="mu">[B, H].</param>
    /// <param name="logVar">log sigma^2, [B, H].</param>
    /// <param name="probabilities">[B, <see cref="Probabilities"/>]; may be left out only where that is 0.</param>
    /// <exception cref="ArgumentException">A length does not fit the number of images.</exception>
    public void Encode(ReadOnlySpan<float> images, Span<float> mu, Span<float> logVar, Span<float> probabilities = default) =>
        graph.Run(images, mu, logVar, probabilities);

    public void Dispose() => graph.Dispose();

    /// <summary>A model of one's own may encode in a way of its own, which the graph does not know.</summary>
    private void Verify(VaeModel model)
    {
        float[] images = Probe.Numbers(Probes * Image.Pixels), mu = new float[Probes * Latents], logVar = new float[mu.Length];
        Encode(images, mu, logVar, new float[Probes * Probabilities]);
        using var tape = model.Compute.Tape(gradients: false);
        var q = model.Encode(tape.Constant(new(Probes, Image.Height, Image.Width, Image.Channels), images));
        if (!Probe.Agree(mu, q.Mu.ToArray()) || !Probe.Agree(logVar, q.LogVar.ToArray()))
            throw new NotSupportedException(
                $"{model.GetType().Name} encodes otherwise than its graph says: where it overrides {nameof(VaeModel.Encode)}, override "
                + $"{nameof(VaeModel.DescribeEncoder)} too");
    }
}
