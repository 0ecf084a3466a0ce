using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Softmax and its relatives over rows of n: 32 threads a short row, a group a long one. Each pass reads the row again, while it is near.
/// </summary>
internal sealed partial class GpuBackend
{
    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y) =>
        EachRow<Softmax, RowArguments>(Require.Rows("softmax", rows, n, x, y), n, new(View(x), View(y)));

    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y) =>
        EachRow<LogSoftmax, RowArguments>(Require.Rows("log_softmax", rows, n, x, y), n, new(View(x), View(y)));

    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) =>
        SoftmaxGradient(Require.Rows("softmax gradient", rows, n, g, y, dx), n, g, y, default, dx, accumulate);

    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) =>
        EachRow<LogSoftmaxGradient, RowGradientArguments>(
            Require.Rows("log_softmax gradient", rows, n, g, y, dx), n,
            new(View(g), View(y), View(default(Slice<float>)), View(dx), 0, accumulate ? 1 : 0));

    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y)
    {
        Require.Temperature(temperature);
        Require.Draw("gumbel_softmax", draw, rows);
        EachRow<GumbelSoftmax, GumbelArguments>(Require.Rows("gumbel_softmax", rows, n, logits, y), n,
            new(View(logits), View(temperature), View(draw.State), draw.Draw, View(y)));
    }

    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits,
        bool accumulate)
    {
        Require.Temperature(temperature);
        SoftmaxGradient(Require.Rows("gumbel_softmax gradient", rows, n, g, y, dlogits), n, g, y, temperature, dlogits, accumulate);
    }

    public void SoftmaxCrossEntropy(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> loss) =>
        EachRow<CrossEntropy, CrossEntropyArguments>(Require.Classes(rows, n, logits, classes, loss), n,
            new(View(default(Slice<float>)), View(logits), View(classes), View(loss), 0));

    public void SoftmaxCrossEntropyGradient(int rows, int n, Slice<float> g, Slice<float> logits, Slice<int> classes, Slice<float> dlogits,
        bool accumulate)
    {
        Require.Rows("softmax_cross_entropy gradient", rows, n, logits, dlogits);
        EachRow<CrossEntropyGradient, CrossEntropyArguments>(
            Require.Classes(rows, n, logits, classes, g), n,
            new(View(g), View(logits), View(classes), View(dlogits), accumulate ? 1 : 0));
    }

    private void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dx,
        bool accumulate) =>
        EachRow<SoftmaxGradient, RowGradientArguments>(rows, n,
            new(View(g), View(y), View(temperature), View(dx), temperature.IsAbsent ? 0 : 1, accumulate ? 1 : 0));
}

internal readonly record struct RowArguments(ArrayView<float> X, ArrayView<float> Y);

internal readonly struct Softmax : IStripwise<RowArguments>
{
    public static void Of(RowArguments a, Strip strip)
    {
        Lane largest = Exponentials.Largest(a.X, strip), scale = (Lane)1f / Exponentials.SumOf(a.X, strip, largest).Total;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            a.Y[i] = Softmaxes.Exponential<Lane>(a.X[i], largest) * scale;
    }
}

internal readonly struct LogSoftmax : IStripwise<RowArguments>
{
    public static void Of(RowArguments a, Strip strip)
    {
        Lane largest = Exponentials.Largest(a.X, strip), logSum = Pair.Log(Exponentials.SumOf(a.X, strip, largest)).High;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            a.Y[i] = Softmaxes.LogSoftmax<Lane>(a.X[i], largest, logSum);
    }
}

internal readonly record struct RowGradientArguments(
    ArrayView<float> G, ArrayView<float> Y, ArrayView<float> Temperature, ArrayView<float> Dx, int HasTemperature,
    int Accumulate);

internal readonly struct SoftmaxGradient : IStripwise<RowGradientArguments>
{
    public static void Of(RowGradientArguments a, Strip strip)
    {
        Pair sum = default;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            sum.Add((Lane)a.G[i] * a.Y[i]);
        Lane mean = strip.Strips.FoldToAll<Pair, Pair>(sum).Total, scale = a.HasTemperature != 0 ? (Lane)1f / a.Temperature[0] : 1f;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            Store.To(a.Dx, i, Softmaxes.Gradient<Lane>(a.G[i], a.Y[i], mean, scale), a.Accumulate);
    }
}

internal readonly struct LogSoftmaxGradient : IStripwise<RowGradientArguments>
{
    public static void Of(RowGradientArguments a, Strip strip)
    {
        Lane total = strip.Strips.ToAll(Sum<Entries, ArrayView<float>>.Of(a.G, strip).Total);
        for (int i = strip.From; i < strip.End; i += strip.Step)
            Store.To(a.Dx, i, Softmaxes.LogGradient<Lane>(a.G[i], a.Y[i], total), a.Accumulate);
    }
}

