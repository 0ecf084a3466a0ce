using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Filling, copying, permuting and gathering.</summary>
internal sealed unsafe partial class CpuBackend
{
    public void Fill(Slice<float> y, float value) => ForEach(Parts(y.Length), new FillJob(y, value));

    public void CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride, bool accumulate)
    {
        Require.CopyBlock(rows, columns, from, fromStride, to, toStride);
        ForEach(RowParts(rows, columns), new CopyBlockJob(rows, columns, from.Pointer, fromStride, to.Pointer, toStride, accumulate));
    }

    public void Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
    {
        Require.Permute(x, sizes, order, y);
        var job = new PermuteJob(x, sizes, order, y);
        ForEach(job.Parts, job);
    }

    public void GatherBytes(Slice<byte> table, Slice<int> indices, int width, float scale, Slice<float> y, Slice<int> first)
    {
        Require.GatherFrom("gather_bytes", indices.Length, width, y, first);
        indices = From("gather_bytes", indices, first, y.Length / width);
        CheckRows("gather_bytes", table.Length / width, indices);
        ForEach(RowParts(indices.Length, width), new GatherBytesJob(table.Pointer, indices, width, scale, y.Pointer));
    }

    public void GatherRows(Slice<float> table, Slice<int> indices, int width, Slice<float> y, Slice<int> first)
    {
        Require.GatherFrom("gather_rows", indices.Length, width, y, first);
        indices = From("gather_rows", indices, first, y.Length / width);
        CheckRows("gather_rows", table.Length / width, indices);
        ForEach(RowParts(indices.Length, width), new GatherRowsJob(table.Pointer, indices, width, y.Pointer));
    }

    /// <summary>So many indices from first[0] on, or all of them.</summary>
    private static Slice<int> From(string operation, Slice<int> indices, Slice<int> first, int rows)
    {
        int start = first.IsAbsent ? 0 : first.Pointer[0];
        Require.That(start >= 0 && start <= indices.Length - rows, operation,
            $"{rows} rows from index {start} on were asked of {indices.Length} indices");
        return indices.Part(start, rows);
    }

    private static void CheckRows(string operation, int rows, Slice<int> indices)
    {
        foreach (int i in indices.AsSpan())
            Require.That((uint)i < (uint)rows, operation, $"row {i} was asked of a table of {rows} rows");
    }

    private readonly struct FillJob(Slice<float> y, float value) : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V> =>
            y.AsSpan().Slice(part * ElementwiseChunk, Math.Min(ElementwiseChunk, y.Length - part * ElementwiseChunk)).Fill(value);
    }

    private readonly struct CopyBlockJob(int rows, int columns, float* from, int fromStride, float* to, int toStride, bool accumulate)
        : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(columns), last = Math.Min(rows, first + RowsPerPart(columns));
            for (int r = first; r < last; r++)
            {
                float* s = from + (nint)r * fromStride, d = to + (nint)r * toStride;
                int i = 0;
                for (; i <= columns - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    V.Store(accumulate ? V.Load(d + i) + V.Load(s + i) : V.Load(s + i), d + i);
                int rest = columns - i;
                if (rest > 0)
                    V.StorePart(accumulate ? V.LoadPart(d + i, rest) + V.LoadPart(s + i, rest) : V.LoadPart(s + i, rest), d + i, rest);
            }
        }
    }

    private readonly struct GatherBytesJob(byte* table, Slice<int> indices, int width, float scale, float* y) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(width), last = Math.Min(indices.Length, first + RowsPerPart(width));
            V s = V.Broadcast(scale);
            for (int r = first; r < last; r++)
            {
                byte* row = table + (nint)indices.Pointer[r] * width;
                float* to = y + (nint)r * width;
                int i = 0;
                for (; i <= width - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    V.Store(V.FromBytes(row + i) * s, to + i);
                for (; i < width; i++)
                    to[i] = row[i] * scale;
            }
        }
    }

    private readonly struct GatherRowsJob(float* table, Slice<int> indices, int width, float* y) : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(width), last = Math.Min(indices.Length, first + RowsPerPart(width));
            for (int r = first; r < last; r++)
                new ReadOnlySpan<float>(table + (nint)indices.Pointer[r] * width, width).CopyTo(new(y + (nint)r * width, width));
        }
    }

    /// <summary>
    /// y is written in order. Axes that stay neighbours are merged; what remains is copied in rows where y's last axis is x's last, and
    /// transposed in tiles elsewhere.
    /// </summary>
    private readonly struct PermuteJob : ILaneJob
    {
        private const int Tile = 16;
        private readonly float* x;
        private readonly float* y;
        private readonly AxisList size;
        private readonly AxisList stride;
        private readonly int axes;
        private readonly int rows;
        private readonly int rowsPerPart;

        [InlineArray(Require.MostAxes)]
        private struct AxisList
        {
            private int first;
        }

        public PermuteJob(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
        {
            int n = sizes.Length;
            Span<int> strides = stackalloc int[Require.MostAxes];
            for (int d = n - 1, apart = 1; d >= 0; apart *= sizes[d--])
                strides[d] = apart;
            this.x = x.Pointer;
            this.y = y.Pointer;
            for (int d = 0; d < n; d++)
            {
                int axis = order[d];
                if (sizes[axis] == 1)
                    continue;
                if (axes > 0 && stride[axes - 1] == strides[axis] * sizes[axis])
                {
                    size[axes - 1] *= sizes[axis];
                    stride[axes - 1] = strides[axis];
                }
                else
                {
                    size[axes] = sizes[axis];
                    stride[axes++] = strides[axis];
                }
            }
            if (axes == 0)
            {
                size[0] = x.Length;
                stride[0] = 1;
                axes = 1;
            }
            rows = size[axes - 1] == 0 ? 0 : x.Length / size[axes - 1];
            // Tiles need whole groups of rows that are neighbours in x.
            rowsPerPart = Math.Max(Tile, ReduceChunk / Math.Max(1, size[axes - 1]) / Tile * Tile);
        }

        public int Parts => (rows + rowsPerPart - 1) / rowsPerPart;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int width = size[axes - 1], step = stride[axes - 1], row = part * rowsPerPart, last = Math.Min(rows, row + rowsPerPart);
            while (row < last)
            {
                float* from = x + Offset(row);
                float* to = y + (nint)row * width;
                if (step == 1)
                {
                    new ReadOnlySpan<float>(from, width).CopyTo(new(to, width));
                    row++;
                    continue;
                }
                // Rows along y's second-last axis; a tile of them reads x in runs where that axis is x's last.
                int neighbours = axes > 1 ? Math.Min(Math.Min(Tile, last - row), size[axes - 2] - row % size[axes - 2]) : 1;
                int rowStep = axes > 1 ? stride[axes - 2] : 0;
                for (int c = 0; c < width; c++)
                {
                    float* s = from + (nint)c * step;
                    for (int k = 0; k < neighbours; k++)
                        to[(nint)k * width + c] = s[(nint)k * rowStep];
                }
                row += neighbours;
            }
        }

        /// <summary>Where row <paramref name="row"/> of y begins in x.</summary>
        private nint Offset(int row)
        {
            nint offset = 0;
            for (int d = axes - 2; d >= 0; d--)
            {
                offset += (nint)(row % size[d]) * stride[d];
                row /= size[d];
            }
            return offset;
        }
    }
}
