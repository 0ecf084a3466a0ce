using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Batch normalisation of [rows, channels]: two-pass statistics, so that a mean far from 0 costs no digits.</summary>
internal sealed unsafe partial class CpuBackend
{
    public void BatchNormForward(int rows, int channels, Slice<float> x, BatchNormParameters parameters, BatchNormStatistics statistics,
        Slice<float> y, Activation activation)
    {
        var (gamma, beta, runningMean, runningVariance, momentum, epsilon) = parameters;
        var (mean, inverseDeviation) = statistics;
        Require.BatchNormForward(rows, channels, x, parameters, statistics, y);
        SumColumns(new PlainSource(x.Pointer), 1, rows, channels, 1.0 / rows, mean, false);
        SumColumns(new SquaredDeviationSource(x.Pointer, mean.Pointer), 1, rows, channels, 1.0 / rows, inverseDeviation, false);
        var pattern = new ChannelPattern(working, channels, 3);
        for (int c = 0; c < channels; c++)
        {
            double variance = inverseDeviation.Pointer[c], m = mean.Pointer[c];
            Move(ref runningMean.Pointer[c], m, momentum);
            Move(ref runningVariance.Pointer[c], variance * rows / (rows - 1.0), momentum);
            double inverse = 1 / Math.Sqrt(variance + epsilon);
            inverseDeviation.Pointer[c] = (float)inverse;
            pattern[0][c] = (float)m;
            pattern[1][c] = (float)(gamma.Pointer[c] * inverse);
            pattern[2][c] = beta.Pointer[c];
        }
        pattern.Repeat();
        ForEach(Parts(x.Length), new NormaliseJob(x.Pointer, x.Length, pattern, y.Pointer, activation));
    }

    public void BatchNormInference(int rows, int channels, Slice<float> x, BatchNormParameters parameters, Slice<float> y,
        Activation activation)
    {
        var (gamma, beta, runningMean, runningVariance, _, epsilon) = parameters;
        Require.BatchNormInference(rows, channels, x, parameters, y);
        var pattern = new ChannelPattern(working, channels, 3);
        for (int c = 0; c < channels; c++)
        {
            pattern[0][c] = runningMean.Pointer[c];
            pattern[1][c] = (float)(gamma.Pointer[c] / Math.Sqrt((double)runningVariance.Pointer[c] + epsilon));
            pattern[2][c] = beta.Pointer[c];
        }
        pattern.Repeat();
        ForEach(Parts(x.Length), new NormaliseJob(x.Pointer, x.Length, pattern, y.Pointer, activation));
    }

