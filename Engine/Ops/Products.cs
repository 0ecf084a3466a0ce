using VaeFromScratch.Kernels;

namespace VaeFromScratch.Engine;

public static partial class Ops
{
    /// <summary>op(a) op(b), where op transposes when asked: [M, K] times [K, N] gives [M, N].</summary>
    public static Tensor MatMul(this Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        if (a.Shape.Rank != 2 || b.Shape.Rank != 2 || a.Shape[transposeA ? 0 : 1] != b.Shape[transposeB ? 1 : 0])
            throw new ArgumentException($"matmul: {a.Shape}{(transposeA ? " transposed" : "")} times {b.Shape}{(transposeB ? " transposed" : "")} is not defined; the inner sizes must be equal");
        int m = a.Shape[transposeA ? 1 : 0], k = a.Shape[transposeA ? 0 : 1], n = b.Shape[transposeB ? 0 : 1];
        var tape = Tape.Required;
        var y = Tape.New(new(m, n), a, b);
        tape.Kernels.MatMul(new(m, n, k, transposeA, transposeB), a.Data, b.Data, y.Data);
        tape.Record(y, () =>
        {
            var g = y.Gradient;
            if (a.NeedsGradient)
            {
                var da = a.ProductGradientSink(out bool add);
                if (transposeA)
                    tape.Kernels.MatMul(new(k, m, n, transposeB, true, add), b.Data, g, da, reluMask: a.ReluMask);
                else
                    tape.Kernels.MatMul(new(m, k, n, false, !transposeB, add), g, b.Data, da, reluMask: a.ReluMask);
            }
            if (b.NeedsGradient)
            {
                var db = b.ProductGradientSink(out bool add);
                if (transposeB)
                    tape.Kernels.MatMul(new(n, k, m, true, transposeA, add), g, a.Data, db, reluMask: b.ReluMask);
                else
                    tape.Kernels.MatMul(new(k, n, m, !transposeA, false, add), a.Data, g, db, reluMask: b.ReluMask);
            }
        });
        return y;
    }

    /// <summary>x w + b, then the activation: x [B, in], weights [in, out], bias [out].</summary>
    public static Tensor Linear(this Tensor x, Tensor weight, Tensor? bias, LayerOutput output = default)
    {
        if (x.Shape.Rank != 2 || weight.Shape.Rank != 2 || x.Shape[1] != weight.Shape[0])
            throw new ArgumentException($"linear: input {x.Shape} does not match weights {weight.Shape} [in, out]; reshape the input to [batch, {(weight.Shape.Rank == 2 ? weight.Shape[0] : 0)}]");
        int rows = x.Shape[0], inputs = weight.Shape[0], outputs = weight.Shape[1];
        var tape = Tape.Required;
        var y = Tape.New(new(rows, outputs), output.StorageOn(tape.Kernels), x, weight, bias);
        y.IsReluOutput = output.Activation == Activation.Relu;
        tape.Kernels.MatMul(new(rows, outputs, inputs), x.Values, weight.Data, y.Values, bias?.Data ?? default, output.Activation);
        tape.Record(y, () =>
        {
            var g = y.StoredGradient;
            if (x.NeedsGradient)
            {
                var dx = x.ProductGradientSink(out bool add);
                tape.Kernels.MatMul(new(rows, inputs, outputs, false, true, add), g, weight.Data, dx, reluMask: x.ReluMask);
            }
            if (weight.NeedsGradient)
            {
                var dw = weight.GradientSink(out bool add);
                tape.Kernels.MatMul(new(inputs, outputs, rows, true, false, add), x.Values, g, dw);
            }
            BiasGradient(tape, bias, g, rows, outputs);
        });
        return y;
    }

    /// <summary>Two linear layers of the same size on one input, in one kernel each way: x [B, in], weights [in, out], biases [out].</summary>
    public static (Tensor First, Tensor Second) LinearPair(this Tensor x, (Tensor Weight, Tensor Bias) first, (Tensor Weight, Tensor Bias) second)
    {
        if (x.Shape.Rank != 2 || first.Weight.Shape.Rank != 2 || x.Shape[1] != first.Weight.Shape[0] || first.Weight.Shape != second.Weight.Shape)
            throw new ArgumentException($"linear_pair: input {x.Shape} does not match weights {first.Weight.Shape} and {second.Weight.Shape}, both [in, out]");
        int rows = x.Shape[0], inputs = first.Weight.Shape[0], outputs = first.Weight.Shape[1];
        var tape = Tape.Required;
        var y = Tape.New(new(rows, outputs), x, first.Weight, first.Bias);
        var z = Tape.New(new(rows, outputs), x, second.Weight, second.Bias);
        var weights = new SlicePair(first.Weight.Data, second.Weight.Data);
        tape.Kernels.LinearPair(rows, inputs, outputs, x.Values, weights, new(first.Bias.Data, second.Bias.Data), new(y.Data, z.Data));
        tape.Record(y, () =>
        {
            var g = new SlicePair(GradientOrZero(tape, y), GradientOrZero(tape, z));
            if (x.NeedsGradient)
            {
                var dx = x.ProductGradientSink(out bool add);
                tape.Kernels.LinearPairBackwardData(rows, inputs, outputs, g, weights, dx, add, x.ReluMask);
            }
            if (first.Weight.NeedsGradient)
            {
                Tensor[] parameters = [first.Weight, second.Weight, first.Bias, second.Bias];
                bool add = Array.Exists(parameters, p => p.Root.HasGradient);
                Slice<float>[] sinks = [.. parameters.Select(p => add ? AddingSink(tape, p) : p.GradientSink(out _))];
                tape.Kernels.LinearPairBackwardWeight(rows, inputs, outputs, x.Values, g, new(sinks[0], sinks[1]), new(sinks[2], sinks[3]), add);
            }
        }, second: z);
        return (y, z);
    }

