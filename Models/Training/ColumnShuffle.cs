using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// Permutes each column of a batch of codes on its own, so that the factors of a row come from different images. The permutations are a
/// pure function of seed and
/// step, drawn on the host and written to device memory before each step.
/// </summary>
internal sealed class ColumnShuffle : IDisposable
{
    // Apart from every other use of the seed ("perm" in ASCII).
    private const uint Stream = 0x7065726d;

    private readonly Compute compute;
    private readonly ulong seed;
    private readonly int columns;
    private readonly int[] host;
    private readonly Slice<int> device;

    public ColumnShuffle(Compute compute, int largestBatch, int columns, ulong seed)
    {
        (this.compute, this.columns, this.seed) = (compute, columns, seed);
        host = new int[largestBatch * columns];
        device = compute.Pool.Rent<int>(host.Length);
    }

    /// <summary>Draws the permutations of a step for a batch of <paramref name="rows"/>.</summary>
    public void Draw(uint step, int rows)
    {
        Span<uint> words = stackalloc uint[4];
        for (int column = 0; column < columns; column++)
        {
            // Entry (row, column) is the place in the batch, as one long vector, that the value comes from.
            for (int row = 0; row < rows; row++)
                host[row * columns + column] = row * columns + column;
            for (int i = rows - 1; i > 0; i--)
            {
                if ((i & 3) == 3 || i == rows - 1)
                    (words[0], words[1], words[2], words[3]) =
                        Philox.Words((uint)(i / 4), step, (uint)column, Stream, (uint)seed, (uint)(seed >> 32));
                int j = (int)(((ulong)words[i & 3] * (uint)(i + 1)) >> 32);
                ref int a = ref host[i * columns + column], b = ref host[j * columns + column];
                (a, b) = (b, a);
            }
        }
        compute.Backend.Upload<int>(host.AsSpan(0, rows * columns), device.Part(0, rows * columns));
    }

    /// <summary>The codes [B, columns] with each column permuted; no gradient flows through it.</summary>
    public Tensor Apply(Tensor codes)
    {
        var permuted = Tape.Current.Empty(codes.Shape);
        compute.Backend.GatherRows(codes.Data, device.Part(0, codes.Length), 1, permuted.Data);
        return permuted;
    }

    public void Dispose() => compute.Pool.Return(device);
}
