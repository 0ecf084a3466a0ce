namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int Forward = 0, BackwardData = 1, BackwardWeight = 2;
    private const int WidestNarrowTile = 32;

    private static readonly TileKernels[][] ConvKernels = EachPrecision(
        p => [new("conv", "conv_forward", p, true, false), new("conv", "conv_backward_data", p, true, true), new("conv", "conv_backward_weight", p, false, false)]);

    /// <summary>As src/gemm.cuh's.</summary>
    private readonly struct ConvGeometry(ConvShape shape, int channelsOfK) : ISizes
    {
        public readonly int Batch = shape.Batch, Height = shape.Height, Width = shape.Width, InChannels = shape.InChannels, OutChannels = shape.OutChannels,
            KernelHeight = shape.KernelHeight, KernelWidth = shape.KernelWidth, Stride = shape.Stride, Padding = shape.Padding, OutHeight = shape.OutHeight, OutWidth = shape.OutWidth;
        public readonly Divider ByChannels = channelsOfK, ByOutWidth = shape.OutWidth, ByOutHeight = shape.OutHeight;
    }

    public void Conv2dForward(ConvShape shape, Operand x, Slice<float> w, Operand y, Slice<float> bias, Activation activation, bool accumulate, Operand reluMask)
    {
        bool wide = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        int rows = shape.Batch * shape.OutHeight * shape.OutWidth, k = shape.KernelHeight * shape.KernelWidth * shape.InChannels;
        var product = Convolution(Forward, new(shape, shape.InChannels), wide, new(rows, shape.OutChannels, k), x, w, y, bias, activation, accumulate, reluMask);
        if (PlanForwardFew(shape, product, out var few))
            LaunchFew(ForwardFew, product, few, shape.OutHeight);
        else
            Launch(product);
    }

    public void Conv2dBackwardData(ConvShape shape, Operand dy, Slice<float> w, Operand dx, Slice<float> bias, Activation activation, bool accumulate, Operand reluMask)
    {
        var product = BackwardDataProduct(shape, dy, w, dx, bias, activation, accumulate, reluMask);
        if (PlanBackwardDataFew(shape, product, out var few))
            LaunchFew(BackwardDataFew, product, few, shape.Height);
        else
            Launch(product);
    }

    private TileProduct BackwardDataProduct(ConvShape shape, Operand dy, Slice<float> w, Operand dx, Slice<float> bias, Activation activation, bool accumulate, Operand reluMask)
    {
        // The largest class of pixels, see PixelClass in src/gemm.cuh.
        int s = shape.Stride, rows = shape.Batch * ((shape.Height + s - 1) / s) * ((shape.Width + s - 1) / s);
        int k = (shape.KernelHeight + s - 1) / s * ((shape.KernelWidth + s - 1) / s) * shape.OutChannels;
        var product = Convolution(BackwardData, new(shape, shape.OutChannels), shape.OutChannels % 4 == 0, new(rows, shape.InChannels, k), dy, w, dx, bias, activation, accumulate, reluMask);
        return product with { Classes = s * s };
    }

    public void Conv2dBackwardWeight(ConvShape shape, Operand x, Operand dy, Slice<float> dw, bool accumulate)
    {
        bool wide = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        int rows = shape.KernelHeight * shape.KernelWidth * shape.InChannels, k = shape.Batch * shape.OutHeight * shape.OutWidth;
        var product = Convolution(BackwardWeight, new(shape, shape.InChannels), wide, new(rows, shape.OutChannels, k), x, dy, dw, default, Activation.None, accumulate, default);
        PutOff(product with { IsWeightGradient = true, HasFewChannels = SuitsBackwardWeightFew(shape, product) });
    }

    private TileProduct Convolution(int direction, ConvGeometry geometry, bool wideLoads, ProductShape sizes, Operand a, Operand b, Operand c, Slice<float> bias,
        Activation activation, bool accumulate, Operand reluMask)
    {
        var wide = new Wide(wideLoads && IsAligned(a) && IsAligned(b), sizes.N % 4 == 0 && IsAligned(c) && IsAligned(bias) && IsAligned(reluMask));
        return Stored(new(ConvKernels[(int)Precision][direction], sizes, wide, a, b, c, EpilogueOf(bias, activation, accumulate, reluMask)) { Geometry = geometry });
    }
}
