using VaeFromScratch.Graphs;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Models.Inference;

/// <summary>The decoder of a model by itself, on the CPU: from codes to mean images. As <see cref="Encoder"/> in all else.</summary>
public sealed class Decoder : IDisposable
{
    private readonly CompiledGraph graph;

    /// <param name="threads">That share the codes of a call, the caller's included.</param>
    /// <exception cref="NotSupportedException">A module of the decoder does not say what it computes.</exception>
    public Decoder(VaeModel model, int threads = 1)
    {
        var description = model.DescribeDecoder();
        (Image, CodeLength) = (model.Image, model.CodeLength);
        graph = new(description.Code, [description.Mean], threads);
    }

    public ImageShape Image { get; }

    /// <summary>Numbers in a code: the factors, then the category one-hot.</summary>
    public int CodeLength { get; }

    /// <summary>The decoder of a stored run; its data set is not needed.</summary>
    /// <param name="run">The run directory.</param>
    /// <exception cref="Engine.IO.DataException">The folder is no run, or a file in it is damaged.</exception>
    public static Decoder Open(string run, int threads = 1)
    {
        using var compute = new Compute(new CpuBackend(1));
        using var model = StoredModel.Load(compute, RunDirectory.Open(run));
        return new(model, threads);
    }

    /// <summary>The mean image of each code.</summary>
    /// <param name="codes">[B, <see cref="CodeLength"/>].</param>
    /// <param name="images">[B, height, width, channels].</param>
    /// <exception cref="ArgumentException">A length does not fit the number of codes.</exception>
    public void Decode(ReadOnlySpan<float> codes, Span<float> images) => graph.Run(codes, images);

    public void Dispose() => graph.Dispose();
}