/// <param name="Result">The losses, or dlogits.</param>
internal readonly record struct CrossEntropyArguments(ArrayView<float> G, ArrayView<float> Logits, ArrayView<int> Classes,
    ArrayView<float> Result, int Accumulate);

internal readonly struct CrossEntropy : IStripwise<CrossEntropyArguments>
{
    public static void Of(CrossEntropyArguments a, Strip strip)
    {
        var row = Exponentials.Of(a.Logits, strip);
        if (strip.Stores)
        {
            var own = Pair.Of(a.Logits[strip.From + a.Classes[strip.At]]);
            a.Result[strip.At] = (Pair.Log(row.Sum) - (own - Pair.Of(Softmaxes.Shift(row.Most)))).High;
        }
    }
}

internal readonly struct CrossEntropyGradient : IStripwise<CrossEntropyArguments>
{
    public static void Of(CrossEntropyArguments a, Strip strip)
    {
        var row = Exponentials.Of(a.Logits, strip);
        int own = strip.Exists ? strip.From - strip.Strips.Rank + a.Classes[strip.At] : Parts.Nowhere;
        Lane g = strip.Exists ? a.G[strip.At] : 0f, scale = g / row.Sum.Total, shift = Softmaxes.Shift(row.Most);
        for (int i = strip.From; i < strip.End; i += strip.Step)
        {
            Lane d = scale * Softmaxes.Exponential<Lane>(a.Logits[i], shift), all = a.Accumulate != 0 ? a.Result[i] + d : d;
            a.Result[i] = i == own ? all - g : all;
        }
    }
}

internal readonly record struct GumbelArguments(ArrayView<float> Logits, ArrayView<float> Temperature, ArrayView<uint> State, uint Draw,
    ArrayView<float> Y);

/// <summary>
/// As in <see cref="Reparameterise"/> a thread makes whole counters of four draws. Until they become probabilities, perturbed logits stand
/// in y.
/// </summary>
internal readonly struct GumbelSoftmax : IStripwise<GumbelArguments>
{
    public static void Of(GumbelArguments a, Strip strip)
    {
        Lane temperature = a.Temperature[0], inverse = Intrinsic.Less(0f, temperature) ? (Lane)1f / temperature : 1f;
        int from = strip.From - strip.Strips.Rank;
        for (int counter = (from >> 2) + strip.Strips.Rank; 4 * counter < strip.End; counter += strip.Step)
        {
            var draws = Draws.Of<GumbelDraw>(a.State, a.Draw, (uint)counter);
            for (int i = 4 * counter; i < 4 * counter + 4; i++, draws.MoveUp(0f))
                if (i >= from && i < strip.End)
                    a.Y[i] = Softmaxes.Perturbed<Lane>(a.Logits[i], draws.X, inverse);
        }
        Intrinsic.Barrier();
        var best = new Best(float.NegativeInfinity, int.MaxValue);
        for (int i = strip.From; i < strip.End; i += strip.Step)
            best = Best.Of(best, Best.At(a.Y, i, from));
        best = strip.Strips.FoldToAll<Best, Best>(best);
        Lane scale = (Lane)1f / Exponentials.SumOf(a.Y, strip, best.Value).Total;
        for (int i = strip.From; i < strip.End; i += strip.Step)
        {
            Lane probability = Softmaxes.Exponential<Lane>(a.Y[i], best.Value) * scale, one = i == best.Index ? 1f : 0f;
            a.Y[i] = Intrinsic.Less(0f, temperature) ? probability : one;
        }
    }
}

/// <summary>A row's largest entry and where it stands.</summary>
internal readonly record struct Best(Lane Value, int Index) : IFold<Best>
{
    /// <summary>
    /// Entry i of the row that begins at <paramref name="from"/>. Nothing is larger than NaN in front, and NaN elsewhere is larger than
    /// nothing.
    /// </summary>
    public static Best At(ArrayView<float> y, int i, int from)
    {
        Lane instead = i == from ? float.PositiveInfinity : float.NegativeInfinity, value = y[i];
        return new(float.IsNaN(value) ? instead : value, i);
    }

    /// <summary>The larger of two entries, the first of equal ones.</summary>
    public static Best Of(Best a, Best b)
    {
        bool second = Intrinsic.Less(a.Value, b.Value) || (!Intrinsic.Less(b.Value, a.Value) && b.Index < a.Index);
        return new(second ? b.Value : a.Value, second ? b.Index : a.Index);
    }
}
