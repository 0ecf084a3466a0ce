using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Softmax and its relatives over rows of n: 32 threads a short row, a group a long one. Each pass reads the row again, while it is near.
/// </summary>
internal sealed partial class GpuBackend
{
    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y) =>
        Rows<Softmax<ShortRows>, Softmax<LongRows>, RowArguments>(Require.Rows("softmax", rows, n, x, y), n,
            new(View(x), View(y), rows, n));

    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y) =>
        Rows<LogSoftmax<ShortRows>, LogSoftmax<LongRows>, RowArguments>(Require.Rows("log_softmax", rows, n, x, y), n,
            new(View(x), View(y), rows, n));

    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) =>
        SoftmaxGradient(Require.Rows("softmax gradient", rows, n, g, y, dx), n, g, y, default, dx, accumulate);

    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) =>
        Rows<LogSoftmaxGradient<ShortRows>, LogSoftmaxGradient<LongRows>, RowGradientArguments>(
            Require.Rows("log_softmax gradient", rows, n, g, y, dx), n,
            new(View(g), View(y), View(default(Slice<float>)), View(dx), rows, n, 0, accumulate ? 1 : 0));

    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y)
    {
        Require.Temperature(temperature);
        Require.Draw("gumbel_softmax", draw, rows);
        Rows<GumbelSoftmax<ShortRows>, GumbelSoftmax<LongRows>, GumbelArguments>(Require.Rows("gumbel_softmax", rows, n, logits, y), n,
            new(View(logits), View(temperature), View(draw.State), draw.Draw, View(y), rows, n));
    }

    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits,
        bool accumulate)
    {
        Require.Temperature(temperature);
        SoftmaxGradient(Require.Rows("gumbel_softmax gradient", rows, n, g, y, dlogits), n, g, y, temperature, dlogits, accumulate);
    }

    public void SoftmaxCrossEntropy(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> loss) =>
        Rows<CrossEntropy<ShortRows>, CrossEntropy<LongRows>, CrossEntropyArguments>(Require.Classes(rows, n, logits, classes, loss), n,
            new(View(default(Slice<float>)), View(logits), View(classes), View(loss), rows, n, 0));

    public void SoftmaxCrossEntropyGradient(int rows, int n, Slice<float> g, Slice<float> logits, Slice<int> classes, Slice<float> dlogits,
        bool accumulate)
    {
        Require.Rows("softmax_cross_entropy gradient", rows, n, logits, dlogits);
        Rows<CrossEntropyGradient<ShortRows>, CrossEntropyGradient<LongRows>, CrossEntropyArguments>(
            Require.Classes(rows, n, logits, classes, g), n,
            new(View(g), View(logits), View(classes), View(dlogits), rows, n, accumulate ? 1 : 0));
    }

    private void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dx,
        bool accumulate) =>
        Rows<SoftmaxGradient<ShortRows>, SoftmaxGradient<LongRows>, RowGradientArguments>(rows, n,
            new(View(g), View(y), View(temperature), View(dx), rows, n, temperature.IsAbsent ? 0 : 1, accumulate ? 1 : 0));

    private void Rows<Short, Long, A>(int rows, int n, in A arguments)
        where Short : struct, IKernel<A> where Long : struct, IKernel<A> where A : struct
    {
        if (n <= ShortRow)
            EachRow<Short, A>(rows, arguments);
        else
            Launch<Long, A>(rows, 1, Threads.PerGroup, 1, arguments);
    }
}

internal readonly record struct RowArguments(ArrayView<float> X, ArrayView<float> Y, int Rows, int N);

internal readonly struct Softmax<L> : IKernel<RowArguments> where L : struct, IStrips
{
    public static void Run(RowArguments a)
    {
        var strip = L.Of(a.Rows, a.N, 1, 1);
        Lane largest = Exponentials.Largest<L>(a.X, strip), scale = (Lane)1f / Exponentials.SumOf<L>(a.X, strip, largest).Total;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            a.Y[i] = Softmaxes.Exponential<Lane>(a.X[i], largest) * scale;
    }
}

internal readonly struct LogSoftmax<L> : IKernel<RowArguments> where L : struct, IStrips
{
    public static void Run(RowArguments a)
    {
        var strip = L.Of(a.Rows, a.N, 1, 1);
        Lane largest = Exponentials.Largest<L>(a.X, strip), logSum = Pair.Log(Exponentials.SumOf<L>(a.X, strip, largest)).High;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            a.Y[i] = Softmaxes.LogSoftmax<Lane>(a.X[i], largest, logSum);
    }
}

internal readonly record struct RowGradientArguments(
    ArrayView<float> G, ArrayView<float> Y, ArrayView<float> Temperature, ArrayView<float> Dx, int Rows, int N, int HasTemperature,
    int Accumulate);

internal readonly struct SoftmaxGradient<L> : IKernel<RowGradientArguments> where L : struct, IStrips
{
    public static void Run(RowGradientArguments a)
    {
        var strip = L.Of(a.Rows, a.N, 1, 1);
        Pair sum = default;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            sum.Add((Lane)a.G[i] * a.Y[i]);
        Lane mean = L.Fold<Added, Pair>(sum).Total, scale = a.HasTemperature != 0 ? (Lane)1f / a.Temperature[0] : 1f;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            Store.To(a.Dx, i, Softmaxes.Gradient<Lane>(a.G[i], a.Y[i], mean, scale), a.Accumulate);
    }
}

