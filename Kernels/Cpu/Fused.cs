using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The terms of a VAE's objective, each in one pass with its gradient.</summary>
internal sealed unsafe partial class CpuBackend
{
    public void Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon, Slice<float> z,
        Slice<float> kl)
    {
        Require.Reparameterise(rows, h, mu, logVar, draw, epsilon, z, kl);
        var job = new ReparameteriseJob(rows, h, mu.Pointer, logVar.Pointer, new(draw.State, draw.Draw), epsilon.Pointer, z.Pointer,
            kl.Pointer);
        ForEach(job.Parts, job);
    }

    public void ReparameteriseGradient(int rows, int h, ReparameterisedSample sample, Slice<float> gz, Slice<float> gkl, Slice<float> dmu,
        Slice<float> dlogVar, bool accumulate)
    {
        var (mu, logVar, epsilon) = sample;
        Require.ReparameteriseGradient(rows, h, sample, gz, gkl, dmu, dlogVar);
        ForEach(RowParts(rows, h), new ReparameteriseGradientJob(rows, h, gz.Pointer, gkl.Pointer, mu.Pointer, logVar.Pointer,
            epsilon.Pointer, dmu.Pointer, dlogVar.Pointer, accumulate));
    }

    public void GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll,
        Slice<float> squaredError)
    {
        Require.GaussianNll(rows, d, x, mean, variance, nll, squaredError);
        ForEach(RowParts(rows, d),
            new GaussianNllJob(rows, d, x.Pointer, mean.Pointer, variance.Pointer[0], nll.Pointer, squaredError.Pointer));
    }

    public void GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance,
        Slice<float> dmean, bool accumulate)
    {
        Require.GaussianNllGradient(rows, d, g, x, mean, variance, dmean);
        ForEach(RowParts(rows, d), new NllGradientJob<SquaredError>(rows, d, g.Pointer, x.Pointer, mean.Pointer, 1 / variance.Pointer[0],
            dmean.Pointer, accumulate));
    }

    public void BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll)
    {
        Require.BernoulliNll(rows, d, x, logits, nll);
        ForEach(RowParts(rows, d), new BernoulliNllJob(rows, d, x.Pointer, logits.Pointer, nll.Pointer));
    }

    public void BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits,
        bool accumulate)
    {
        Require.BernoulliNllGradient(rows, d, g, x, logits, dlogits);
        ForEach(RowParts(rows, d),
            new NllGradientJob<BernoulliTerm>(rows, d, g.Pointer, x.Pointer, logits.Pointer, 1, dlogits.Pointer, accumulate));
    }

    public void UpdateVariance(Slice<float> squaredError, double count, float decay, float maximumChange, float floor,
        Slice<float> variance)
    {
        Require.UpdateVariance(squaredError, count, variance);
        double sum = 0;
        foreach (float e in squaredError.AsSpan())
            sum += e;
        variance.Pointer[0] = (float)LearnedVariance.Next<WideDouble>((double)variance.Pointer[0], sum / count, (double)decay,
            (double)maximumChange, (double)floor);
    }

    private readonly struct ReparameteriseJob(int rows, int h, float* mu, float* logVar, PhiloxLanes philox, float* epsilon, float* z,
        float* kl) : ILaneJob
    {
        // Four rows are a whole number of counters, whatever h is.
        private readonly int rowsPerPart = Math.Max(1, RandomChunk / Math.Max(1, h) / 4) * 4;

        public int Parts => (rows + rowsPerPart - 1) / rowsPerPart;

        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * rowsPerPart, last = Math.Min(rows, first + rowsPerPart);
            Draws.Fill<NormalDraw, V>(philox, first * h, epsilon + (nint)first * h, (last - first) * h);
            for (int r = first; r < last; r++)
                kl[r] = (float)Row<V>((nint)r * h);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private double Row<V>(nint at) where V : struct, IVector<V>
        {
            V zero = V.Broadcast(0f), high = zero, low = zero, four = zero;
            float* m = mu + at, l = logVar + at, e = epsilon + at, to = z + at;
            int i = 0;
            for (; i <= h - IVector<V>.Lanes; i += IVector<V>.Lanes)
            {
                V mean = V.Load(m + i), log = V.Load(l + i), sigma = Reparameterisation.Sigma(log);
                V.Store(Reparameterisation.Sample(mean, sigma, V.Load(e + i)), to + i);
                four += Reparameterisation.TwiceKl(mean, log, sigma);
                if ((i & 48) == 48)
                {
                    TwoSum.Add(ref high, ref low, four);
                    four = zero;
                }
            }
            int rest = h - i;
            if (rest > 0)
            {
                V mean = V.LoadPart(m + i, rest), log = V.LoadPart(l + i, rest), sigma = Reparameterisation.Sigma(log);
                V.StorePart(Reparameterisation.Sample(mean, sigma, V.LoadPart(e + i, rest)), to + i, rest);
                four += Lanes.Keep(Reparameterisation.TwiceKl(mean, log, sigma), rest);
            }
            TwoSum.Add(ref high, ref low, four);
            return 0.5 * PairSum.Total(high, low);
        }
    }

    private readonly struct ReparameteriseGradientJob(int rows, int h, float* gz, float* gkl, float* mu, float* logVar, float* epsilon,
        float* dmu, float* dlogVar, bool accumulate) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(h), last = Math.Min(rows, first + RowsPerPart(h));
            V zero = V.Broadcast(0f);
            for (int r = first; r < last; r++)
            {
                V k = gkl == null ? zero : V.Broadcast(gkl[r]);
                for (int i = 0; i < h; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(h - i, IVector<V>.Lanes);
                    nint at = (nint)r * h + i;
                    V g = gz == null ? zero : Lanes.LoadUpTo<V>(gz + at, count);
                    V sigma = Reparameterisation.Sigma(Lanes.LoadUpTo<V>(logVar + at, count));
                    V toMu = Reparameterisation.GradientMu(g, k, Lanes.LoadUpTo<V>(mu + at, count));
                    V toLogVar = Reparameterisation.GradientLogVar(g, k, sigma, Lanes.LoadUpTo<V>(epsilon + at, count));
                    Lanes.StoreUpTo(accumulate ? Lanes.LoadUpTo<V>(dmu + at, count) + toMu : toMu, dmu + at, count);
                    Lanes.StoreUpTo(accumulate ? Lanes.LoadUpTo<V>(dlogVar + at, count) + toLogVar : toLogVar, dlogVar + at, count);
                }
            }
        }
    }

    private readonly struct GaussianNllJob(int rows, int d, float* x, float* mean, float variance, float* nll, float* squaredError)
        : ILaneJob
    {
        private readonly double perPixel = 0.5 * Math.Log(2 * Math.PI * variance);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(d), last = Math.Min(rows, first + RowsPerPart(d));
            for (int r = first; r < last; r++)
            {
                float* a = x + (nint)r * d, b = mean + (nint)r * d;
                V high = V.Broadcast(0f), low = high;
                int i = 0;
                for (; i <= d - 4 * IVector<V>.Lanes; i += 4 * IVector<V>.Lanes)
                    TwoSum.Add(ref high, ref low,
                        (SquaredError.Term(V.Load(a + i), V.Load(b + i)) + SquaredError.Term(V.Load(a + i + 16), V.Load(b + i + 16)))
                        + (SquaredError.Term(V.Load(a + i + 32), V.Load(b + i + 32))
                            + SquaredError.Term(V.Load(a + i + 48), V.Load(b + i + 48))));
                for (; i < d; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(d - i, IVector<V>.Lanes);
                    TwoSum.Add(ref high, ref low, SquaredError.Term(V.LoadPart(a + i, count), V.LoadPart(b + i, count)));
                }
                double sum = PairSum.Total(high, low);
                squaredError[r] = (float)sum;
                nll[r] = (float)(0.5 * sum / variance + d * perPixel);
            }
        }
    }

    private readonly struct BernoulliNllJob(int rows, int d, float* x, float* logits, float* nll) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(d), last = Math.Min(rows, first + RowsPerPart(d));
            for (int r = first; r < last; r++)
            {
                V zero = V.Broadcast(0f), high = zero, low = zero, four = zero;
                float* xs = x + (nint)r * d, a = logits + (nint)r * d;
                int i = 0;
                for (; i <= d - IVector<V>.Lanes; i += IVector<V>.Lanes)
                {
                    four += BernoulliTerm.Term(V.Load(xs + i), V.Load(a + i));
                    if ((i & 48) == 48)
                    {
                        TwoSum.Add(ref high, ref low, four);
                        four = zero;
                    }
                }
                if (i < d)
                    four += Lanes.Keep(BernoulliTerm.Term(V.LoadPart(xs + i, d - i), V.LoadPart(a + i, d - i)), d - i);
                TwoSum.Add(ref high, ref low, four);
                nll[r] = (float)PairSum.Total(high, low);
            }
        }
    }

    private readonly struct NllGradientJob<S>(int rows, int d, float* g, float* x, float* prediction, float scale, float* to,
        bool accumulate) : ILaneJob where S : struct, IPixelTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(d), last = Math.Min(rows, first + RowsPerPart(d));
            for (int r = first; r < last; r++)
            {
                V factor = V.Broadcast(g[r] * scale);
                for (int i = 0; i < d; i += IVector<V>.Lanes)
                {
                    nint at = (nint)r * d + i;
                    int count = Math.Min(d - i, IVector<V>.Lanes);
                    V slope = S.Slope(Lanes.LoadUpTo<V>(x + at, count), Lanes.LoadUpTo<V>(prediction + at, count));
                    Lanes.StoreUpTo(accumulate ? V.Fma(factor, slope, Lanes.LoadUpTo<V>(to + at, count)) : factor * slope, to + at, count);
                }
            }
        }
    }
}
