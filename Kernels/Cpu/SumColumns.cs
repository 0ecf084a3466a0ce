using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>
/// What <see cref="CpuBackend"/> sums down columns: entries computed from a flat index and, where an operand is repeated down the rows,
/// from its column.
/// </summary>
internal unsafe interface IColumnSource
{
    /// <summary>One row of an operand that is the same in every row; null where there is none.</summary>
    float* Repeated { get; }

    V At<V>(nint i, V repeated) where V : struct, IVector<V>;

    /// <summary>As <see cref="At"/> for <paramref name="count"/> lanes; lanes behind them do not matter.</summary>
    V PartAt<V>(nint i, V repeated, int count) where V : struct, IVector<V>;
}

/// <summary>The one deterministic column sum behind sums over an axis, gradients of broadcast operands and batch statistics.</summary>
internal sealed unsafe partial class CpuBackend
{
    /// <summary>Columns that are summed together: four vectors, one cache line each.</summary>
    private const int ColumnStrip = 64;

    /// <summary>Columns of one part.</summary>
    private const int ColumnBlock = 512;

    private const int MostColumns = 1024;

    /// <summary>y[o, i] (+)= scale * sum over r of source[o, r, i]; the source is [outer, n, inner].</summary>
    private void SumColumns<S>(S source, int outer, int n, int inner, double scale, Slice<float> y, bool accumulate)
        where S : struct, IColumnSource
    {
        var plan = new ColumnPlan(outer, n, inner);
        double* partial = plan.RowParts > 1 ? (double*)partialSums.Reserve(2L * plan.RowParts * outer * inner) : null;
        ForEach(plan.Parts, new SumColumnsJob<S>(source, plan, partial, scale, y.Pointer, accumulate));
        if (partial != null)
            ForEach(Parts(outer * inner), new AddPartsJob(partial, plan.RowParts, inner, outer * inner, scale, y.Pointer, accumulate));
    }

    /// <summary>
    /// How [outer, n, inner] is cut. A few columns are widened: k rows of [n, inner] are one row of <see cref="Width"/> = k inner columns,
    /// folded at the end.
    /// </summary>
    private readonly struct ColumnPlan
    {
        public readonly int Outer, Inner, Width, RowsPerPart, RowParts, ColumnParts, OutersPerPart;
        public readonly long Length;

        public ColumnPlan(int outer, int n, int inner)
        {
            (Outer, Inner, Length) = (outer, inner, (long)n * inner);
            int fold = 1;
            if (inner < ColumnStrip)
            {
                int whole = 16 / (int)Math.Min(16, inner & -inner);
                fold = whole * ((ColumnStrip + inner * whole - 1) / (inner * whole));
                if (fold > n)
                    fold = 1;
            }
            Width = inner * fold;
            ColumnParts = fold > 1 ? 1 : (inner + ColumnBlock - 1) / ColumnBlock;
            int rows = (n + fold - 1) / fold;
            RowsPerPart = Math.Max(1, ReduceChunk / Math.Min(Width, ColumnBlock));
            RowParts = Math.Max(1, (rows + RowsPerPart - 1) / RowsPerPart);
            OutersPerPart = RowParts == 1 && ColumnParts == 1 ? (int)Math.Max(1, ReduceChunk / Math.Max(1, Length)) : 1;
        }

        public int Parts => (Outer + OutersPerPart - 1) / OutersPerPart * RowParts * ColumnParts;
    }

    private readonly struct SumColumnsJob<S>(S source, ColumnPlan plan, double* partial, double scale, float* y, bool accumulate) : ILaneJob
        where S : struct, IColumnSource
    {
        [SkipLocalsInit]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            double* totals = stackalloc double[MostColumns];
            int columnPart = part % plan.ColumnParts, rowPart = part / plan.ColumnParts % plan.RowParts,
                group = part / (plan.ColumnParts * plan.RowParts);
            int firstColumn = columnPart * ColumnBlock, columns = plan.ColumnParts == 1 ? plan.Width
                : Math.Min(ColumnBlock, plan.Inner - firstColumn);
            int results = Math.Min(columns, plan.Inner);
            int lastOuter = Math.Min(plan.Outer, (group + 1) * plan.OutersPerPart);
            for (int o = group * plan.OutersPerPart; o < lastOuter; o++)
            {
                Block<V>((nint)(o * plan.Length), rowPart * plan.RowsPerPart, firstColumn, columns, totals);
                for (int to = 0; to < results; to++)
                {
                    double total = totals[to];
                    for (int c = to + results; c < columns; c += results)
                        total += totals[c];
                    totals[to] = total;
                }
                nint at = (nint)o * plan.Inner + firstColumn;
                if (partial != null)
                    new Span<double>(totals, results)
                        .CopyTo(new(partial + ((nint)o * plan.RowParts + rowPart) * plan.Inner + firstColumn, results));
                else
                    for (int c = 0; c < results; c++)
                        y[at + c] = (float)(accumulate ? y[at + c] + scale * totals[c] : scale * totals[c]);
            }
        }

        /// <summary>Sums rows [firstRow, firstRow + RowsPerPart) of the columns; the last row of all may be short.</summary>
        [SkipLocalsInit]
        private void Block<V>(nint start, int firstRow, int firstColumn, int columns, double* totals) where V : struct, IVector<V>
        {
            float* wide = stackalloc float[MostColumns];
            float* repeated = source.Repeated;
            if (repeated != null && plan.Width > plan.Inner)
            {
                for (int c = 0; c < plan.Width; c++)
                    wide[c] = repeated[c % plan.Inner];
                repeated = wide;
            }
            long from = (long)firstRow * plan.Width, length = Math.Min((long)plan.RowsPerPart * plan.Width, plan.Length - from);
            int rows = (int)(length / plan.Width), tail = (int)(length % plan.Width);
            int column = 0;
            for (; column <= columns - ColumnStrip; column += ColumnStrip)
                Strip<V>(start + (nint)from, rows, tail, firstColumn + column, repeated, totals + column);
            for (; column < columns; column += IVector<V>.Lanes)
                NarrowStrip<V>(start + (nint)from, rows, tail, firstColumn + column, Math.Min(IVector<V>.Lanes, columns - column), repeated,
                    totals + column);
        }

