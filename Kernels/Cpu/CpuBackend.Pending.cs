namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    public void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias, Activation activation, Slice<float> reluMask) => throw new NotSupportedException("pending: MatMul");
    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask) => throw new NotSupportedException("pending: Conv2dForward");
    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask) => throw new NotSupportedException("pending: Conv2dBackwardData");
    public void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate) => throw new NotSupportedException("pending: Conv2dBackwardWeight");
    public void BiasGradient(int rows, int columns, Slice<float> g, Slice<float> dbias, bool accumulate) => throw new NotSupportedException("pending: BiasGradient");
    public void ReluMask(Slice<float> y, Slice<float> g) => throw new NotSupportedException("pending: ReluMask");
    public void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax) => throw new NotSupportedException("pending: MaxPool");
    public void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: MaxPoolGradient");
}
