using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Batch normalisation of [rows, channels]: one launch for a channel's sums and one for the entries.</summary>
/// <remarks>
/// A group adds its rows' deviations from the mean of these rows, which it reads a second time while they are near, and the groups' moments
/// are combined: as accurate as two passes over memory, in one.
/// </remarks>
internal sealed partial class GpuBackend
{
    public void BatchNormForward(int rows, int channels, Slice<float> x, BatchNormParameters parameters, BatchNormStatistics statistics,
        Slice<float> y, Activation activation)
    {
        Require.BatchNormForward(rows, channels, x, parameters, statistics, y);
        var p = parameters;
        var (mean, inverseDeviation) = statistics;
        var sums = new BatchStatisticsArguments(
            View(x), View(p.RunningMean), View(p.RunningVariance), View(mean), View(inverseDeviation), rows, p.Momentum, p.Epsilon);
        Reduce<BatchStatistics, BatchStatisticsArguments, Moments>(sums, 1, rows, channels);
        Normalise(x, p, mean, inverseDeviation, y, channels, FloorOf(activation), 0, isVariance: false);
    }

    public void BatchNormInference(int rows, int channels, Slice<float> x, BatchNormParameters parameters, Slice<float> y,
        Activation activation)
    {
        Require.BatchNormInference(rows, channels, x, parameters, y);
        Normalise(x, parameters, parameters.RunningMean, parameters.RunningVariance, y, channels, FloorOf(activation),
            parameters.Epsilon, isVariance: true);
    }

    public void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma,
        BatchNormStatistics statistics,
        BatchNormGradients gradients)
    {
        Require.BatchNormGradient(rows, channels, g, x, gamma, statistics, gradients);
        var (mean, inverseDeviation) = statistics;
        var (dx, accumulateDx, dgamma, dbeta, accumulateParameters) = gradients;
        var means = workspace.Kept(2 * channels);
        var sums = new BatchGradientSumsArguments(
            View(g), View(x), View(mean), View(inverseDeviation), View(dgamma), View(dbeta), means, rows, channels,
            accumulateParameters ? 1 : 0);
        Reduce<BatchGradientSums, BatchGradientSumsArguments, GradientSums>(sums, 1, rows, channels);
        var entries = new NormaliseGradientArguments(
            View(g), View(x), View(gamma), View(mean), View(inverseDeviation), means, View(dx), channels, accumulateDx ? 1 : 0);
        Each<NormaliseGradient, NormaliseGradientArguments>(x.Length, entries);
    }

    private void Normalise(Slice<float> x, BatchNormParameters parameters, Slice<float> mean, Slice<float> deviation, Slice<float> y,
        int channels, float floor, float epsilon, bool isVariance) =>
        Each<Normalise, NormaliseArguments>(x.Length,
            new(View(x), View(parameters.Gamma), View(parameters.Beta), View(mean), View(deviation), View(y), channels, floor, epsilon,
                isVariance ? 1 : 0));

    /// <summary>Below which no output falls.</summary>
    private static float FloorOf(Activation activation) => activation == Activation.Relu ? 0 : float.NegativeInfinity;
}

/// <summary>The sum of entries, and of their squared deviations from their mean.</summary>
internal readonly record struct Moments(Pair Sum, Pair Squares);

internal readonly record struct BatchStatisticsArguments(ArrayView<float> X, ArrayView<float> RunningMean, ArrayView<float> RunningVariance,
    ArrayView<float> Mean, ArrayView<float> InverseDeviation, int Rows, float Momentum, float Epsilon);

internal readonly struct BatchStatistics : IReduction<BatchStatisticsArguments, Moments>
{
    public static Moments Of(BatchStatisticsArguments a, Strip strip)
    {
        Pair sum = strip.Strips.ToAll(Sum<Entries, ArrayView<float>>.Of(a.X, strip)), squares = default;
        Lane mean = MeanOf(sum, strip.Length);
        for (int i = strip.From; i < strip.End; i += strip.Step)
            squares.Add(SquaredError.Term<Lane>(a.X[i], mean));
        return new(sum, strip.Strips.Fold<Pair, Pair>(squares));
    }

    public static Moments OfParts(Strips strips, ArrayView<Moments> partial, int slot, int count)
    {
        Pair sum = default, squares = default;
        for (int p = strips.Rank; p < count; p += strips.Count)
            sum.Add(partial[slot + p].Sum);
        sum = strips.FoldToAll<Pair, Pair>(sum);
        Lane mean = MeanOf(sum, strips.N);
        for (int p = strips.Rank; p < count; p += strips.Count)
        {
            // About another value m squares sum to more by (mean - m) (2 rest + n (mean - m)); the mean's rounding leaves the rest.
            int length = Parts.Length(strips.N, strips.Parts, p);
            var part = partial[slot + p];
            Lane n = length, meanOfPart = MeanOf(part.Sum, length);
            Lane rest = Lane.Fma(-meanOfPart, n, part.Sum.High) + part.Sum.Low, away = meanOfPart - mean;
            squares.Add(part.Squares);
            squares.Add(away * Lane.Fma(n, away, (Lane)2f * rest));
        }
        return new(sum, strips.Fold<Pair, Pair>(squares));
    }

    public static void Store(BatchStatisticsArguments a, Strip strip, Moments result)
    {
        int c = strip.At;
        Lane mean = MeanOf(result.Sum, a.Rows), variance = (result.Squares / Pair.Of(a.Rows)).High;
        a.Mean[c] = mean;
        a.InverseDeviation[c] = (Lane)1f / Lane.Sqrt(variance + a.Epsilon);
        a.RunningMean[c] = Moved(a.RunningMean[c], mean, a.Momentum);
        a.RunningVariance[c] = Moved(a.RunningVariance[c], (result.Squares / Pair.Of(a.Rows - 1)).High, a.Momentum);
    }

    /// <summary>A part may be empty.</summary>
    private static Lane MeanOf(Pair sum, int n) => (sum / Pair.Of(IntrinsicMath.Max(1, n))).High;

    private static Lane Moved(Lane running, Lane towards, Lane momentum) => Lane.Fma(momentum, towards, ((Lane)1f - momentum) * running);
}

