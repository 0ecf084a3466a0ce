using VaeFromScratch.Kernels;

namespace VaeFromScratch;

public static partial class Ops
{
    /// <summary>Softmax over the last axis.</summary>
    public static Tensor Softmax(this Tensor x)
    {
        var (rows, n) = Rows(x);
        var tape = Tape.Current;
        var y = Tape.New(x.Shape, x);
        tape.Kernels.Softmax(rows, n, x.Data, y.Data);
        tape.Record(y, () =>
        {
            var dx = x.GradientSink(out bool accumulate);
            tape.Kernels.SoftmaxGradient(rows, n, y.Gradient, y.Data, dx, accumulate);
        });
        return y;
    }

    /// <summary>Logarithm of the softmax over the last axis.</summary>
    public static Tensor LogSoftmax(this Tensor x)
    {
        var (rows, n) = Rows(x);
        var tape = Tape.Current;
        var y = Tape.New(x.Shape, x);
        tape.Kernels.LogSoftmax(rows, n, x.Data, y.Data);
        tape.Record(y, () =>
        {
            var dx = x.GradientSink(out bool accumulate);
            tape.Kernels.LogSoftmaxGradient(rows, n, y.Gradient, y.Data, dx, accumulate);
        });
        return y;
    }

    /// <summary>-log softmax(logits)[class] of each row, nats, in one kernel.</summary>
    /// <param name="logits">Unnormalised log-probabilities, [B, K].</param>
    /// <param name="classes">In device memory, [B], each from 0 to K - 1.</param>
    /// <returns>[B].</returns>
    public static Tensor SoftmaxCrossEntropy(this Tensor logits, Slice<int> classes)
    {
        var (rows, n) = Rows(logits);
        if (logits.Shape.Rank != 2 || classes.Length != rows)
            throw new ShapeException("softmax_cross_entropy", $"{classes.Length} classes and logits {logits.Shape} [batch, classes]",
                "one class a row");
        var tape = Tape.Current;
        var loss = Tape.New(new(rows), logits);
        tape.Kernels.SoftmaxCrossEntropy(rows, n, logits.Data, classes, loss.Data);
        tape.Record(loss, () =>
        {
            var dlogits = logits.GradientSink(out bool accumulate);
            tape.Kernels.SoftmaxCrossEntropyGradient(rows, n, loss.Gradient, logits.Data, classes, dlogits, accumulate);
        });
        return loss;
    }

    /// <summary>A relaxed one-hot sample of each row's category (equations.md (C1)).</summary>
    /// <param name="logits">Unnormalised log-probabilities, [B, K].</param>
    /// <param name="temperature">tau, a scalar tensor.</param>
    /// <param name="straightThrough">Whether the values are exactly one-hot; the gradient is that of the relaxed sample of the same
    /// noise.</param>
    public static Tensor GumbelSoftmax(this Tensor logits, Tensor temperature, Rng rng, bool straightThrough = false)
    {
        var (rows, n) = Rows(logits);
        var tape = Tape.Current;
        var y = Tape.New(logits.Shape, logits);
        var draw = rng.Next();
        tape.Kernels.GumbelSoftmax(rows, n, logits.Data, temperature.Data, draw, y.Data);
        tape.Record(y, () =>
        {
            var dx = logits.GradientSink(out bool accumulate);
            tape.Kernels.GumbelSoftmaxGradient(rows, n, y.Gradient, y.Data, temperature.Data, dx, accumulate);
        });
        if (!straightThrough)
            return y;
        var hard = Tape.New(logits.Shape, y);
        tape.Kernels.GumbelSoftmax(rows, n, logits.Data, tape.Full(Shape.Scalar, 0).Data, draw, hard.Data);
        tape.Record(hard, () => Contribute(y, hard.Gradient));
        return hard;
    }

    /// <summary>A one-hot sample of each row's category, [B, K]; no gradient flows through it.</summary>
    /// <param name="logits">Unnormalised log-probabilities, [B, K].</param>
    public static Tensor SampleOneHot(this Tensor logits, Rng rng)
    {
        var (rows, n) = Rows(logits);
        var tape = Tape.Current;
        var y = tape.Empty(logits.Shape);
        tape.Kernels.GumbelSoftmax(rows, n, logits.Data, tape.Full(Shape.Scalar, 0).Data, rng.Next(), y.Data);
        return y;
    }

    private static (int Rows, int N) Rows(Tensor x)
    {
        int n = x.Shape[-1];
        return (x.Length / Math.Max(1, n), n);
    }
}
