using VaeFromScratch.Data;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Training;

/// <summary>Brings the batches of a run to where a captured step finds them; the order is a pure function of seed and epoch.</summary>
internal abstract class BatchFeed : IDisposable
{
    /// <param name="size">Images a batch; more than there are means one batch.</param>
    public static BatchFeed Create(Compute compute, TrainingData data, int size, ulong seed) => data.Dataset.Stored is { } stored
        ? new StreamedFeed(compute, data, new(stored, size, seed))
        : new GatheredFeed(compute, data, new(data.Count, size, seed));

    public abstract int BatchSize { get; }

    public abstract int BatchesPerEpoch { get; }

    /// <summary>The sizes of an epoch's batches, each of which is on its way to the device when its size is returned.</summary>
    public abstract IEnumerable<int> Batches(int epoch, int firstBatch);

    /// <summary>
    /// Moves to a part of the batch at hand: its image <paramref name="offset"/> is the first that <see cref="Images"/> gives. Outside a
    /// captured step, before it runs.
    /// </summary>
    public abstract void StartAt(int offset);

    /// <summary>The batch at hand or the part that was moved to, [count, H, W, C]; may be part of a captured step.</summary>
    public abstract Tensor Images(int count, Rng rng);

    public abstract void Dispose();
}

/// <summary>Batches of a set in device memory, shuffled there too: only the place in the epoch travels.</summary>
internal sealed class GatheredFeed(Compute compute, TrainingData data, BatchOrder order) : BatchFeed
{
    private readonly Rng shuffles = new(compute, order.Seed, BatchOrder.Stream);
    private readonly Slice<int> indices = compute.Pool.Rent<int>(order.Count), first = compute.Pool.Rent<int>(1);
    private int current;

    public override int BatchSize => order.BatchSize;

    public override int BatchesPerEpoch => order.BatchesPerEpoch;

    public override IEnumerable<int> Batches(int epoch, int firstBatch)
    {
        // The permutation of order.Permutation(epoch), made on the device.
        shuffles.BeginStep((uint)epoch);
        compute.Backend.Shuffle(shuffles.Next(), indices);
        for (int batch = firstBatch; batch < BatchesPerEpoch; batch++)
        {
            current = batch;
            StartAt(0);
            yield return order.SizeOf(batch);
        }
    }

    public override void StartAt(int offset) => compute.Backend.Upload<int>([current * BatchSize + offset], first);

    public override Tensor Images(int count, Rng rng) => data.Gather(indices, first, count, rng);

    public override void Dispose()
    {
        shuffles.Dispose();
        compute.Pool.Return(indices);
        compute.Pool.Return(first);
    }
}

/// <summary>Batches of a set that is too large for memory: their pixels travel, read ahead from the cache file.</summary>
internal sealed class StreamedFeed : BatchFeed
{
    private readonly Compute compute;
    private readonly TrainingData data;
    private readonly ImageStream stream;
    private readonly Slice<int> indices, first;
    private readonly Slice<byte> pixels;

    public StreamedFeed(Compute compute, TrainingData data, ImageStream stream)
    {
        (this.compute, this.data, this.stream) = (compute, data, stream);
        indices = compute.Pool.Rent<int>(stream.BatchSize);
        compute.Backend.Upload<int>([.. Enumerable.Range(0, stream.BatchSize)], indices);
        first = compute.Pool.Rent<int>(1);
        StartAt(0);
        pixels = compute.Pool.Rent<byte>(stream.BatchSize * data.Dataset.PixelsPerImage);
    }

    public override int BatchSize => stream.BatchSize;

    public override int BatchesPerEpoch => stream.BatchesPerEpoch;

    public override IEnumerable<int> Batches(int epoch, int firstBatch)
    {
        foreach (var batch in stream.Batches(epoch, firstBatch))
        {
            compute.Backend.Upload(batch.Pixels.Span, pixels.Part(0, batch.Pixels.Length));
            yield return batch.Indices.Length;
        }
    }

    public override void StartAt(int offset) => compute.Backend.Upload<int>([offset], first);

    public override Tensor Images(int count, Rng rng) => data.Gather(pixels, indices, first, count, rng);

    public override void Dispose()
    {
        compute.Pool.Return(indices);
        compute.Pool.Return(first);
        compute.Pool.Return(pixels);
    }
}