        /// <summary>
        /// Four vectors of columns at a time where each is one register; where it is two, four would not fit, and the compiler leaves the
        /// second pair out.
        /// </summary>
        private void Strip<V>(nint start, int rows, int tail, int column, float* repeated, double* totals) where V : struct, IVector<V>
        {
            int step = Vector512.IsHardwareAccelerated ? ColumnStrip : ColumnStrip / 2;
            for (int c = 0; c < ColumnStrip; c += step)
                Vectors<V>(start, rows, tail, column + c, repeated, totals + c);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Vectors<V>(nint start, int rows, int tail, int column, float* repeated, double* totals) where V : struct, IVector<V>
        {
            V zero = V.Broadcast(0f);
            V r0 = zero, r1 = zero, r2 = zero, r3 = zero;
            if (repeated != null)
            {
                (r0, r1) = (V.Load(repeated + column), V.Load(repeated + column + 16));
                if (Vector512.IsHardwareAccelerated)
                    (r2, r3) = (V.Load(repeated + column + 32), V.Load(repeated + column + 48));
            }
            V h0 = zero, h1 = zero, h2 = zero, h3 = zero, l0 = zero, l1 = zero, l2 = zero, l3 = zero;
            nint w = plan.Width, i = start + column;
            int r = 0;
            for (; r <= rows - 4; r += 4, i += 4 * w)
            {
                TwoSum.Add(ref h0, ref l0, FourRows(i, w, r0));
                TwoSum.Add(ref h1, ref l1, FourRows(i + 16, w, r1));
                if (!Vector512.IsHardwareAccelerated)
                    continue;
                TwoSum.Add(ref h2, ref l2, FourRows(i + 32, w, r2));
                TwoSum.Add(ref h3, ref l3, FourRows(i + 48, w, r3));
            }
            for (; r < rows; r++, i += w)
            {
                TwoSum.Add(ref h0, ref l0, source.At(i, r0));
                TwoSum.Add(ref h1, ref l1, source.At(i + 16, r1));
                if (!Vector512.IsHardwareAccelerated)
                    continue;
                TwoSum.Add(ref h2, ref l2, source.At(i + 32, r2));
                TwoSum.Add(ref h3, ref l3, source.At(i + 48, r3));
            }
            if (tail > column)
            {
                TwoSum.Add(ref h0, ref l0, Part(i, r0, tail - column));
                TwoSum.Add(ref h1, ref l1, Part(i + 16, r1, tail - column - 16));
                if (Vector512.IsHardwareAccelerated)
                {
                    TwoSum.Add(ref h2, ref l2, Part(i + 32, r2, tail - column - 32));
                    TwoSum.Add(ref h3, ref l3, Part(i + 48, r3, tail - column - 48));
                }
            }
            PairSum.StoreLanes(h0, l0, totals, 16);
            PairSum.StoreLanes(h1, l1, totals + 16, 16);
            if (!Vector512.IsHardwareAccelerated)
                return;
            PairSum.StoreLanes(h2, l2, totals + 32, 16);
            PairSum.StoreLanes(h3, l3, totals + 48, 16);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private V FourRows<V>(nint i, nint w, V repeated) where V : struct, IVector<V> =>
            (source.At(i, repeated) + source.At(i + w, repeated)) + (source.At(i + 2 * w, repeated) + source.At(i + 3 * w, repeated));

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void NarrowStrip<V>(nint start, int rows, int tail, int column, int count, float* repeated, double* totals)
            where V : struct, IVector<V>
        {
            V high = V.Broadcast(0f), low = high;
            V r0 = repeated == null ? high : V.LoadPart(repeated + column, count);
            nint w = plan.Width, i = start + column;
            int r = 0;
            for (; r <= rows - 4; r += 4, i += 4 * w)
                TwoSum.Add(ref high, ref low, (source.PartAt(i, r0, count) + source.PartAt(i + w, r0, count))
                    + (source.PartAt(i + 2 * w, r0, count) + source.PartAt(i + 3 * w, r0, count)));
            for (; r < rows; r++, i += w)
                TwoSum.Add(ref high, ref low, source.PartAt(i, r0, count));
            if (tail > column)
                TwoSum.Add(ref high, ref low, Part(i, r0, Math.Min(count, tail - column)));
            PairSum.StoreLanes(high, low, totals, count);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private V Part<V>(nint i, V repeated, int count) where V : struct, IVector<V> =>
            count <= 0 ? V.Broadcast(0f) : Lanes.Keep(source.PartAt(i, repeated, Math.Min(count, IVector<V>.Lanes)), count);
    }

    private readonly struct AddPartsJob(double* partial, int parts, int inner, int length, double scale, float* y, bool accumulate)
        : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * ElementwiseChunk, last = Math.Min(length, first + ElementwiseChunk);
            for (int i = first; i < last; i++)
            {
                double* piece = partial + (nint)(i / inner) * parts * inner + i % inner;
                double total = 0;
                for (int p = 0; p < parts; p++)
                    total += piece[(nint)p * inner];
                y[i] = (float)(accumulate ? y[i] + scale * total : scale * total);
            }
        }
    }
}
