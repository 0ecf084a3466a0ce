using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch;

/// <summary>
/// The order in which a training run visits its images: one permutation an epoch, a pure function of seed and epoch, so that a resumed run
/// continues in the order that an uninterrupted one has.
/// </summary>
/// <param name="count">Number of images.</param>
/// <param name="batchSize">Images a batch; more than <paramref name="count"/> means one batch.</param>
/// <param name="seed">The seed of the run.</param>
internal sealed class BatchOrder(int count, int batchSize, ulong seed)
{
    /// <summary>
    /// Keeps these draws apart from every other use of the same seed ("shuf" in ASCII); a device that shuffles by itself draws from it too.
    /// </summary>
    public const uint Stream = 0x73687566;

    public int Count { get; } = count > 0 ? count
        : throw new ArgumentOutOfRangeException(nameof(count), count, "batches: there must be at least one image");
    public int BatchSize { get; } = batchSize > 0 ? Math.Min(batchSize, count)
        : throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, "batches: a batch holds at least one image");
    public ulong Seed { get; } = seed;

    /// <summary>Batches an epoch, the last, smaller one included.</summary>
    public int BatchesPerEpoch => (Count + BatchSize - 1) / BatchSize;

    /// <summary>Images in one batch: <see cref="BatchSize"/>, or what is left for the last one.</summary>
    public int SizeOf(int batch) => Math.Min(BatchSize, Count - batch * BatchSize);

    /// <summary>The batches of an epoch in order, as indices of images, [<see cref="SizeOf"/>] each.</summary>
    /// <param name="epoch">From 0.</param>
    /// <param name="firstBatch">Where to start, for a resumed epoch.</param>
    public IEnumerable<ReadOnlyMemory<int>> Batches(int epoch, int firstBatch = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        int[] order = Permutation(epoch);
        for (int batch = firstBatch; batch < BatchesPerEpoch; batch++)
            yield return order.AsMemory(batch * BatchSize, SizeOf(batch));
    }

    /// <summary>Every index from 0 to <see cref="Count"/> - 1 once, shuffled by Fisher and Yates' method.</summary>
    public int[] Permutation(int epoch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        int[] order = new int[Count];
        for (int i = 0; i < order.Length; i++)
            order[i] = i;
        new Philox(Seed, (uint)epoch, Stream).Shuffle(order.AsSpan());
        return order;
    }
}
