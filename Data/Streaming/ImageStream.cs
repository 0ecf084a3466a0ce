namespace VaeFromScratch.Data.Streaming;

/// <summary>A batch of images out of a stream, valid until the next one is asked for.</summary>
/// <param name="Pixels">[images, H, W, C].</param>
/// <param name="Indices">Which images of the split they are.</param>
internal readonly record struct ImageBatch(ReadOnlyMemory<byte> Pixels, ReadOnlyMemory<int> Indices);

/// <summary>
/// Training batches from a cache file within a bounded memory: two windows of images, one being trained on while the next is read in the
/// background. Beside
/// <see cref="BatchOrder"/> and <see cref="ImageDataset"/>, which do the same for sets in memory; same seed, same order.
/// </summary>
internal sealed class ImageStream
{
    /// <summary>A window's size unless another is asked for; two of them are in memory.</summary>
    public const long DefaultWindowBytes = 128 << 20;
    private const int ChunkBytes = 1 << 20;

    private readonly CachedImages images;
    private readonly WindowOrder order;

    /// <param name="images">The split to train on.</param>
    /// <param name="batchSize">Images a batch; more than there are means one batch.</param>
    /// <param name="seed">The seed of the run.</param>
    /// <param name="windowBytes">Memory of one window.</param>
    public ImageStream(CachedImages images, int batchSize, ulong seed, long windowBytes = DefaultWindowBytes)
    {
        this.images = images;
        BatchSize = batchSize > 0 ? Math.Min(batchSize, images.Count)
            : throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, "stream: a batch holds at least one image");
        int pixels = images.Header.PixelsPerImage;
        // At least eight chunks a window, so that small windows mix distant images too.
        long inWindow = Math.Max(1, Math.Min(windowBytes, Array.MaxLength) / pixels);
        int chunk = (int)Math.Max(1, Math.Min(inWindow / 8, ChunkBytes / pixels));
        order = new(images.Count, chunk, (int)Math.Max(1, inWindow / chunk), seed);
    }

    public int BatchSize { get; }

    public int Count => images.Count;

    public WindowOrder Order => order;

    /// <summary>Batches an epoch, the last, smaller one included.</summary>
    public int BatchesPerEpoch => (Count + BatchSize - 1) / BatchSize;

    /// <summary>The batches of an epoch in order.</summary>
    /// <param name="epoch">From 0.</param>
    /// <param name="firstBatch">Where to start, for a resumed epoch; windows before it are not read.</param>
    public IEnumerable<ImageBatch> Batches(int epoch, int firstBatch = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        int pixels = images.Header.PixelsPerImage;
        byte[] batch = GC.AllocateUninitializedArray<byte>(BatchSize * pixels);
        int[] indices = new int[BatchSize];
        int filled = 0;
        long skip = (long)firstBatch * BatchSize;
        int[][] windows = order.Deal(epoch);
        int window = 0;
        for (; window < windows.Length && skip >= Size(windows[window]); window++)
            skip -= Size(windows[window]);

        byte[] current = [], next = [];
        var reading = Read(window, current);
        try
        {
            for (; window < windows.Length; window++)
            {
                current = reading.GetAwaiter().GetResult();
                reading = Read(window + 1, next);
                var slots = Slots(windows[window]);
                int[] inOrder = order.Images(epoch, window, windows[window]);
                for (int i = (int)skip; i < inOrder.Length; i++)
                {
                    int slot = slots[inOrder[i] / order.Chunk] + inOrder[i] % order.Chunk;
                    current.AsSpan(slot * pixels, pixels).CopyTo(batch.AsSpan(filled * pixels));
                    indices[filled++] = inOrder[i];
                    if (filled < BatchSize)
                        continue;
                    yield return new(batch, indices);
                    filled = 0;
                }
                skip = 0;
                next = current;
            }
            if (filled > 0)
                yield return new(batch.AsMemory(0, filled * pixels), indices.AsMemory(0, filled));
        }
        finally
        {
            // Whoever stops early may close the file next: let the read in flight finish first.
            ((IAsyncResult)reading).AsyncWaitHandle.WaitOne();
        }

        Task<byte[]> Read(int window, byte[] buffer) =>
            window >= windows.Length ? Task.FromResult(buffer) : Task.Run(() => ReadWindow(windows[window], buffer));
    }

    private int Size(int[] chunks) => chunks.Sum(order.SizeOf);

    private byte[] ReadWindow(int[] chunks, byte[] buffer)
    {
        int pixels = images.Header.PixelsPerImage;
        if (buffer.Length == 0)
            buffer = GC.AllocateUninitializedArray<byte>(Math.Min(order.ChunksPerWindow, order.Chunks) * order.Chunk * pixels);
        for (int i = 0; i < chunks.Length; i++)
            images.Cache.ReadPixels(images.First + chunks[i] * order.Chunk,
                buffer.AsSpan(i * order.Chunk * pixels, order.SizeOf(chunks[i]) * pixels));
        return buffer;
    }

    /// <summary>Where each chunk starts in the window, in images.</summary>
    private Dictionary<int, int> Slots(int[] chunks) =>
        chunks.Select((chunk, i) => (chunk, i)).ToDictionary(pair => pair.chunk, pair => pair.i * order.Chunk);
}
