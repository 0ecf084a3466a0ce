using VaeFromScratch.Kernels;

namespace VaeFromScratch;

public static partial class Ops
{
    /// <summary>op(a) op(b), where op transposes when asked: [M, K] times [K, N] gives [M, N].</summary>
    public static Tensor MatMul(this Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        if (a.Shape.Rank != 2 || b.Shape.Rank != 2 || a.Shape[transposeA ? 0 : 1] != b.Shape[transposeB ? 1 : 0])
            throw new ShapeException("matmul",
                $"{a.Shape}{(transposeA ? " transposed" : "")} times {b.Shape}{(transposeB ? " transposed" : "")}",
                "two matrices whose inner sizes are equal");
        int m = a.Shape[transposeA ? 1 : 0], k = a.Shape[transposeA ? 0 : 1], n = b.Shape[transposeB ? 0 : 1];
        var tape = Tape.Current;
        var y = Tape.New(new(m, n), a, b);
        tape.Kernels.MatMul(new(m, n, k, transposeA, transposeB), a.Data, b.Data, y.Data);
        tape.Record(y, () =>
        {
            var g = y.Gradient;
            if (a.NeedsGradient)
            {
                var da = a.GradientSink(out bool add, masked: true);
                if (transposeA)
                    tape.Kernels.MatMul(new(k, m, n, transposeB, true, add), b.Data, g, da, reluMask: a.ReluMask);
                else
                    tape.Kernels.MatMul(new(m, k, n, false, !transposeB, add), g, b.Data, da, reluMask: a.ReluMask);
            }
            if (b.NeedsGradient)
            {
                var db = b.GradientSink(out bool add, masked: true);
                if (transposeB)
                    tape.Kernels.MatMul(new(n, k, m, true, transposeA, add), g, a.Data, db, reluMask: b.ReluMask);
                else
                    tape.Kernels.MatMul(new(k, n, m, !transposeA, false, add), a.Data, g, db, reluMask: b.ReluMask);
            }
        });
        return y;
    }

    /// <summary>x w + b, then the activation: x [B, in], weights [in, out], bias [out].</summary>
    public static Tensor Linear(this Tensor x, Tensor weight, Tensor? bias, Activation activation = Activation.None)
    {
        if (x.Shape.Rank != 2 || weight.Shape.Rank != 2 || x.Shape[1] != weight.Shape[0])
            throw new ShapeException("linear", $"input {x.Shape} and weights {weight.Shape}",
                weight.Shape.Rank == 2 ? $"an input [batch, {weight.Shape[0]}]; reshape it" : "weights of two axes");
        int rows = x.Shape[0], inputs = weight.Shape[0], outputs = weight.Shape[1];
        var tape = Tape.Current;
        var y = Tape.New(new(rows, outputs), x, weight, bias);
        y.IsReluOutput = activation == Activation.Relu;
        tape.Kernels.MatMul(new(rows, outputs, inputs), x.Data, weight.Data, y.Data, bias?.Data ?? default, activation);
        tape.Record(y, () =>
        {
            var g = y.Gradient;
            if (x.NeedsGradient)
            {
                var dx = x.GradientSink(out bool add, masked: true);
                tape.Kernels.MatMul(new(rows, inputs, outputs, false, true, add), g, weight.Data, dx, reluMask: x.ReluMask);
            }
            if (weight.NeedsGradient)
            {
                var dw = weight.GradientSink(out bool add);
                tape.Kernels.MatMul(new(inputs, outputs, rows, true, false, add), x.Data, g, dw);
            }
            tape.AddColumnSums(bias, g, rows);
        });
        return y;
    }

