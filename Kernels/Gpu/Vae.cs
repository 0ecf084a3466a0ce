using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>The terms of a VAE's objective, each in one launch with its gradient: eight rows a group, 32 threads a row.</summary>
internal sealed partial class GpuBackend
{
    public void Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon, Slice<float> z,
        Slice<float> kl) =>
        EachRow<Reparameterise, ReparameteriseArguments>(Require.Reparameterise(rows, h, mu, logVar, draw, epsilon, z, kl),
            new(View(mu), View(logVar), View(draw.State), draw.Draw, View(epsilon), View(z), View(kl), rows, h));

    public void ReparameteriseGradient(int rows, int h, ReparameterisedSample sample, Slice<float> gz, Slice<float> gkl, Slice<float> dmu,
        Slice<float> dlogVar, bool accumulate) =>
        Each<ReparameteriseGradient, ReparameteriseGradientArguments>(
            Require.ReparameteriseGradient(rows, h, sample, gz, gkl, dmu, dlogVar),
            new(View(gz), View(gkl), View(sample.Mu), View(sample.LogVar), View(sample.Epsilon), View(dmu), View(dlogVar),
            rows * h, h, gz.IsAbsent ? 0 : 1, gkl.IsAbsent ? 0 : 1, accumulate ? 1 : 0));

    public void GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll,
        Slice<float> squaredError) =>
        EachRow<GaussianNll, NllArguments>(Require.GaussianNll(rows, d, x, mean, variance, nll, squaredError),
            new(View(x), View(mean), View(variance), View(nll), View(squaredError), rows, d));

    public void GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance,
        Slice<float> dmean, bool accumulate) =>
        Each<NllGradient<SquaredError>, NllGradientArguments>(Require.GaussianNllGradient(rows, d, g, x, mean, variance, dmean),
            new(View(g), View(x), View(mean), View(variance), View(dmean), rows * d, d, 1, accumulate ? 1 : 0));

    public void BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll) =>
        EachRow<BernoulliNll, NllArguments>(Require.BernoulliNll(rows, d, x, logits, nll),
            new(View(x), View(logits), View(default(Slice<float>)), View(nll), View(default(Slice<float>)), rows, d));

    public void BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits,
        bool accumulate) =>
        Each<NllGradient<BernoulliTerm>, NllGradientArguments>(Require.BernoulliNllGradient(rows, d, g, x, logits, dlogits),
            new(View(g), View(x), View(logits), View(default(Slice<float>)), View(dlogits), rows * d, d, 0, accumulate ? 1 : 0));

    public void UpdateVariance(Slice<float> squaredError, double count, float decay, float maximumChange, float floor,
        Slice<float> variance) =>
        Launch<UpdateVariance, UpdateVarianceArguments>(1, 1, Threads.PerGroup, 1,
            new(View(squaredError), View(variance), Require.UpdateVariance(squaredError, count, variance), Pair.OfHost(count), decay,
                maximumChange, floor));
}

internal readonly record struct ReparameteriseArguments(ArrayView<float> Mu, ArrayView<float> LogVar, ArrayView<uint> State, uint Draw,
    ArrayView<float> Epsilon, ArrayView<float> Z, ArrayView<float> Kl, int Rows, int H);

/// <summary>A thread makes whole counters of four draws, whatever h is: a counter at a row's border is made by both rows.</summary>
internal readonly struct Reparameterise : IKernel<ReparameteriseArguments>
{
    public static void Run(ReparameteriseArguments a)
    {
        int row = Grid.IdxX * Threads.Tall + Group.IdxY, from = row * a.H, to = from + a.H;
        Pair twiceKl = default;
        if (row < a.Rows)
            for (int counter = (from >> 2) + Group.IdxX; counter * 4 < to; counter += Threads.Wide)
            {
                var draws = Draws.Of<NormalDraw>(a.State, a.Draw, (uint)counter);
                One(a, counter * 4, from, to, draws.X, ref twiceKl);
                One(a, counter * 4 + 1, from, to, draws.Y, ref twiceKl);
                One(a, counter * 4 + 2, from, to, draws.Z, ref twiceKl);
                One(a, counter * 4 + 3, from, to, draws.W, ref twiceKl);
            }
        twiceKl = Threads.SumOverX(twiceKl);
        if (Group.IdxX == 0 && row < a.Rows)
            a.Kl[row] = twiceKl.Times(0.5f);
    }

    private static void One(ReparameteriseArguments a, int i, int from, int to, float epsilon, ref Pair twiceKl)
    {
        if (i < from || i >= to)
            return;
        Lane mu = a.Mu[i], logVar = a.LogVar[i], sigma = Reparameterisation.Sigma(logVar);
        a.Epsilon[i] = epsilon;
        a.Z[i] = Reparameterisation.Sample<Lane>(mu, sigma, epsilon);
        twiceKl.Add(Reparameterisation.TwiceKl(mu, logVar, sigma));
    }
}

