using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// Mixup (Zhang et al. 2018): each row of a batch becomes lambda times itself plus 1 - lambda times another row, lambda ~ Beta(alpha,
/// alpha) for each row. Both are
/// functions of seed and step, drawn on the host and written to device memory before each step.
/// </summary>
internal sealed class Mixup : IDisposable
{
    // Apart from every other use of the seed ("mixu" in ASCII).
    private const uint Stream = 0x6d697875;

    private readonly Compute compute;
    private readonly double alpha;
    private readonly uint draw;
    private readonly ulong seed;
    private readonly int[] partners;
    private readonly float[] shares;
    private readonly Slice<int> devicePartners;
    private readonly Tensor deviceShares;

    /// <param name="alpha">Below 1 most rows stay nearly as they are; above 1 most become even mixtures.</param>
    /// <param name="draw">Keeps the draws of two mixups of one model apart.</param>
    public Mixup(Compute compute, int largestBatch, double alpha, ulong seed, uint draw)
    {
        (this.compute, this.alpha, this.seed, this.draw) = (compute, alpha, seed, draw);
        partners = new int[largestBatch];
        shares = new float[largestBatch];
        devicePartners = compute.Pool.Rent<int>(largestBatch);
        deviceShares = compute.Allocate(new(largestBatch));
    }

    /// <summary>Draws partners and shares of a step for a batch of <paramref name="rows"/>.</summary>
    public void Draw(uint step, int rows)
    {
        var random = new Philox(seed, step, Stream, draw);
        for (int i = 0; i < rows; i++)
        {
            partners[i] = i;
            shares[i] = (float)Beta(ref random);
        }
        random.Shuffle(partners.AsSpan(0, rows));
        compute.Backend.Upload<int>(partners.AsSpan(0, rows), devicePartners.Part(0, rows));
        compute.Backend.Upload<float>(shares.AsSpan(0, rows), deviceShares.Data.Part(0, rows));
    }

    /// <summary>The mixture of each row with its partner; no gradient flows through it.</summary>
    /// <param name="x">[B, ..]: images, labels or probabilities.</param>
    public Tensor Apply(Tensor x)
    {
        int rows = x.Shape[0], width = x.Length / rows;
        var tape = Tape.Current;
        var partner = tape.Empty(x.Shape);
        compute.Backend.GatherRows(x.Data, devicePartners.Part(0, rows), width, partner.Data);
        var own = deviceShares.Slice(0, 0, rows).RepeatEach(width).Reshape(x.Shape.Sizes);
        return (partner + own * (x - partner)).Detach();
    }

    public void Dispose()
    {
        compute.Pool.Return(devicePartners);
        compute.Free(deviceShares);
    }

    /// <summary>Beta(alpha, alpha), by Johnk's method: u^(1/alpha) / (u^(1/alpha) + v^(1/alpha)) where the sum is at most 1.</summary>
    private double Beta(ref Philox random)
    {
        while (true)
        {
            // By logarithms, as u^(1/alpha) underflows for a small alpha.
            double u = Math.Log(random.NextUniform()) / alpha, v = Math.Log(random.NextUniform()) / alpha;
            double largest = Math.Max(u, v), logSum = largest + Math.Log(Math.Exp(u - largest) + Math.Exp(v - largest));
            if (logSum <= 0)
                return Math.Exp(u - logSum);
        }
    }
}
