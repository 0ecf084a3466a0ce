
namespace VaeFromScratch;

/// <summary>
/// Items of an array in batches on a device, in an order that is a pure function of the seed and the epoch: two arrays with the same seed
/// stay side by side.
/// </summary>
public sealed class Batches
{
    private readonly Compute compute;
    private readonly ReadOnlyMemory<float> values;
    private readonly Shape shape;
    private readonly BatchOrder order;
    private readonly float[] batchValues;

    private Batches(Compute compute, ReadOnlyMemory<float> values, Shape shape, BatchOrder order)
    {
        (this.compute, this.values, this.shape, this.order) = (compute, values, shape, order);
        batchValues = new float[order.BatchSize * shape.Length];
    }

    /// <param name="values">The items one after another; they stay in the host's memory.</param>
    /// <param name="shape">Of one item.</param>
    /// <param name="batchSize">Items in a batch; the last of an epoch has what is left.</param>
    public static Batches Of(Compute compute, ReadOnlyMemory<float> values, Shape shape, int batchSize, ulong seed) =>
        shape.Length > 0 && values.Length > 0 && values.Length % shape.Length == 0
            ? new(compute, values, shape, new(values.Length / shape.Length, batchSize, seed))
            : throw new ShapeException("batches", $"{values.Length} values for items of shape {shape}", $"a multiple of {shape.Length}");

    /// <summary>Number of items.</summary>
    public int Count => order.Count;

    /// <summary>Batches in an epoch.</summary>
    public int PerEpoch => order.BatchesPerEpoch;

    /// <summary>Every item once, as tensors [batch, item's shape]. Each is gone when the next one is asked for.</summary>
    /// <param name="epoch">From 0; each has an order of its own.</param>
    public IEnumerable<Tensor> Epoch(int epoch)
    {
        foreach (var indices in order.Batches(epoch))
        {
            var batch = compute.Allocate(new([indices.Length, .. shape.Sizes]), Gather(indices.Span));
            try
            {
                yield return batch;
            }
            finally
            {
                compute.Free(batch);
            }
        }
    }

    private ReadOnlySpan<float> Gather(ReadOnlySpan<int> indices)
    {
        for (int i = 0; i < indices.Length; i++)
            values.Span.Slice(indices[i] * shape.Length, shape.Length).CopyTo(batchValues.AsSpan(i * shape.Length));
        return batchValues.AsSpan(0, indices.Length * shape.Length);
    }
}
