namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The products of <see cref="IBackend"/> in the only storage that this device has, float32.</summary>
public sealed unsafe partial class CpuBackend
{
    public Storage CompactStorage => Storage.Float32;

    public void Convert(Operand from, Operand to) => CopyBlock(1, to.Length, from.Floats, to.Length, to.Floats, to.Length, accumulate: false);

    public void MatMul(MatMulShape shape, Operand a, Operand b, Operand c, Slice<float> bias, Activation activation, Operand reluMask) =>
        MatMul(shape, a.Floats, b.Floats, c.Floats, bias, activation, reluMask.Floats);

    public void LinearPair(int rows, int inputs, int outputs, Operand x, SlicePair weights, SlicePair biases, SlicePair y) => LinearPair(rows, inputs, outputs, x.Floats, weights, biases, y);

    public void LinearPairBackwardData(int rows, int inputs, int outputs, SlicePair g, SlicePair weights, Operand dx, bool accumulate, Operand reluMask) =>
        LinearPairBackwardData(rows, inputs, outputs, g, weights, dx.Floats, accumulate, reluMask.Floats);

    public void LinearPairBackwardWeight(int rows, int inputs, int outputs, Operand x, SlicePair g, SlicePair dweights, SlicePair dbiases, bool accumulate) =>
        LinearPairBackwardWeight(rows, inputs, outputs, x.Floats, g, dweights, dbiases, accumulate);

    public void Conv2dForward(ConvShape shape, Operand x, Slice<float> w, Operand y, Slice<float> bias, Activation activation, bool accumulate, Operand reluMask) =>
        Conv2dForward(shape, x.Floats, w, y.Floats, bias, activation, accumulate, reluMask.Floats);

    public void Conv2dBackwardData(ConvShape shape, Operand dy, Slice<float> w, Operand dx, Slice<float> bias, Activation activation, bool accumulate, Operand reluMask) =>
        Conv2dBackwardData(shape, dy.Floats, w, dx.Floats, bias, activation, accumulate, reluMask.Floats);

    public void Conv2dBackwardWeight(ConvShape shape, Operand x, Operand dy, Slice<float> dw, bool accumulate) => Conv2dBackwardWeight(shape, x.Floats, dy.Floats, dw, accumulate);

    public void BiasGradient(int rows, int columns, Operand g, Slice<float> dbias, bool accumulate) => Sum(g.Floats, 1, rows, columns, 1, dbias, accumulate);

    public void HeadMoments(int rows, int inputs, int h, Operand x, SlicePair weights, SlicePair biases, Slice<float> sums, long points, Slice<float> indicators) =>
        HeadMoments(rows, inputs, h, x.Floats, weights, biases, sums, points, indicators);
}