    public void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma,
        BatchNormStatistics statistics,
        BatchNormGradients gradients)
    {
        var (mean, inverseDeviation) = statistics;
        var (dx, accumulateDx, dgamma, dbeta, accumulateParameters) = gradients;
        Require.BatchNormGradient(rows, channels, g, x, gamma, statistics, gradients);
        var pattern = new ChannelPattern(working, channels, 4);
        // The batch's own sums first stand where their patterns go.
        Slice<float> sumG = new((nint)pattern[2], channels), sumGx = new((nint)pattern[3], channels);
        SumColumns(new PlainSource(g.Pointer), 1, rows, channels, 1, sumG, false);
        SumColumns(new WeightedDeviationSource(g.Pointer, x.Pointer, mean.Pointer), 1, rows, channels, 1, sumGx, false);
        for (int c = 0; c < channels; c++)
        {
            double inverse = inverseDeviation.Pointer[c], toGamma = sumGx.Pointer[c] * inverse, toBeta = sumG.Pointer[c];
            dgamma.Pointer[c] = (float)(accumulateParameters ? dgamma.Pointer[c] + toGamma : toGamma);
            dbeta.Pointer[c] = (float)(accumulateParameters ? dbeta.Pointer[c] + toBeta : toBeta);
            pattern[0][c] = mean.Pointer[c];
            pattern[1][c] = (float)(gamma.Pointer[c] * inverse);
            pattern[2][c] = (float)(toBeta / rows);
            pattern[3][c] = (float)(toGamma * inverse / rows);
        }
        pattern.Repeat();
        ForEach(Parts(x.Length), new NormaliseGradientJob(g.Pointer, x.Pointer, x.Length, pattern, dx.Pointer, accumulateDx));
    }

    private static void Move(ref float running, double towards, double momentum) =>
        running = (float)((1 - momentum) * running + momentum * towards);

    /// <summary>Numbers per channel, each written out until a row is long enough for vector loops.</summary>
    private readonly struct ChannelPattern
    {
        private const int LongEnough = 512;
        private readonly float* values;
        private readonly int channels;
        private readonly int kinds;

        public ChannelPattern(Scratch memory, int channels, int kinds)
        {
            (this.channels, this.kinds) = (channels, kinds);
            Period = channels * ((LongEnough + channels - 1) / channels);
            values = memory.Reserve((long)kinds * Period);
        }

        public readonly int Period;

        public float* this[int kind] => values + (nint)kind * Period;

        public void Repeat()
        {
            for (int k = 0; k < kinds; k++)
                for (int i = channels; i < Period; i++)
                    this[k][i] = this[k][i - channels];
        }
    }

    /// <summary>(x - mean)^2</summary>
    private readonly struct SquaredDeviationSource(float* x, float* mean) : IColumnSource
    {
        public float* Repeated => mean;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V At<V>(nint i, V repeated) where V : struct, IVector<V> => SquaredError.Term(V.Load(x + i), repeated);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V PartAt<V>(nint i, V repeated, int count) where V : struct, IVector<V> =>
            SquaredError.Term(V.LoadPart(x + i, count), repeated);
    }

    /// <summary>g (x - mean)</summary>
    private readonly struct WeightedDeviationSource(float* g, float* x, float* mean) : IColumnSource
    {
        public float* Repeated => mean;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V At<V>(nint i, V repeated) where V : struct, IVector<V> =>
            Normalisation.WeightedDeviation(V.Load(g + i), V.Load(x + i), repeated);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V PartAt<V>(nint i, V repeated, int count) where V : struct, IVector<V> =>
            Normalisation.WeightedDeviation(V.LoadPart(g + i, count), V.LoadPart(x + i, count), repeated);
    }

    private readonly struct NormaliseJob(float* x, int length, ChannelPattern pattern, float* y, Activation activation) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int from = part * ElementwiseChunk, end = Math.Min(length - from, ElementwiseChunk) + from;
            V floor = V.Broadcast(activation == Activation.Relu ? 0f : float.NegativeInfinity);
            while (from < end)
            {
                int at = from % pattern.Period, n = Math.Min(pattern.Period - at, end - from);
                float* mean = pattern[0] + at, scale = pattern[1] + at, shift = pattern[2] + at;
                for (int i = 0; i < n; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(n - i, IVector<V>.Lanes);
                    V normalised = Normalisation.Forward(Lanes.LoadUpTo<V>(x + from + i, count), Lanes.LoadUpTo<V>(mean + i, count),
                        Lanes.LoadUpTo<V>(scale + i, count), Lanes.LoadUpTo<V>(shift + i, count), floor);
                    Lanes.StoreUpTo(normalised, y + from + i, count);
                }
                from += n;
            }
        }
    }

    private readonly struct NormaliseGradientJob(float* g, float* x, int length, ChannelPattern pattern, float* dx, bool accumulate)
        : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int from = part * ElementwiseChunk, end = Math.Min(length - from, ElementwiseChunk) + from;
            while (from < end)
            {
                int at = from % pattern.Period, n = Math.Min(pattern.Period - at, end - from);
                float* mean = pattern[0] + at, scale = pattern[1] + at, meanG = pattern[2] + at, slope = pattern[3] + at;
                for (int i = 0; i < n; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(n - i, IVector<V>.Lanes);
                    V d = Normalisation.Gradient(Lanes.LoadUpTo<V>(g + from + i, count), Lanes.LoadUpTo<V>(x + from + i, count),
                        Lanes.LoadUpTo<V>(mean + i, count), Lanes.LoadUpTo<V>(scale + i, count),
                        Lanes.LoadUpTo<V>(meanG + i, count), Lanes.LoadUpTo<V>(slope + i, count));
                    Lanes.StoreUpTo(accumulate ? Lanes.LoadUpTo<V>(dx + from + i, count) + d : d, dx + from + i, count);
                }
                from += n;
            }
        }
    }
}