    /// <summary>Convolution: x [B, H, W, C], weights [kh, kw, C, O], bias [O]; result [B, OH, OW, O].</summary>
    public static Tensor Conv2d(this Tensor x, Tensor weight, Tensor? bias, int stride, int padding, LayerOutput output = default)
    {
        if (x.Shape.Rank != 4 || weight.Shape.Rank != 4 || x.Shape[3] != weight.Shape[2])
            throw new ArgumentException($"conv2d: input {x.Shape} [batch, height, width, channels] does not match weights {weight.Shape} [kh, kw, in, out]");
        var shape = new ConvShape(x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], weight.Shape[3], weight.Shape[0], weight.Shape[1], stride, padding);
        if (shape.Height + 2 * padding < shape.KernelHeight || shape.Width + 2 * padding < shape.KernelWidth)
            throw new ArgumentException($"conv2d: a {shape.KernelHeight}x{shape.KernelWidth} kernel does not fit into {shape.Height}x{shape.Width} images with padding {padding}");
        var tape = Tape.Required;
        var y = Tape.New(new(shape.Batch, shape.OutHeight, shape.OutWidth, shape.OutChannels), output.StorageOn(tape.Kernels), x, weight, bias);
        y.IsReluOutput = output.Activation == Activation.Relu;
        tape.Kernels.Conv2dForward(shape, x.Values, weight.Data, y.Values, bias?.Data ?? default, output.Activation);
        tape.Record(y, () =>
        {
            var g = y.StoredGradient;
            if (x.NeedsGradient)
            {
                var dx = x.ProductGradientSink(out bool add);
                tape.Kernels.Conv2dBackwardData(shape, g, weight.Data, dx, accumulate: add, reluMask: x.ReluMask);
            }
            if (weight.NeedsGradient)
            {
                var dw = weight.GradientSink(out bool add);
                tape.Kernels.Conv2dBackwardWeight(shape, x.Values, g, dw, add);
            }
            BiasGradient(tape, bias, g, y.Length / shape.OutChannels, shape.OutChannels);
        });
        return y;
    }

    /// <summary>
    /// Transposed convolution: x [B, H, W, I], weights [kh, kw, O, I], bias [O]; result [B, (H - 1) stride - 2 padding + kh + outputPadding, .., O].
    /// </summary>
    public static Tensor ConvTranspose2d(this Tensor x, Tensor weight, Tensor? bias, int stride, int padding, int outputPaddingHeight = 0, int outputPaddingWidth = 0,
        LayerOutput output = default)
    {
        if (x.Shape.Rank != 4 || weight.Shape.Rank != 4 || x.Shape[3] != weight.Shape[3])
            throw new ArgumentException($"conv_transpose2d: input {x.Shape} [batch, height, width, channels] does not match weights {weight.Shape} [kh, kw, out, in]");
        if (outputPaddingHeight >= stride || outputPaddingWidth >= stride)
            throw new ArgumentException($"conv_transpose2d: output padding ({outputPaddingHeight}, {outputPaddingWidth}) must be below the stride {stride}");
        int kh = weight.Shape[0], kw = weight.Shape[1];
        int height = (x.Shape[1] - 1) * stride - 2 * padding + kh + outputPaddingHeight;
        int width = (x.Shape[2] - 1) * stride - 2 * padding + kw + outputPaddingWidth;
        // The convolution that this is the transpose of: it maps the result's shape to the input's.
        var shape = new ConvShape(x.Shape[0], height, width, weight.Shape[2], weight.Shape[3], kh, kw, stride, padding);
        var tape = Tape.Required;
        var y = Tape.New(new(shape.Batch, height, width, shape.InChannels), output.StorageOn(tape.Kernels), x, weight, bias);
        y.IsReluOutput = output.Activation == Activation.Relu;
        tape.Kernels.Conv2dBackwardData(shape, x.Values, weight.Data, y.Values, bias?.Data ?? default, output.Activation);
        tape.Record(y, () =>
        {
            var g = y.StoredGradient;
            if (x.NeedsGradient)
            {
                var dx = x.ProductGradientSink(out bool add);
                tape.Kernels.Conv2dForward(shape, g, weight.Data, dx, accumulate: add, reluMask: x.ReluMask);
            }
            if (weight.NeedsGradient)
            {
                var dw = weight.GradientSink(out bool add);
                tape.Kernels.Conv2dBackwardWeight(shape, g, x.Values, dw, add);
            }
            BiasGradient(tape, bias, g, y.Length / shape.InChannels, shape.InChannels);
        });
        return y;
    }

    /// <summary>The largest entry of each kernel x kernel window: x [B, H, W, C].</summary>
    public static Tensor MaxPool2d(this Tensor x, int kernel, int stride)
    {
        var shape = new PoolShape(x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], kernel, stride);
        var tape = Tape.Required;
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

    /// <summary>The gradient of one of two results, of which a backward pass may have reached only the other.</summary>
    private static Slice<float> GradientOrZero(Tape tape, Tensor y)
    {
        if (!y.HasGradient)
            tape.Kernels.Fill(y.GradientSink(out _), 0);
        return y.Gradient;
    }

    private static void BiasGradient(Tape tape, Tensor? bias, Operand g, int rows, int columns)
    {
        if (bias is not { NeedsGradient: true })
            return;
        var db = bias.GradientSink(out bool accumulate);
        tape.Kernels.BiasGradient(rows, columns, g, db, accumulate);
    }
}
