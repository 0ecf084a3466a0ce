using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>The terms of a VAE's objective, each in one launch with its gradient.</summary>
internal sealed partial class GpuBackend
{
    public void Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon, Slice<float> z,
        Slice<float> kl) =>
        EachRow<Reparameterise, ReparameteriseArguments>(Require.Reparameterise(rows, h, mu, logVar, draw, epsilon, z, kl), h,
            new(View(mu), View(logVar), View(draw.State), draw.Draw, View(epsilon), View(z), View(kl)));

    public void ReparameteriseGradient(int rows, int h, ReparameterisedSample sample, Slice<float> gz, Slice<float> gkl, Slice<float> dmu,
        Slice<float> dlogVar, bool accumulate) =>
        Each<ReparameteriseGradient, ReparameteriseGradientArguments>(
            Require.ReparameteriseGradient(rows, h, sample, gz, gkl, dmu, dlogVar),
            new(View(gz), View(gkl), View(sample.Mu), View(sample.LogVar), View(sample.Epsilon), View(dmu), View(dlogVar),
            h, gz.IsAbsent ? 0 : 1, gkl.IsAbsent ? 0 : 1, accumulate ? 1 : 0));

    public void GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll,
        Slice<float> squaredError) =>
        Reduce<GaussianNll, GaussianNllArguments, Pair>(
            new(new(View(x), View(mean)), View(variance), View(nll), View(squaredError), d),
            Require.GaussianNll(rows, d, x, mean, variance, nll, squaredError), d, 1);

    public void GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance,
        Slice<float> dmean, bool accumulate) =>
        Each<NllGradient<SquaredError>, NllGradientArguments>(Require.GaussianNllGradient(rows, d, g, x, mean, variance, dmean),
            new(View(g), View(x), View(mean), View(variance), View(dmean), d, 1, accumulate ? 1 : 0));

    public void BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll) =>
        Sum<PixelTerms<BernoulliTerm>, PixelArguments>(
            new(View(x), View(logits)), Require.BernoulliNll(rows, d, x, logits, nll), d, 1, 1f, nll, false);

    public void BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits,
        bool accumulate) =>
        Each<NllGradient<BernoulliTerm>, NllGradientArguments>(Require.BernoulliNllGradient(rows, d, g, x, logits, dlogits),
            new(View(g), View(x), View(logits), View(default(Slice<float>)), View(dlogits), d, 0, accumulate ? 1 : 0));

    public void UpdateVariance(Slice<float> squaredError, double count, float decay, float maximumChange, float floor,
        Slice<float> variance) =>
        Reduce<UpdateVariance, UpdateVarianceArguments, Pair>(
            new(View(squaredError), View(variance), Pair.OfHost(count), decay, maximumChange, floor),
            1, Require.UpdateVariance(squaredError, count, variance), 1);
}

internal readonly record struct ReparameteriseArguments(ArrayView<float> Mu, ArrayView<float> LogVar, ArrayView<uint> State, uint Draw,
    ArrayView<float> Epsilon, ArrayView<float> Z, ArrayView<float> Kl);

/// <summary>A thread makes whole counters of four draws, whatever h is: a counter at a row's border is made by both rows.</summary>
internal readonly struct Reparameterise : IStripwise<ReparameteriseArguments>
{
    public static void Of(ReparameteriseArguments a, Strip strip)
    {
        Pair twiceKl = default;
        int from = strip.From - strip.Strips.Rank;
        for (int counter = (from >> 2) + strip.Strips.Rank; 4 * counter < strip.End; counter += strip.Step)
        {
            var draws = Draws.Of<NormalDraw>(a.State, a.Draw, (uint)counter);
            for (int i = 4 * counter; i < 4 * counter + 4; i++, draws.MoveUp(0f))
                if (i >= from && i < strip.End)
                {
                    Lane mu = a.Mu[i], logVar = a.LogVar[i], sigma = Reparameterisation.Sigma(logVar);
                    a.Epsilon[i] = draws.X;
                    a.Z[i] = Reparameterisation.Sample<Lane>(mu, sigma, draws.X);
                    twiceKl.Add(Reparameterisation.TwiceKl(mu, logVar, sigma));
                }
        }
        twiceKl = strip.Strips.Fold<Pair, Pair>(twiceKl);
        if (strip.Stores)
            a.Kl[strip.At] = twiceKl.Times(0.5f);
    }
}