    /// <summary>Convolution: x [B, H, W, C], weights [kh, kw, C, O], bias [O]; result [B, OH, OW, O].</summary>
    public static Tensor Conv2d(this Tensor x, Tensor weight, Tensor? bias, int stride, int padding,
        Activation activation = Activation.None)
    {
        if (x.Shape.Rank != 4 || weight.Shape.Rank != 4 || x.Shape[3] != weight.Shape[2])
            throw new ShapeException("conv2d", $"input {x.Shape} and weights {weight.Shape}",
                "[batch, height, width, channels] and [kh, kw, channels, out]");
        var shape = new ConvShape(x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], weight.Shape[3], weight.Shape[0], weight.Shape[1], stride,
            padding);
        if (shape.Height + 2 * padding < shape.KernelHeight || shape.Width + 2 * padding < shape.KernelWidth)
            throw new ShapeException("conv2d",
                $"a {shape.KernelHeight}x{shape.KernelWidth} kernel and {shape.Height}x{shape.Width} images with padding {padding}",
                "a kernel that fits into them");
        var tape = Tape.Current;
        var y = Tape.New(new(shape.Batch, shape.OutHeight, shape.OutWidth, shape.OutChannels), x, weight, bias);
        y.IsReluOutput = activation == Activation.Relu;
        tape.Kernels.Conv2dForward(shape, x.Data, weight.Data, y.Data, bias?.Data ?? default, activation);
        tape.Record(y, () =>
        {
            var g = y.Gradient;
            if (x.NeedsGradient)
            {
                var dx = x.GradientSink(out bool add, masked: true);
                tape.Kernels.Conv2dBackwardData(shape, g, weight.Data, dx, accumulate: add, reluMask: x.ReluMask);
            }
            if (weight.NeedsGradient)
            {
                var dw = weight.GradientSink(out bool add);
                tape.Kernels.Conv2dBackwardWeight(shape, x.Data, g, dw, add);
            }
            tape.AddColumnSums(bias, g, y.Length / shape.OutChannels);
        });
        return y;
    }

    /// <summary>
    /// Transposed convolution: x [B, H, W, I], weights [kh, kw, O, I], bias [O]; result [B, (H - 1) stride - 2 padding + kh +
    /// outputPadding, .., O].
    /// </summary>
    public static Tensor ConvTranspose2d(this Tensor x, Tensor weight, Tensor? bias, int stride, int padding, int outputPaddingHeight = 0,
        int outputPaddingWidth = 0,
        Activation activation = Activation.None)
    {
        if (x.Shape.Rank != 4 || weight.Shape.Rank != 4 || x.Shape[3] != weight.Shape[3])
            throw new ShapeException("conv_transpose2d", $"input {x.Shape} and weights {weight.Shape}",
                "[batch, height, width, channels] and [kh, kw, out, channels]");
        if (outputPaddingHeight >= stride || outputPaddingWidth >= stride)
            throw new ArgumentException(
                $"conv_transpose2d: output padding ({outputPaddingHeight}, {outputPaddingWidth}) must be below the stride {stride}");
        int kh = weight.Shape[0], kw = weight.Shape[1];
        int height = (x.Shape[1] - 1) * stride - 2 * padding + kh + outputPaddingHeight;
        int width = (x.Shape[2] - 1) * stride - 2 * padding + kw + outputPaddingWidth;
        // The convolution that this is the transpose of: it maps the result's shape to the input's.
        var shape = new ConvShape(x.Shape[0], height, width, weight.Shape[2], weight.Shape[3], kh, kw, stride, padding);
        var tape = Tape.Current;
        var y = Tape.New(new(shape.Batch, height, width, shape.InChannels), x, weight, bias);
        y.IsReluOutput = activation == Activation.Relu;
        tape.Kernels.Conv2dBackwardData(shape, x.Data, weight.Data, y.Data, bias?.Data ?? default, activation);
        tape.Record(y, () =>
        {
            var g = y.Gradient;
            if (x.NeedsGradient)
            {
                var dx = x.GradientSink(out bool add, masked: true);
                tape.Kernels.Conv2dForward(shape, g, weight.Data, dx, accumulate: add, reluMask: x.ReluMask);
            }
            if (weight.NeedsGradient)
            {
                var dw = weight.GradientSink(out bool add);
                tape.Kernels.Conv2dBackwardWeight(shape, g, x.Data, dw, add);
            }
            tape.AddColumnSums(bias, g, y.Length / shape.InChannels);
        });
        return y;
    }

    /// <summary>The largest entry of each kernel x kernel window: x [B, H, W, C].</summary>
    public static Tensor MaxPool2d(this Tensor x, int kernel, int stride)
    {
        var shape = new PoolShape(x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], kernel, stride);
        var tape = Tape.Current;
        var y = Tape.New(new(shape.Batch, shape.OutHeight, shape.OutWidth, shape.Channels), x);
        var argmax = tape.TemporaryIntegers(y.Length);
        tape.Kernels.MaxPool(shape, x.Data, y.Data, argmax);
        tape.Record(y, () =>
        {
            var dx = x.GradientSink(out bool accumulate);
            tape.Kernels.MaxPoolGradient(shape, y.Gradient, argmax, dx, accumulate);
        });
        return y;
    }
}
