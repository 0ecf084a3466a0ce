using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Data.Streaming;

/// <summary>
/// An order of images for a file that does not fit into memory: runs of neighbours (chunks) are dealt to windows at random, and the images
/// of a window are
/// shuffled. A pure function of seed and epoch, so that a resumed run continues in the order that an uninterrupted one has.
/// </summary>
/// <param name="count">Number of images.</param>
/// <param name="chunk">Images that are read together.</param>
/// <param name="chunksPerWindow">Chunks that are in memory together.</param>
/// <param name="seed">The seed of the run.</param>
internal sealed class WindowOrder(int count, int chunk, int chunksPerWindow, ulong seed)
{
    /// <summary>Keeps these draws apart from every other use of the same seed ("wind" in ASCII).</summary>
    private const uint Stream = 0x77696E64;

    public int Count { get; } = count > 0 ? count
        : throw new ArgumentOutOfRangeException(nameof(count), count, "windows: there must be at least one image");
    public int Chunk { get; } = chunk > 0 ? chunk
        : throw new ArgumentOutOfRangeException(nameof(chunk), chunk, "windows: a chunk holds at least one image");
    public int ChunksPerWindow { get; } = chunksPerWindow > 0 ? chunksPerWindow
        : throw new ArgumentOutOfRangeException(nameof(chunksPerWindow), chunksPerWindow, "windows: a window holds at least one chunk");

    public int Chunks => (Count + Chunk - 1) / Chunk;

    public int Windows => (Chunks + ChunksPerWindow - 1) / ChunksPerWindow;

    /// <summary>Images of a chunk; the last may have fewer.</summary>
    public int SizeOf(int chunk) => Math.Min(Chunk, Count - chunk * Chunk);

    /// <summary>The chunks of every window of an epoch, in ascending order within a window, for reading from front to back.</summary>
    public int[][] Deal(int epoch)
    {
        int[] order = [.. Enumerable.Range(0, Chunks)];
        Shuffle(order, epoch, window: 0);
        return [.. order.Chunk(ChunksPerWindow).Select(window => window.Order().ToArray())];
    }

    /// <summary>The images of one window of an epoch in the order of training.</summary>
    /// <param name="chunks">That window's entry in <see cref="Deal"/>.</param>
    public int[] Images(int epoch, int window, int[] chunks)
    {
        int[] images = [.. chunks.SelectMany(c => Enumerable.Range(c * Chunk, SizeOf(c)))];
        Shuffle(images, epoch, (uint)window + 1);
        return images;
    }

    /// <summary>Every image once, in the order of training.</summary>
    public int[] Permutation(int epoch) => [.. Deal(epoch).SelectMany((chunks, window) => Images(epoch, window, chunks))];

    private void Shuffle(int[] order, int epoch, uint window)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        new Philox(seed, (uint)epoch, Stream, draw: window).Shuffle<int>(order);
    }
}