internal readonly record struct ReparameteriseGradientArguments(ArrayView<float> Gz, ArrayView<float> Gkl, ArrayView<float> Mu,
    ArrayView<float> LogVar, ArrayView<float> Epsilon,
    ArrayView<float> Dmu, ArrayView<float> DlogVar, int H, int HasGz, int HasGkl, int Accumulate);

internal readonly struct ReparameteriseGradient : IEntry<ReparameteriseGradientArguments>
{
    public static void Of(ReparameteriseGradientArguments a, int i)
    {
        Lane g = a.HasGz != 0 ? a.Gz[i] : 0f, k = a.HasGkl != 0 ? a.Gkl[i / a.H] : 0f, sigma = Reparameterisation.Sigma<Lane>(a.LogVar[i]);
        Store.To(a.Dmu, i, Reparameterisation.GradientMu<Lane>(g, k, a.Mu[i]), a.Accumulate);
        Store.To(a.DlogVar, i, Reparameterisation.GradientLogVar<Lane>(g, k, sigma, a.Epsilon[i]), a.Accumulate);
    }
}

internal readonly record struct PixelArguments(ArrayView<float> X, ArrayView<float> Prediction);

internal readonly struct PixelTerms<T> : ISource<PixelArguments> where T : struct, IPixelTerm
{
    public static Lane At(PixelArguments a, int i, int column) => T.Term<Lane>(a.X[i], a.Prediction[i]);
}

internal readonly record struct GaussianNllArguments(PixelArguments Pixels, ArrayView<float> Variance, ArrayView<float> Nll,
    ArrayView<float> SquaredError, int D);

internal readonly struct GaussianNll : IReduction<GaussianNllArguments, Pair>
{
    private const float TwoPi = 6.28318531f;

    public static Pair Of(GaussianNllArguments a, Strip strip) => Sum<PixelTerms<SquaredError>, PixelArguments>.Of(a.Pixels, strip);

    public static Pair OfParts(Strips strips, ArrayView<Pair> partial, int slot, int count) =>
        strips.FoldParts<Pair, Pair>(partial, slot, count);

    public static void Store(GaussianNllArguments a, Strip strip, Pair result)
    {
        Lane variance = a.Variance[0], squaredError = result.Total;
        a.SquaredError[strip.At] = squaredError;
        a.Nll[strip.At] = (Lane)0.5f * Lane.Fma(a.D, Maths.RealMath.Log((Lane)TwoPi * variance), squaredError / variance);
    }
}

internal readonly record struct NllGradientArguments(ArrayView<float> G, ArrayView<float> X, ArrayView<float> Prediction,
    ArrayView<float> Variance, ArrayView<float> D, int Width, int HasVariance, int Accumulate);

internal readonly struct NllGradient<T> : IEntry<NllGradientArguments> where T : struct, IPixelTerm
{
    public static void Of(NllGradientArguments a, int i)
    {
        Lane scale = a.HasVariance != 0 ? (Lane)1f / a.Variance[0] : 1f, factor = a.G[i / a.Width] * scale,
            slope = T.Slope<Lane>(a.X[i], a.Prediction[i]);
        a.D[i] = a.Accumulate != 0 ? Lane.Fma(factor, slope, a.D[i]) : factor * slope;
    }
}

internal readonly record struct UpdateVarianceArguments(ArrayView<float> SquaredError, ArrayView<float> Variance, Pair Count, float Decay,
    float MaximumChange, float Floor);

internal readonly struct UpdateVariance : IReduction<UpdateVarianceArguments, Pair>
{
    public static Pair Of(UpdateVarianceArguments a, Strip strip) => Sum<Entries, ArrayView<float>>.Of(a.SquaredError, strip);

    public static Pair OfParts(Strips strips, ArrayView<Pair> partial, int slot, int count) =>
        strips.FoldParts<Pair, Pair>(partial, slot, count);

    public static void Store(UpdateVarianceArguments a, Strip strip, Pair result) =>
        a.Variance[0] = LearnedVariance.Next(Pair.Of(a.Variance[0]), result / a.Count, Pair.Of(a.Decay), Pair.Of(a.MaximumChange),
            Pair.Of(a.Floor)).Total;
}