internal readonly record struct ReparameteriseGradientArguments(ArrayView<float> Gz, ArrayView<float> Gkl, ArrayView<float> Mu,
    ArrayView<float> LogVar, ArrayView<float> Epsilon,
    ArrayView<float> Dmu, ArrayView<float> DlogVar, int N, int H, int HasGz, int HasGkl, int Accumulate);

internal readonly struct ReparameteriseGradient : IKernel<ReparameteriseGradientArguments>
{
    public static void Run(ReparameteriseGradientArguments a)
    {
        int i = Threads.Number;
        if (i >= a.N)
            return;
        Lane g = a.HasGz != 0 ? a.Gz[i] : 0f, k = a.HasGkl != 0 ? a.Gkl[i / a.H] : 0f, sigma = Reparameterisation.Sigma<Lane>(a.LogVar[i]);
        Store.To(a.Dmu, i, Reparameterisation.GradientMu<Lane>(g, k, a.Mu[i]), a.Accumulate);
        Store.To(a.DlogVar, i, Reparameterisation.GradientLogVar<Lane>(g, k, sigma, a.Epsilon[i]), a.Accumulate);
    }
}

internal readonly record struct NllArguments(ArrayView<float> X, ArrayView<float> Prediction, ArrayView<float> Variance,
    ArrayView<float> Nll, ArrayView<float> SquaredError, int Rows, int D);

internal readonly struct BernoulliNll : IKernel<NllArguments>
{
    public static void Run(NllArguments a)
    {
        int row = Grid.IdxX * Threads.Tall + Group.IdxY;
        var sum = PixelSum.Of<BernoulliTerm>(a, row);
        if (Group.IdxX == 0 && row < a.Rows)
            a.Nll[row] = sum.Total;
    }
}

internal readonly struct GaussianNll : IKernel<NllArguments>
{
    private const float TwoPi = 6.28318531f;

    public static void Run(NllArguments a)
    {
        int row = Grid.IdxX * Threads.Tall + Group.IdxY;
        var sum = PixelSum.Of<SquaredError>(a, row);
        if (Group.IdxX != 0 || row >= a.Rows)
            return;
        Lane variance = a.Variance[0], squaredError = sum.Total;
        a.SquaredError[row] = squaredError;
        a.Nll[row] = (Lane)0.5f * Lane.Fma(a.D, Maths.RealMath.Log((Lane)TwoPi * variance), squaredError / variance);
    }
}

internal static class PixelSum
{
    /// <summary>The sum of a row's terms; right where the thread's x = 0.</summary>
    public static Pair Of<T>(NllArguments a, int row) where T : struct, IPixelTerm
    {
        Pair sum = default;
        if (row < a.Rows)
            for (int i = row * a.D + Group.IdxX; i < (row + 1) * a.D; i += Threads.Wide)
                sum.Add(T.Term<Lane>(a.X[i], a.Prediction[i]));
        return Threads.SumOverX(sum);
    }
}

internal readonly record struct NllGradientArguments(ArrayView<float> G, ArrayView<float> X, ArrayView<float> Prediction,
    ArrayView<float> Variance, ArrayView<float> D,
    int N, int Width, int HasVariance, int Accumulate);

internal readonly struct NllGradient<T> : IKernel<NllGradientArguments> where T : struct, IPixelTerm
{
    public static void Run(NllGradientArguments a)
    {
        int i = Threads.Number;
        if (i >= a.N)
            return;
        Lane scale = a.HasVariance != 0 ? (Lane)1f / a.Variance[0] : 1f, factor = a.G[i / a.Width] * scale,
            slope = T.Slope<Lane>(a.X[i], a.Prediction[i]);
        a.D[i] = a.Accumulate != 0 ? Lane.Fma(factor, slope, a.D[i]) : factor * slope;
    }
}

internal readonly record struct UpdateVarianceArguments(ArrayView<float> SquaredError, ArrayView<float> Variance, int N, Pair Count,
    float Decay, float MaximumChange, float Floor);

internal readonly struct UpdateVariance : IKernel<UpdateVarianceArguments>
{
    public static void Run(UpdateVarianceArguments a)
    {
        Pair sum = default;
        for (int i = Group.IdxX; i < a.N; i += Threads.PerGroup)
            sum.Add(a.SquaredError[i]);
        sum = Threads.SumAll(sum);
        if (Group.IdxX == 0)
            a.Variance[0] = LearnedVariance.Next(Pair.Of(a.Variance[0]), sum / a.Count, Pair.Of(a.Decay), Pair.Of(a.MaximumChange),
                Pair.Of(a.Floor)).Total;
    }
}