/// <param name="Deviation">1 / sqrt(variance + epsilon), or the variance itself.</param>
/// <param name="Floor">Below which no output falls.</param>
internal readonly record struct NormaliseArguments(ArrayView<float> X, ArrayView<float> Gamma, ArrayView<float> Beta, ArrayView<float> Mean,
    ArrayView<float> Deviation, ArrayView<float> Y, int Channels, float Floor, float Epsilon, int IsVariance);

internal readonly struct Normalise : IEntry<NormaliseArguments>
{
    public static void Of(NormaliseArguments a, int i)
    {
        int c = i % a.Channels;
        Lane gamma = a.Gamma[c], deviation = a.Deviation[c];
        Lane scale = a.IsVariance != 0 ? gamma / Lane.Sqrt(deviation + a.Epsilon) : gamma * deviation;
        a.Y[i] = Normalisation.Forward<Lane>(a.X[i], a.Mean[c], scale, a.Beta[c], a.Floor);
    }
}

/// <summary>The sums of g and of g (x - mean).</summary>
internal struct GradientSums : IFold<GradientSums>
{
    public Pair OfG, Weighted;

    public static GradientSums Of(GradientSums a, GradientSums b)
    {
        a.OfG.Add(b.OfG);
        a.Weighted.Add(b.Weighted);
        return a;
    }
}

/// <param name="Means">[2, channels]: what <see cref="Normalisation.Gradient"/> calls meanG and slope.</param>
internal readonly record struct BatchGradientSumsArguments(ArrayView<float> G, ArrayView<float> X, ArrayView<float> Mean,
    ArrayView<float> InverseDeviation, ArrayView<float> Dgamma, ArrayView<float> Dbeta, ArrayView<float> Means, int Rows, int Channels,
    int Accumulate);

internal readonly struct BatchGradientSums : IReduction<BatchGradientSumsArguments, GradientSums>
{
    public static GradientSums Of(BatchGradientSumsArguments a, Strip strip)
    {
        GradientSums sums = default;
        Lane mean = strip.Exists ? a.Mean[strip.Column] : 0f;
        for (int i = strip.From; i < strip.End; i += strip.Step)
        {
            Lane g = a.G[i];
            sums.OfG.Add(g);
            sums.Weighted.Add(Normalisation.WeightedDeviation<Lane>(g, a.X[i], mean));
        }
        return strip.Strips.Fold<GradientSums, GradientSums>(sums);
    }

    public static GradientSums OfParts(Strips strips, ArrayView<GradientSums> partial, int slot, int count) =>
        strips.FoldParts<GradientSums, GradientSums>(partial, slot, count);

    public static void Store(BatchGradientSumsArguments a, Strip strip, GradientSums result)
    {
        int c = strip.At;
        Lane inverse = a.InverseDeviation[c], toGamma = result.Weighted.Times(inverse);
        Gpu.Store.To(a.Dgamma, c, toGamma, a.Accumulate);
        Gpu.Store.To(a.Dbeta, c, result.OfG.Total, a.Accumulate);
        a.Means[c] = (result.OfG / Pair.Of(a.Rows)).High;
        a.Means[a.Channels + c] = toGamma * inverse / a.Rows;
    }
}

internal readonly record struct NormaliseGradientArguments(ArrayView<float> G, ArrayView<float> X, ArrayView<float> Gamma,
    ArrayView<float> Mean, ArrayView<float> InverseDeviation, ArrayView<float> Means, ArrayView<float> Dx, int Channels, int Accumulate);

internal readonly struct NormaliseGradient : IEntry<NormaliseGradientArguments>
{
    public static void Of(NormaliseGradientArguments a, int i)
    {
        int c = i % a.Channels;
        Lane scale = (Lane)a.Gamma[c] * a.InverseDeviation[c];
        Lane d = Normalisation.Gradient<Lane>(a.G[i], a.X[i], a.Mean[c], scale, a.Means[c], a.Means[a.Channels + c]);
        Store.To(a.Dx, i, d, a.Accumulate);
    }
}
