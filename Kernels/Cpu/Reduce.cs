using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Sums, maxima and log-sum-exps over one axis, and the gradient of a sum.</summary>
/// <remarks>
/// Sums are pairs of floats per lane (<see cref="PairSum"/>) over fixed pieces of the axis, and doubles across lanes and pieces; four rows
/// are first added in float,
/// so a sum is right to about 1e-7 of the sum of magnitudes. Pieces depend on sizes alone: the bits are the same for every number of
/// threads.
/// </remarks>
internal sealed unsafe partial class CpuBackend
{
    /// <summary>Floats a part of a reduction.</summary>
    private const int ReduceChunk = 32_768;

    /// <summary>Rows up to this long are summed by one thread each; longer ones are cut.</summary>
    private const int LongestWholeRow = 4096;

    public void Sum(Slice<float> x, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate)
    {
        Require.Reduction("sum", x, outer, n, inner, y);
        if (inner == 1 && n <= LongestWholeRow)
            ForEach(RowParts(outer, n), new SumRowsJob(x.Pointer, outer, n, scale, y.Pointer, accumulate));
        else
            SumColumns(new PlainSource(x.Pointer), outer, n, inner, scale, y, accumulate);
    }

    public void SumColumns(ReadOnlySpan<ColumnSum> sums)
    {
        foreach (var s in sums)
            Sum(s.X, 1, s.Rows, s.Columns, s.Scale, s.Y, s.Accumulate);
    }

    /// <summary>What is summed was just written, and is still in the cache: waiting would lose that.</summary>
    public int ColumnSumsAtOnce => 1;

    public void Spread(Slice<float> y, int outer, int n, int inner, float scale, Slice<float> x, bool accumulate)
    {
        Require.Reduction("spread", x, outer, n, inner, y);
        ForEach(RowParts(outer, n * inner), new SpreadJob(y.Pointer, outer, n, inner, scale, x.Pointer, accumulate));
    }

    public void Max(Slice<float> x, int outer, int n, int inner, Slice<float> y)
    {
        Require.Reduction("max", x, outer, n, inner, y);
        ForEach(RowParts(outer, n * inner), new MaxJob(x.Pointer, outer, n, inner, y.Pointer));
    }

    public void LogSumExp(Slice<float> x, int outer, int n, int inner, Slice<float> y)
    {
        Require.Reduction("log_sum_exp", x, outer, n, inner, y);
        ForEach(RowParts(outer, n * inner), new LogSumExpJob(x.Pointer, outer, n, inner, y.Pointer));
    }

    /// <summary>Rows a part, so that each has about <see cref="ReduceChunk"/> floats.</summary>
    private static int RowsPerPart(int width) => Math.Max(1, ReduceChunk / Math.Max(1, width));

    internal static int RowParts(int rows, int width) => (rows + RowsPerPart(width) - 1) / RowsPerPart(width);

    private readonly struct PlainSource(float* x) : IColumnSource
    {
        public float* Repeated => null;
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public V At<V>(nint i, V repeated) where V : struct, IVector<V> => V.Load(x + i);
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V PartAt<V>(nint i, V repeated, int count) where V : struct, IVector<V> =>
            V.LoadPart(x + i, count);
    }

    private readonly struct SumRowsJob(float* x, int rows, int n, float scale, float* y, bool accumulate) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(n), last = Math.Min(rows, first + RowsPerPart(n));
            for (int r = first; r < last; r++)
            {
                double total = scale * Rows.Sum<V>(x + (nint)r * n, n);
                y[r] = (float)(accumulate ? y[r] + total : total);
            }
        }
    }

    private readonly struct SpreadJob(float* y, int outer, int n, int inner, float scale, float* x, bool accumulate) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int perPart = RowsPerPart(n * inner), first = part * perPart, last = Math.Min(outer, first + perPart);
            V s = V.Broadcast(scale);
            for (int o = first; o < last; o++)
            {
                float* from = y + (nint)o * inner;
                float* to = x + (nint)o * n * inner;
                if (inner == 1)
                    Row(V.Broadcast(from[0]) * s, to, n);
                else
                    for (int r = 0; r < n; r++, to += inner)
                        Row(from, s, to);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Row<V>(V value, float* to, int count) where V : struct, IVector<V>
        {
            int i = 0;
            for (; i <= count - IVector<V>.Lanes; i += IVector<V>.Lanes)
                V.Store(accumulate ? V.Load(to + i) + value : value, to + i);
            if (i < count)
                V.StorePart(accumulate ? V.LoadPart(to + i, count - i) + value : value, to + i, count - i);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Row<V>(float* from, V s, float* to) where V : struct, IVector<V>
        {
            int i = 0;
            for (; i <= inner - IVector<V>.Lanes; i += IVector<V>.Lanes)
            {
                V value = V.Load(from + i) * s;
                V.Store(accumulate ? V.Load(to + i) + value : value, to + i);
            }
            int rest = inner - i;
            if (rest > 0)
            {
                V value = V.LoadPart(from + i, rest) * s;
                V.StorePart(accumulate ? V.LoadPart(to + i, rest) + value : value, to + i, rest);
            }
        }
    }

    private readonly struct MaxJob(float* x, int outer, int n, int inner, float* y) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int perPart = RowsPerPart(n * inner), first = part * perPart, last = Math.Min(outer, first + perPart);
            for (int o = first; o < last; o++)
            {
                float* from = x + (nint)o * n * inner;
                if (inner == 1)
                    y[o] = V.MaxLanes(Rows.Max<V>(from, n));
                else
                    for (int c = 0; c < inner; c += IVector<V>.Lanes)
                    {
                        int count = Math.Min(IVector<V>.Lanes, inner - c);
                        V.StorePart(Columns.Max<V>(from + c, n, inner, count), y + (nint)o * inner + c, count);
                    }
            }
        }
    }

    private readonly struct LogSumExpJob(float* x, int outer, int n, int inner, float* y) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int perPart = RowsPerPart(n * inner), first = part * perPart, last = Math.Min(outer, first + perPart);
            for (int o = first; o < last; o++)
            {
                float* from = x + (nint)o * n * inner;
                if (inner == 1)
                    y[o] = Rows.LogSumExp<V>(from, n);
                else
                    for (int c = 0; c < inner; c += IVector<V>.Lanes)
                    {
                        int count = Math.Min(IVector<V>.Lanes, inner - c);
                        V.StorePart(Columns.LogSumExp<V>(from + c, n, inner, count), y + (nint)o * inner + c, count);
                    }
            }
        }
    }
}
