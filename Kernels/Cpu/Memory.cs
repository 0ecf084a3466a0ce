using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Filling, copying, permuting and gathering.</summary>
public sealed unsafe partial class CpuBackend
{
    private const int MostAxes = 5;

    public void Fill(Slice<float> y, float value) => ForEach(Parts(y.Length), new FillJob(y, value));

    public void CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride, bool accumulate)
    {
        Check(rows >= 0 && columns >= 0 && (rows <= 1 || (fromStride >= columns && toStride >= columns)) && Fits(from, rows, columns, fromStride) && Fits(to, rows, columns, toStride),
            "copy_block", $"a block [{rows}, {columns}] with row strides {fromStride} and {toStride} does not fit buffers of {from.Length} and {to.Length}");
        ForEach(RowParts(rows, columns), new CopyBlockJob(rows, columns, from.Pointer, fromStride, to.Pointer, toStride, accumulate));
    }

    public void Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
    {
        var job = new PermuteJob(x, sizes, order, y);
        ForEach(job.Parts, job);
    }

    public void GatherBytes(Slice<byte> table, Slice<int> indices, int width, float scale, Slice<float> y, Slice<int> first)
    {
        int start = first.IsAbsent ? 0 : first.Pointer[0], rows = y.Length / Math.Max(1, width);
        Check(start >= 0 && start <= indices.Length - rows, "gather_bytes", $"{rows} rows from index {start} on were asked of {indices.Length} indices");
        indices = indices.Part(start, rows);
        CheckGather("gather_bytes", table.Length, indices, width, y);
        ForEach(RowParts(indices.Length, width), new GatherBytesJob(table.Pointer, indices, width, scale, y.Pointer));
    }

    public void GatherRows(Slice<float> table, Slice<int> indices, int width, Slice<float> y)
    {
        CheckGather("gather_rows", table.Length, indices, width, y);
        ForEach(RowParts(indices.Length, width), new GatherRowsJob(table.Pointer, indices, width, y.Pointer));
    }

    private static bool Fits(Slice<float> slice, int rows, int columns, int stride) => rows == 0 || (long)(rows - 1) * stride + columns <= slice.Length;

    private static void CheckGather(string operation, int tableLength, Slice<int> indices, int width, Slice<float> y)
    {
        Check(width > 0 && y.Length == (long)indices.Length * width, operation, $"{indices.Length} rows of {width} do not fill {y.Length} elements");
        int rows = tableLength / width;
        foreach (int i in indices.AsSpan())
            Check((uint)i < (uint)rows, operation, $"row {i} was asked of a table of {rows} rows of {width}");
    }

    private readonly struct FillJob(Slice<float> y, float value) : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V> =>
            y.AsSpan().Slice(part * ElementwiseChunk, Math.Min(ElementwiseChunk, y.Length - part * ElementwiseChunk)).Fill(value);
    }

    private readonly struct CopyBlockJob(int rows, int columns, float* from, int fromStride, float* to, int toStride, bool accumulate) : ILaneJob
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
    /// y is written in order. Axes that stay neighbours are merged; what remains is copied in rows where y's last axis is x's last, and transposed in tiles elsewhere.
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

        [InlineArray(MostAxes)]
        private struct AxisList
        {
            private int first;
        }

        public PermuteJob(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
        {
            int n = sizes.Length;
            Check(n is > 0 and <= MostAxes && order.Length == n, "permute", $"{n} sizes and an order of {order.Length}; one to {MostAxes} axes are supported");
            Span<int> strides = stackalloc int[MostAxes];
            long elements = 1;
            for (int d = n - 1; d >= 0; d--)
            {
                strides[d] = (int)elements;
                elements *= sizes[d];
            }
            Check(elements == x.Length && elements == y.Length, "permute", $"the sizes give {elements} elements, x has {x.Length}, y {y.Length}");
            this.x = x.Pointer;
            this.y = y.Pointer;
            int seen = 0;
            for (int d = 0; d < n; d++)
            {
                int axis = order[d];
                Check((uint)axis < (uint)n && (seen & (1 << axis)) == 0, "permute", $"the order must name each of {n} axes once; entry {d} is {axis}");
                seen |= 1 << axis;
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
                size[0] = (int)elements;
                stride[0] = 1;
                axes = 1;
            }
            rows = size[axes - 1] == 0 ? 0 : (int)(elements / size[axes - 1]);
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
