using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The four sums per factor behind the Gaussian indicators, in one pass.</summary>
internal sealed unsafe partial class CpuBackend
{
    private const int Moments = 4;

    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums, long points,
        Slice<float> indicators)
    {
        Require.EncodingMoments(rows, h, mu, logVar, sums, points, indicators);
        var job = new MomentsJob(rows, h, mu.Pointer, logVar.Pointer, partialSums);
        ForEach(job.Parts, job);
        for (int k = 0; k < Moments * h; k++)
        {
            double total = (double)sums.Pointer[2 * k] + sums.Pointer[2 * k + 1] + job.Total(k / h, k % h);
            sums.Pointer[2 * k] = (float)total;
            sums.Pointer[2 * k + 1] = float.IsFinite((float)total) ? (float)(total - (float)total) : 0;
        }
        if (!indicators.IsAbsent)
            WriteIndicators(h, sums.Pointer, points, indicators);
    }

    private static void WriteIndicators(int h, float* sums, long points, Slice<float> indicators)
    {
        float* to = indicators.Pointer;
        for (int i = 0; i < h; i++)
        {
            var of = new EncodingIndicators<WideDouble>(Sum(0), Sum(1), Sum(2), Sum(3), (double)points);
            to[i] = (float)of.Aggregate;
            to[h + i] = (float)of.Information;
            to[2 * h + i] = (float)of.Centred;
            to[3 * h + i] = (float)of.Ratio;
            to[4 * h + i] = (float)of.Kl;
            to[5 * h + i] = (float)of.AggregateKl;

            WideDouble Sum(int moment) => (double)sums[2 * (moment * h + i)] + sums[2 * (moment * h + i) + 1];
        }
    }

    /// <summary>
    /// Sixteen rows are added in float, then into pairs of floats: a part's sums are [strip][moment][high, low] of 16 lanes.
    /// </summary>
    private readonly struct MomentsJob : ILaneJob
    {
        private const int Group = 16;
        private const int StripFloats = Moments * 2 * 16;
        private readonly int rows;
        private readonly int h;
        private readonly int rowsPerPart;
        private readonly float* mu;
        private readonly float* logVar;
        private readonly float* partial;
        private readonly nint partFloats;

        public MomentsJob(int rows, int h, float* mu, float* logVar, Scratch memory)
        {
            (this.rows, this.h) = (rows, h);
            this.mu = mu;
            this.logVar = logVar;
            rowsPerPart = Math.Max(Group, RowsPerPart(h) / Group * Group);
            partFloats = (h + 15) / 16 * StripFloats;
            Parts = (rows + rowsPerPart - 1) / rowsPerPart;
            partial = memory.Reserve(Math.Max(1, Parts) * (long)partFloats);
        }

        public int Parts { get; }

        public double Total(int moment, int factor)
        {
            float* at = partial + factor / 16 * StripFloats + moment * 32 + factor % 16;
            double total = 0;
            for (int p = 0; p < Parts; p++, at += partFloats)
                total += float.IsFinite(at[0]) ? (double)at[0] + at[16] : at[0];
            return total;
        }

        public void Run<V>(int part) where V : struct, IVector<V>
        {
            float* sums = partial + part * partFloats;
            new Span<float>(sums, (int)partFloats).Clear();
            int last = Math.Min(rows, (part + 1) * rowsPerPart);
            for (int r = part * rowsPerPart; r < last; r += Group)
                for (int i = 0; i < h; i += IVector<V>.Lanes)
                    Add<V>((nint)r * h + i, Math.Min(Group, last - r), Math.Min(h - i, IVector<V>.Lanes), sums + i / 16 * StripFloats);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Add<V>(nint at, int groupRows, int count, float* sums) where V : struct, IVector<V>
        {
            V variance = V.Broadcast(0f), square = variance, mean = variance, log = variance;
            for (int r = 0; r < groupRows; r++, at += h)
                EncodingSums.Add(ref variance, ref square, ref mean, ref log, Lanes.LoadUpTo<V>(mu + at, count),
                    Lanes.LoadUpTo<V>(logVar + at, count));
            Add(variance, sums);
            Add(square, sums + 32);
            Add(mean, sums + 64);
            Add(log, sums + 96);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Add<V>(V x, float* sum) where V : struct, IVector<V>
        {
            V high = V.Load(sum), low = V.Load(sum + 16);
            TwoSum.Add(ref high, ref low, x);
            V.Store(high, sum);
            V.Store(low, sum + 16);
        }
    }
}
