using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Distributions;

/// <summary>p(z) = sum_k w_k N(m_k, diag v_k) with fixed, designed components, in device memory (equations.md (G1)).</summary>
public sealed class MixturePrior : IDisposable
{
    private readonly Compute compute;

    public MixturePrior(Compute compute, LatentDesign design)
    {
        (this.compute, Design) = (compute, design);
        LogWeights = Place([design.Components], design.Weights.Select(v => Math.Log(v)));
        Centres = Place([design.Components * Latents], design.Centres.SelectMany(c => c));
        Precisions = Place([design.Components * Latents], design.Variances.SelectMany(v => v).Select(v => 1 / v));
        LogVariances = Place([design.Components * Latents], design.Variances.SelectMany(v => v).Select(v => Math.Log(v)));
    }

    public LatentDesign Design { get; }

    /// <summary>The number of components, K.</summary>
    public int Components => Design.Components;

    /// <summary>The number of latents, H.</summary>
    public int Latents => Design.Centres[0].Length;

    /// <summary>log w_k, [K].</summary>
    internal Tensor LogWeights { get; }

    /// <summary>m_kh, [K H].</summary>
    internal Tensor Centres { get; }

    /// <summary>1 / v_kh, [K H].</summary>
    internal Tensor Precisions { get; }

    /// <summary>log v_kh, [K H].</summary>
    internal Tensor LogVariances { get; }

    /// <summary>log p(z), nats, [B].</summary>
    /// <param name="z">[B, H].</param>
    public Tensor LogDensity(Tensor z)
    {
        int images = z.Shape[0];
        var repeated = z.RepeatRows(Components).Permute(1, 0, 2).Reshape(images, -1);
        var squares = (repeated - Centres).Square() * Precisions + LogVariances + DiagonalGaussian.LogTwoPi;
        return (-0.5f * squares.Reshape(images * Components, Latents).SumPerRow().Reshape(images, Components) + LogWeights).LogSumExp();
    }

    /// <summary>Independent draws, [count, H].</summary>
    public Tensor Draw(int count, Rng rng)
    {
        var tape = Tape.Current;
        var prior = new GaussianMixture(
            (tape.Full(new(count, Components), 0) + LogWeights), tape.Full(new(count, Components * Latents), 0) + Centres,
                tape.Full(new(count, Components * Latents), 0) + LogVariances);
        return prior.Sample(rng);
    }

    public void Dispose()
    {
        foreach (var tensor in (Tensor[])[LogWeights, Centres, Precisions, LogVariances])
            compute.Free(tensor);
    }

    private Tensor Place(int[] shape, IEnumerable<double> values) => compute.Allocate(new(shape), [.. values.Select(v => (float)v)]);
}
