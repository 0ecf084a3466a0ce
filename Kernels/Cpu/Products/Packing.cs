using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>Copies of matrix blocks in the order in which a microkernel reads them: k-major, a fixed width of neighbours per k.</summary>
internal static unsafe class Packing
{
    /// <summary>Floats of a row in a cache line.</summary>
    private const int TransposeDepth = 16;

    /// <summary>How many rows ahead a copy asks for: their distance is more than the processor's own prefetching follows.</summary>
    private const int RowsAhead = 8;

    /// <summary>
    /// to[k * width + i] = from[i * stride + k]: rows become neighbours. Entries from <paramref name="rows"/> to <paramref name="width"/>
    /// are set to 0.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* from, nint stride, int rows, int depth, float* to, int width)
    {
        int i = 0, whole = rows >= 4 ? depth & ~(TransposeDepth - 1) : 0;
        // A cache line of every row at a time: the lines written to are then still in the first-level cache when the next rows add their
        // part.
        for (int from0 = 0; from0 < whole; from0 += TransposeDepth)
            for (i = 0; i < rows; i += 4)
            {
                // The last group overlaps the one before it rather than go row by row.
                i = Math.Min(i, rows - 4);
                TransposeFour(from + i * stride + from0, stride, to + (nint)from0 * width + i, width);
            }
        for (int k = whole; k < depth && rows >= 4; k++)
            for (i = 0; i < rows; i++)
                to[(nint)k * width + i] = from[i * stride + k];
        for (i = rows >= 4 ? rows : 0; i < rows; i++)
        {
            float* r = from + i * stride;
            float* t = to + i;
            for (int k = 0; k < depth; k++, t += width)
                *t = r[k];
        }
        for (; i < width; i++)
        {
            float* t = to + i;
            for (int k = 0; k < depth; k++, t += width)
                *t = 0;
        }
    }

    /// <summary>Four rows, a cache line of each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeFour(float* r0, nint stride, float* t, int width)
    {
        float* r1 = r0 + stride, r2 = r1 + stride, r3 = r2 + stride;
        for (int k = 0; k < TransposeDepth; k += 4, t += 4 * width)
        {
            var v0 = Vector128.Load(r0 + k);
            var v1 = Vector128.Load(r1 + k);
            var v2 = Vector128.Load(r2 + k);
            var v3 = Vector128.Load(r3 + k);
            var low01 = Shuffle128.InterleaveLow(v0, v1);
            var high01 = Shuffle128.InterleaveHigh(v0, v1);
            var low23 = Shuffle128.InterleaveLow(v2, v3);
            var high23 = Shuffle128.InterleaveHigh(v2, v3);
            Vector128.Store(Shuffle128.LowPairs(low01, low23), t);
            Vector128.Store(Shuffle128.HighPairs(low01, low23), t + width);
            Vector128.Store(Shuffle128.LowPairs(high01, high23), t + 2 * width);
            Vector128.Store(Shuffle128.HighPairs(high01, high23), t + 3 * width);
        }
    }

    /// <summary>to[k * width + i] = from[k * stride + i], 0 from <paramref name="columns"/> to <paramref name="width"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(float* from, nint stride, int columns, int depth, float* to, int width)
    {
        for (int k = 0; k < depth; k++, from += stride, to += width)
        {
            if (Sse.IsSupported)
                Sse.Prefetch0(from + RowsAhead * stride);
            int i = 0;
            for (; i <= columns - 8; i += 8)
                Vector256.Store(Vector256.Load(from + i), to + i);
            for (; i < columns; i++)
                to[i] = from[i];
            for (; i < width; i++)
                to[i] = 0;
        }
    }

    /// <summary>A short copy without the cost of a call to the runtime.</summary>
    public static void CopyRow(float* from, float* to, int count)
    {
        int i = 0;
        for (; i <= count - 8; i += 8)
            Vector256.Store(Vector256.Load(from + i), to + i);
        for (; i < count; i++)
            to[i] = from[i];
    }

    public static void Clear(float* to, int count)
    {
        int i = 0;
        for (; i <= count - 8; i += 8)
            Vector256.Store(Vector256<float>.Zero, to + i);
        for (; i < count; i++)
            to[i] = 0;
    }

    /// <summary>
    /// Rows and columns of an image [height, width, channels] from a corner that may lie outside it; what is outside is 0.
    /// </summary>
    public static void CopyPadded(float* image, int height, int width, int channels, int firstRow, int rows, int firstColumn, int columns,
        float* to)
    {
        int left = Math.Clamp(-firstColumn, 0, columns), skip = Math.Max(0, firstColumn);
        int copied = Math.Clamp(width - skip, 0, columns - left), right = columns - left - copied;
        for (int row = firstRow; row < firstRow + rows; row++, to += (nint)columns * channels)
        {
            if (row < 0 || row >= height)
            {
                Clear(to, columns * channels);
                continue;
            }
            Clear(to, left * channels);
            CopyRow(image + ((nint)row * width + skip) * channels, to + left * channels, copied * channels);
            Clear(to + (left + copied) * channels, right * channels);
        }
    }
}
