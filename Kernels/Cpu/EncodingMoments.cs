using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The four sums per factor behind the Gaussian indicators, in one pass.</summary>
public sealed unsafe partial class CpuBackend
{
    private const int Moments = 4;

    private readonly Scratch heads = new();

    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums, long points, Slice<float> indicators)
    {
        Check(mu.Length == (long)rows * h && logVar.Length == mu.Length && sums.Length == Moments * h * 2, "encoding_moments",
            $"[{rows}, {h}] needs {(long)rows * h} elements and sums of {Moments * h * 2}, got mu {mu.Length}, logVar {logVar.Length}, sums {sums.Length}");
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

    /// <remarks>A product and its moments a chunk of rows at a time, so that mu and logVar of a chunk stay in the cache; chunks depend on h alone.</remarks>
    private void HeadMoments(int rows, int inputs, int h, Slice<float> x, SlicePair weights, SlicePair biases, Slice<float> sums, long points, Slice<float> indicators)
    {
        const int ChunkValues = 1 << 16, Group = 64;
        Check(x.Length == (long)rows * inputs, "head_moments", $"[{rows}, {inputs}] needs {(long)rows * inputs} elements, got x {x.Length}");
        if (rows == 0 || h == 0)
            return;
        int chunk = Math.Max(1, ChunkValues / h / Group) * Group;
        float* both = heads.Reserve(2L * chunk * h);
        for (int first = 0; first < rows; first += chunk)
        {
            int count = Math.Min(chunk, rows - first), values = count * h;
            Slice<float> mu = new((nint)both, values), logVar = new((nint)(both + values), values);
            LinearPair(count, inputs, h, x.Part(first * inputs, count * inputs), weights, biases, new(mu, logVar));
            EncodingMoments(count, h, mu, logVar, sums, points, first + count == rows ? indicators : default);
        }
    }

    private static void WriteIndicators(int h, float* sums, long points, Slice<float> indicators)
    {
        Check(indicators.Length == 6 * h && points > 0, "encoding_moments", $"indicators of {h} factors need {6 * h} elements and at least one point, got {indicators.Length} and {points}");
        float* to = indicators.Pointer;
        for (int i = 0; i < h; i++)
        {
            double meanVariance = Mean(0), meanSquare = Mean(1), mean = Mean(2), meanLogVar = Mean(3);
            double aggregate = meanVariance + meanSquare, varianceOfMean = Math.Max(0, meanSquare - mean * mean);
            to[i] = (float)aggregate;
            to[h + i] = (float)(0.5 * (Math.Log(aggregate) - meanLogVar));
            to[2 * h + i] = (float)(0.5 * (Math.Log(meanVariance + varianceOfMean) - meanLogVar));
            to[3 * h + i] = (float)(0.5 * Math.Log(1 + varianceOfMean / meanVariance));
            to[4 * h + i] = (float)(0.5 * (aggregate - 1 - meanLogVar));
            to[5 * h + i] = (float)(0.5 * (aggregate - 1 - Math.Log(aggregate)));

            double Mean(int moment) => ((double)sums[2 * (moment * h + i)] + sums[2 * (moment * h + i) + 1]) / points;
        }
    }

    /// <summary>Sixteen rows are added in float, then into pairs of floats: a part's sums are [strip][moment][high, low] of 16 lanes.</summary>
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
            {
                V m = Lanes.LoadUpTo<V>(mu + at, count), l = Lanes.LoadUpTo<V>(logVar + at, count);
                variance += VectorMath.Exp(l);
                square = V.Fma(m, m, square);
                mean += m;
                log += l;
            }
            Add(variance, sums);
            Add(square, sums + 32);
            Add(mean, sums + 64);
            Add(log, sums + 96);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Add<V>(V x, float* sum) where V : struct, IVector<V>
        {
            V high = V.Load(sum), low = V.Load(sum + 16);
            PairSum.Add(ref high, ref low, x);
            V.Store(high, sum);
            V.Store(low, sum + 16);
        }
    }
}
