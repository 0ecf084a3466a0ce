namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int Forward = 0, BackwardData = 1, BackwardWeight = 2;
    private const int WidestNarrowTile = 32;

    /// <summary>As much as every card gives a block that asks for more than 48 KiB.</summary>
    private const int FewChannelsShared = 64 << 10, FewChannelsThreads = 256;

    private static readonly KernelSlot BackwardDataFew = new("conv_few", "conv_backward_data_few");

    private static readonly TileKernels[][] ConvKernels = EachPrecision(
        p => [new("conv", "conv_forward", p, true, false), new("conv", "conv_backward_data", p, true, true), new("conv", "conv_backward_weight", p, false, false)]);

    /// <summary>As src/gemm.cuh's.</summary>
    private readonly struct ConvGeometry(ConvShape shape, int channelsOfK) : ISizes
    {
        public readonly int Batch = shape.Batch, Height = shape.Height, Width = shape.Width, InChannels = shape.InChannels, OutChannels = shape.OutChannels,
            KernelHeight = shape.KernelHeight, KernelWidth = shape.KernelWidth, Stride = shape.Stride, Padding = shape.Padding, OutHeight = shape.OutHeight, OutWidth = shape.OutWidth;
        public readonly Divider ByChannels = channelsOfK, ByOutWidth = shape.OutWidth, ByOutHeight = shape.OutHeight;
    }

    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        bool wide = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        int rows = shape.Batch * shape.OutHeight * shape.OutWidth, k = shape.KernelHeight * shape.KernelWidth * shape.InChannels;
        Launch(Convolution(Forward, new(shape, shape.InChannels), wide, new(rows, shape.OutChannels, k), x, w, y, bias, activation, accumulate, reluMask));
    }

    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        var product = BackwardDataProduct(shape, dy, w, dx, bias, activation, accumulate, reluMask);
        if (PlanFewChannels(shape, out var few) && IsAligned(dy) && IsAligned(w))
            LaunchFewChannels(product, few);
        else
            Launch(product);
    }

    private TileProduct BackwardDataProduct(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        // The largest class of pixels, see PixelClass in src/gemm.cuh.
        int s = shape.Stride, rows = shape.Batch * ((shape.Height + s - 1) / s) * ((shape.Width + s - 1) / s);
        int k = (shape.KernelHeight + s - 1) / s * ((shape.KernelWidth + s - 1) / s) * shape.OutChannels;
        var product = Convolution(BackwardData, new(shape, shape.OutChannels), shape.OutChannels % 4 == 0, new(rows, shape.InChannels, k), dy, w, dx, bias, activation, accumulate, reluMask);
        return product with { Classes = s * s };
    }

    /// <summary>As src/conv_few.cu's.</summary>
    private readonly record struct FewChannels(int Rows, int Pixels) : ISizes;

    /// <summary>How images of few channels are cut into blocks whose operands fit shared memory; false where another kernel is for them.</summary>
    private bool PlanFewChannels(ConvShape shape, out FewChannels few)
    {
        const int MostChannels = 4, Padding = 4;
        few = default;
        int lines = shape.KernelHeight * shape.KernelWidth * shape.InChannels;
        if (shape.InChannels > MostChannels || shape.OutChannels % 4 != 0 || shape.InSize == 0 || shape.OutSize == 0)
            return false;
        long rowsThatFit = (FewChannelsShared / sizeof(float) - (long)lines * shape.OutChannels) / ((long)shape.OutWidth * (shape.OutChannels + Padding + lines));
        // A block with `rows` rows of dx needs at most (rows + kernel - 2) / stride + 1 rows of dy.
        long rows = rowsThatFit >= shape.OutHeight ? shape.Height : rowsThatFit * shape.Stride - shape.KernelHeight + 1;
        // Rows at the edge of a block are computed by two blocks: of few rows to a block most would be.
        if (rows < Math.Min(shape.Height, shape.KernelHeight))
            return false;
        int blocks = (int)((shape.Height + rows - 1) / rows);
        while (shape.Batch * blocks < context.Multiprocessors && shape.Height / (2 * blocks) >= shape.KernelHeight)
            blocks *= 2;
        int each = (shape.Height + blocks - 1) / blocks;
        few = new(each, Math.Min(shape.OutHeight, (each + shape.KernelHeight - 2) / shape.Stride + 1) * shape.OutWidth);
        return true;
    }

    private void LaunchFewChannels(TileProduct product, FewChannels few)
    {
        var (geometry, epilogue) = (product.Geometry, product.Epilogue);
        epilogue.C = product.C.Address;
        LaunchWithShared(BackwardDataFew, new(geometry.Batch, (geometry.Height + few.Rows - 1) / few.Rows), FewChannelsThreads, FewChannelsShared, MemoryOf(product, default),
            KernelArgument.Declared(product.A.Address), KernelArgument.Declared(product.B.Address), KernelArgument.Sizes(&geometry), KernelArgument.Structure(&epilogue), KernelArgument.Sizes(&few));
    }

    public void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate)
    {
        bool wide = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        int rows = shape.KernelHeight * shape.KernelWidth * shape.InChannels, k = shape.Batch * shape.OutHeight * shape.OutWidth;
        var product = Convolution(BackwardWeight, new(shape, shape.InChannels), wide, new(rows, shape.OutChannels, k), x, dy, dw, default, Activation.None, accumulate, default);
        PutOff(product with { IsWeightGradient = true });
    }

    private TileProduct Convolution(int direction, ConvGeometry geometry, bool wideLoads, ProductShape sizes, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask)
    {
        var wide = new Wide(wideLoads && IsAligned(a) && IsAligned(b), sizes.N % 4 == 0 && IsAligned(c) && IsAligned(bias) && IsAligned(reluMask));
        var epilogue = new Epilogue { Bias = bias.Address, ReluMask = reluMask.Address, Relu = activation == Activation.Relu ? 1 : 0, Accumulate = accumulate ? 1 : 0 };
        return new(ConvKernels[(int)Precision][direction], sizes, wide, a, b, c, epilogue) { Geometry = geometry };
    }
}
