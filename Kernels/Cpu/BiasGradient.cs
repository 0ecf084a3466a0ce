using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    private const int MaskChunk = 32 * 1024;

    public void BiasGradient(int rows, int columns, Slice<float> g, Slice<float> dbias, bool accumulate)
    {
        RequireLength("bias gradient", "g", g.Length, (long)rows * columns, (rows, columns));
        RequireLength("bias gradient", "dbias", dbias.Length, columns, (rows, columns));
        if (columns == 0)
            return;
        var job = new ColumnSumJob(rows, columns, g.Pointer);
        double* sums = (double*)sharedScratch.Reserve(job.SumFloats);
        job.Sums = sums;
        if ((long)rows * columns < MaskChunk)
            for (int i = 0; i < job.Chunks; i++)
                job.Run(i);
        else
            team.ForEach(job.Chunks, ref job);
        for (int j = 0; j < columns; j++)
        {
            double total = accumulate ? dbias.Pointer[j] : 0;
            for (int chunk = 0; chunk < job.Chunks; chunk++)
                for (int fold = 0; fold < job.Folds; fold++)
                    total += sums[((nint)chunk * job.Folds + fold) * columns + j];
            for (int row = job.FoldedRows; row < rows; row++)
                total += g.Pointer[(nint)row * columns + j];
            dbias.Pointer[j] = (float)total;
        }
    }

    public void ReluMask(Slice<float> y, Slice<float> g)
    {
        RequireLength("relu mask", "g", g.Length, y.Length, y.Length);
        var job = new ReluMaskJob(y.Pointer, g.Pointer, y.Length, MaskChunk);
        team.ForEach((y.Length + MaskChunk - 1) / MaskChunk, ref job);
    }
}

/// <summary>
/// Column sums of [rows, columns] by chunks of rows: float over up to 256 rows, double beyond. Narrow arrays are folded: 16 rows of 1 column are 1 row of 16.
/// </summary>
internal unsafe struct ColumnSumJob : IJob
{
    private const int FloatRows = 256;
    private const int MostChunks = 16;
    private readonly int columns, rows;
    private readonly float* g;

    public ColumnSumJob(int rows, int columns, float* g)
    {
        this.g = g;
        Folds = columns >= 16 ? 1 : (16 + columns - 1) / columns * 2;
        FoldedRows = rows / Folds * Folds;
        this.rows = rows / Folds;
        this.columns = columns * Folds;
        Chunks = Math.Clamp(this.rows / FloatRows, 1, MostChunks);
    }

    /// <summary>Rows of the array side by side in one row that is summed.</summary>
    public int Folds { get; }

    /// <summary>Rows that the folded sums cover; the rest are fewer than <see cref="Folds"/>.</summary>
    public int FoldedRows { get; }

    public int Chunks { get; }

    /// <summary>Result: [chunks, folds, columns].</summary>
    public double* Sums { get; set; }

    public readonly long SumFloats => 2L * Chunks * columns;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run(int chunk)
    {
        double* sums = Sums + (nint)chunk * columns;
        new Span<double>(sums, columns).Clear();
        int end = (int)((long)rows * (chunk + 1) / Chunks);
        for (int from = (int)((long)rows * chunk / Chunks); from < end; from += FloatRows)
        {
            int count = Math.Min(FloatRows, end - from);
            float* block = g + (nint)from * columns;
            int j = 0;
            for (; j <= columns - 32; j += 32)
            {
                Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
                float* p = block + j;
                for (int row = 0; row < count; row++, p += columns)
                {
                    s0 += Vector256.Load(p);
                    s1 += Vector256.Load(p + 8);
                    s2 += Vector256.Load(p + 16);
                    s3 += Vector256.Load(p + 24);
                }
                Add(s0, sums + j);
                Add(s1, sums + j + 8);
                Add(s2, sums + j + 16);
                Add(s3, sums + j + 24);
            }
            for (; j <= columns - 8; j += 8)
            {
                Vector256<float> s = default;
                float* p = block + j;
                for (int row = 0; row < count; row++, p += columns)
                    s += Vector256.Load(p);
                Add(s, sums + j);
            }
            for (; j < columns; j++)
            {
                float s = 0;
                for (int row = 0; row < count; row++)
                    s += block[(nint)row * columns + j];
                sums[j] += s;
            }
        }
    }

    private static void Add(Vector256<float> value, double* to)
    {
        var (low, high) = Vector256.Widen(value);
        Vector256.Store(Vector256.Load(to) + low, to);
        Vector256.Store(Vector256.Load(to + 4) + high, to + 4);
    }
}

internal readonly unsafe struct ReluMaskJob(float* y, float* g, int length, int chunk) : IJob
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int index)
    {
        int i = index * chunk, end = Math.Min(length, i + chunk);
        for (; i <= end - 8; i += 8)
            Vector256.Store(Vector256.ConditionalSelect(Vector256.GreaterThan(Vector256.Load(y + i), Vector256<float>.Zero), Vector256.Load(g + i), Vector256<float>.Zero), g + i);
        for (; i < end; i++)
            g[i] = y[i] > 0 ? g[i] : 0;
    }
}