internal readonly struct LogSoftmaxGradient<L> : IKernel<RowGradientArguments> where L : struct, IStrips
{
    public static void Run(RowGradientArguments a)
    {
        var strip = L.Of(a.Rows, a.N, 1, 1);
        Lane total = Sum<Entries, ArrayView<float>>.Of<L>(a.G, strip).Total;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            Store.To(a.Dx, i, Softmaxes.LogGradient<Lane>(a.G[i], a.Y[i], total), a.Accumulate);
    }
}

/// <param name="Result">The losses, or dlogits.</param>
internal readonly record struct CrossEntropyArguments(ArrayView<float> G, ArrayView<float> Logits, ArrayView<int> Classes,
    ArrayView<float> Result, int Rows, int N, int Accumulate);

internal readonly struct CrossEntropy<L> : IKernel<CrossEntropyArguments> where L : struct, IStrips
{
    public static void Run(CrossEntropyArguments a)
    {
        var strip = L.Of(a.Rows, a.N, 1, 1);
        var row = Exponentials.Of<L>(a.Logits, strip);
        if (L.Rank == 0 && strip.At != Parts.Nowhere)
        {
            var own = Pair.Of(a.Logits[strip.At * a.N + a.Classes[strip.At]]);
            a.Result[strip.At] = (Pair.Log(row.Sum) - (own - Pair.Of(Softmaxes.Shift(row.Most)))).High;
        }
    }
}

internal readonly struct CrossEntropyGradient<L> : IKernel<CrossEntropyArguments> where L : struct, IStrips
{
    public static void Run(CrossEntropyArguments a)
    {
        var strip = L.Of(a.Rows, a.N, 1, 1);
        var row = Exponentials.Of<L>(a.Logits, strip);
        int own = strip.At != Parts.Nowhere ? strip.At * a.N + a.Classes[strip.At] : Parts.Nowhere;
        Lane g = strip.At != Parts.Nowhere ? a.G[strip.At] : 0f, scale = g / row.Sum.Total, shift = Softmaxes.Shift(row.Most);
        for (int i = strip.From; i < strip.End; i += strip.Step)
        {
            Lane d = scale * Softmaxes.Exponential<Lane>(a.Logits[i], shift), all = a.Accumulate != 0 ? a.Result[i] + d : d;
            a.Result[i] = i == own ? all - g : all;
        }
    }
}

internal readonly record struct GumbelArguments(ArrayView<float> Logits, ArrayView<float> Temperature, ArrayView<uint> State, uint Draw,
    ArrayView<float> Y, int Rows, int N);

/// <summary>
/// As in <see cref="Reparameterise"/> a thread makes whole counters of four draws. Until they become probabilities, perturbed logits stand
/// in y.
/// </summary>
internal readonly struct GumbelSoftmax<L> : IKernel<GumbelArguments> where L : struct, IStrips
{
    public static void Run(GumbelArguments a)
    {
        var strip = L.Of(a.Rows, a.N, 1, 1);
        int from = strip.At != Parts.Nowhere ? strip.At * a.N : 0, to = strip.At != Parts.Nowhere ? from + a.N : 0;
        Lane temperature = a.Temperature[0], inverse = Intrinsic.Less(0f, temperature) ? (Lane)1f / temperature : 1f;
        for (int counter = (from >> 2) + L.Rank; counter * 4 < to; counter += L.Count)
        {
            var draws = Draws.Of<GumbelDraw>(a.State, a.Draw, (uint)counter);
            One(a, counter * 4, from, to, draws.X, inverse);
            One(a, counter * 4 + 1, from, to, draws.Y, inverse);
            One(a, counter * 4 + 2, from, to, draws.Z, inverse);
            One(a, counter * 4 + 3, from, to, draws.W, inverse);
        }
        Intrinsic.Barrier();
        Best best = default;
        best.Value = float.NegativeInfinity;
        best.Index = int.MaxValue;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            best = FirstBest.Of(best, Best.At(a.Y, i, from));
        best = L.Fold<FirstBest, Best>(best);
        Lane scale = (Lane)1f / Exponentials.SumOf<L>(a.Y, strip, best.Value).Total;
        for (int i = strip.From; i < strip.End; i += strip.Step)
        {
            Lane probability = Softmaxes.Exponential<Lane>(a.Y[i], best.Value) * scale, one = i == best.Index ? 1f : 0f;
            a.Y[i] = Intrinsic.Less(0f, temperature) ? probability : one;
        }
    }

    private static void One(GumbelArguments a, int i, int from, int to, float noise, Lane inverse)
    {
        if (i >= from && i < to)
            a.Y[i] = Softmaxes.Perturbed<Lane>(a.Logits[i], noise, inverse);
    }
}

/// <summary>A row's largest entry and where it stands.</summary>
internal struct Best
{
    public Lane Value;
    public int Index;

    /// <summary>
    /// Entry i of the row that begins at <paramref name="from"/>. Nothing is larger than NaN in front, and NaN elsewhere is larger than
    /// nothing.
    /// </summary>
    public static Best At(ArrayView<float> y, int i, int from)
    {
        Best best = default;
        Lane instead = i == from ? float.PositiveInfinity : float.NegativeInfinity, value = y[i];
        best.Value = float.IsNaN(value) ? instead : value;
        best.Index = i;
        return best;
    }
}

/// <summary>The larger of two entries, the first of equal ones.</summary>
internal readonly struct FirstBest : IFold<Best>
{
    public static Best Of(Best a, Best b)
    {
        bool second = Intrinsic.Less(a.Value, b.Value) || (!Intrinsic.Less(b.Value, a.Value) && b.Index < a.Index);
        Best best = default;
        best.Value = second ? b.Value : a.Value;
        best.Index = second ? b.Index : a.Index;
        return best;
    }
}
