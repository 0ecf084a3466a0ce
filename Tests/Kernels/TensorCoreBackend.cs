using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu.TensorCores;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The CPU's backend, but products and convolutions run on the emulator, whose device memory is the CPU's.</summary>
internal sealed class TensorCoreBackend : BackendDecorator, IBackend
{
    /// <summary>Few, so that small products have tiles enough to be large ones.</summary>
    public const int Multiprocessors = 4;

    public TensorCoreBackend(Precision precision, int multiprocessors = Multiprocessors)
        : base(new CpuBackend(threads: 1))
    {
        CudaEmulator.Open();
        Stream = CudaEmulator.CreateStream();
        Products = new(CudaEmulator.Bind, Stream, multiprocessors, precision);
    }

    public TensorCoreProducts Products { get; }

    public nint Stream { get; }

    void IBackend.MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias,
        Activation activation, Slice<float> reluMask) =>
        Products.MatMul(shape, a.Address, b.Address, c.Address, bias.Address, activation, reluMask.Address);

    void IBackend.Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias, Activation activation,
        bool accumulate, Slice<float> reluMask) =>
        Products.Conv2dForward(shape, x.Address, w.Address, y.Address, bias.Address, activation, accumulate, reluMask.Address);

    void IBackend.Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask) =>
        Products.Conv2dBackwardData(shape, dy.Address, w.Address, dx.Address, bias.Address, activation, accumulate, reluMask.Address);

    void IBackend.Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate) =>
        Products.Conv2dBackwardWeight(shape, x.Address, dy.Address, dw.Address, accumulate);

    protected override void Invoke(KernelCost cost, Action<IBackend> call) => call(Inner);

    public override ICapturedStep Capture(Action<IBackend> step) => Inner.Capture(step);

    public override void Dispose()
    {
        Products.Dispose();
        Inner.Dispose();
    }
}
