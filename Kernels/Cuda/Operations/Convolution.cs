namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int Forward = 0, BackwardData = 1, BackwardWeight = 2;
    private const int WidestNarrowTile = 32;

    private static readonly TileKernels[][] ConvKernels = EachPrecision(
        p => [new("conv", "conv_forward", p, true, false), new("conv", "conv_backward_data", p, true, true), new("conv", "conv_backward_weight", p, false, false)]);

    /// <summary>As src/gemm.cuh's.</summary>
    private readonly struct ConvGeometry(ConvShape shape, int channelsOfK)
    {
        public readonly int Batch = shape.Batch, Height = shape.Height, Width = shape.Width, InChannels = shape.InChannels, OutChannels = shape.OutChannels,
            KernelHeight = shape.KernelHeight, KernelWidth = shape.KernelWidth, Stride = shape.Stride, Padding = shape.Padding, OutHeight = shape.OutHeight, OutWidth = shape.OutWidth;
        public readonly Divider ByChannels = channelsOfK, ByOutWidth = shape.OutWidth, ByOutHeight = shape.OutHeight;
    }

    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        bool wide = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        int rows = shape.Batch * shape.OutHeight * shape.OutWidth, k = shape.KernelHeight * shape.KernelWidth * shape.InChannels;
        Convolve(Forward, new(shape, shape.InChannels), wide, rows, shape.OutChannels, k, classes: 1, x, w, y, bias, activation, accumulate, reluMask);
    }

    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        // The largest class of pixels, see PixelClass in src/gemm.cuh.
        int s = shape.Stride, rows = shape.Batch * ((shape.Height + s - 1) / s) * ((shape.Width + s - 1) / s);
        int k = (shape.KernelHeight + s - 1) / s * ((shape.KernelWidth + s - 1) / s) * shape.OutChannels;
        Convolve(BackwardData, new(shape, shape.OutChannels), shape.OutChannels % 4 == 0, rows, shape.InChannels, k, classes: s * s, dy, w, dx, bias, activation, accumulate, reluMask);
    }

    public void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate)
    {
        bool wide = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        int rows = shape.KernelHeight * shape.KernelWidth * shape.InChannels, k = shape.Batch * shape.OutHeight * shape.OutWidth;
        if (rows == 0 || shape.OutChannels == 0)
            return;
        var kernel = Choose(BackwardWeight, wide && IsAligned(x) && IsAligned(dy), shape.OutChannels);
        var epilogue = new Epilogue { C = dw.Address, Accumulate = accumulate ? 1 : 0, Vectors = shape.OutChannels % 4 == 0 && IsAligned(dw) ? 1 : 0 };
        PutOff(new(kernel, new(rows, shape.OutChannels, k, default, default, default, default), x, dy, epilogue) { Geometry = new(shape, shape.InChannels), IsConvolution = true });
    }

    private TileKernel Choose(int direction, bool wideLoads, int columns)
    {
        var kernels = ConvKernels[(int)Precision][direction];
        return !wideLoads ? kernels.Single : columns > WidestNarrowTile ? kernels.Wide : kernels.Narrow;
    }

    private void Convolve(int direction, ConvGeometry geometry, bool wideLoads, int rows, int columns, int k, int classes, Slice<float> a, Slice<float> b, Slice<float> c,
        Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        if (rows == 0 || columns == 0)
            return;
        var kernel = Choose(direction, wideLoads && IsAligned(a) && IsAligned(b), columns);
        var epilogue = new Epilogue
        {
            C = c.Address,
            Bias = bias.Address,
            ReluMask = reluMask.Address,
            Relu = activation == Activation.Relu ? 1 : 0,
            Accumulate = accumulate ? 1 : 0,
            Vectors = columns % 4 == 0 && IsAligned(c) && IsAligned(bias) && IsAligned(reluMask) ? 1 : 0,
        };
        var grid = PlanTiles(kernel, rows, columns, k, classes, ref epilogue);
        LaunchWithShared(kernel.Slot, grid, kernel.Threads, kernel.SharedBytes, a, b, KernelArgument.Structure(&geometry), KernelArgument.Structure(&epilogue));
    }
}
