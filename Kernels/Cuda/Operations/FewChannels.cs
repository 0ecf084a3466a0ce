namespace VaeFromScratch.Kernels.Cuda;

/// <remarks>Convolutions between images of few channels and feature maps, which have kernels of their own (src/conv_few.cu) whatever the precision: by counting bytes, not by the table of tiles.</remarks>
public sealed unsafe partial class CudaBackend
{
    private const int MostFewChannels = 4, FewThreads = 256;

    /// <summary>As much as every card gives a block that asks for more than 48 KiB.</summary>
    private const int FewShared = 64 << 10;

    private static readonly KernelSlot ForwardFew = new("conv_few", "conv_forward_few"), BackwardDataFew = new("conv_few", "conv_backward_data_few"),
        BackwardWeightFew = new("conv_few", "conv_backward_weight_few");

    /// <summary>As src/conv_few.cu's.</summary>
    private readonly record struct FewChannels(int Rows, int Pixels = 0) : ISizes;

    private static bool HasFewChannels(ConvShape shape) => shape.InChannels <= MostFewChannels && shape.OutChannels % 4 == 0 && shape.InSize > 0 && shape.OutSize > 0;

    private static int Taps(ConvShape shape) => shape.KernelHeight * shape.KernelWidth * shape.InChannels;

    private static long PaddedLine(ConvShape shape) => ((long)(shape.OutWidth - 1) * shape.Stride + shape.KernelWidth) * shape.InChannels;

    /// <summary>How feature maps are cut into blocks whose operands fit shared memory; false where another kernel is for them.</summary>
    private bool PlanForwardFew(ConvShape shape, TileProduct product, out FewChannels few)
    {
        few = default;
        if (!HasFewChannels(shape) || product.A.Storage != Storage.Float32 || !IsAligned(product.B) || !product.Wide.Stores)
            return false;
        long lines = (FewShared / sizeof(float) - (long)Taps(shape) * shape.OutChannels) / PaddedLine(shape);
        if (lines < shape.KernelHeight)
            return false;
        few = new(RowsOfBlock(shape, shape.OutHeight, fit: (lines - shape.KernelHeight) / shape.Stride + 1, fewest: 1));
        return true;
    }

    /// <summary>How images are cut into blocks whose operands fit shared memory; false where another kernel is for them.</summary>
    private bool PlanBackwardDataFew(ConvShape shape, TileProduct product, out FewChannels few)
    {
        const int Padding = 4;
        few = default;
        if (!HasFewChannels(shape) || !IsAligned(product.A) || !IsAligned(product.B))
            return false;
        int lines = Taps(shape);
        long rowsThatFit = (FewShared / sizeof(float) - (long)lines * shape.OutChannels) / ((long)shape.OutWidth * (shape.OutChannels + Padding + lines));
        // A block with `rows` rows of dx needs at most (rows + kernel - 2) / stride + 1 rows of dy.
        long rows = rowsThatFit >= shape.OutHeight ? shape.Height : rowsThatFit * shape.Stride - shape.KernelHeight + 1;
        // Rows at the edge of a block are computed by two blocks: of few rows to a block most would be.
        if (rows < Math.Min(shape.Height, shape.KernelHeight))
            return false;
        int each = RowsOfBlock(shape, shape.Height, rows, fewest: shape.KernelHeight);
        few = new(each, Math.Min(shape.OutHeight, (each + shape.KernelHeight - 2) / shape.Stride + 1) * shape.OutWidth);
        return true;
    }

    /// <summary>As many rows as fit, or fewer where a block for each image leaves multiprocessors idle.</summary>
    private int RowsOfBlock(ConvShape shape, int rows, long fit, int fewest)
    {
        int blocks = (int)((rows + fit - 1) / fit);
        while (shape.Batch * blocks < context.Multiprocessors && rows / (2 * blocks) >= fewest)
            blocks *= 2;
        return (rows + blocks - 1) / blocks;
    }

    /// <summary>Whether a weight gradient of few channels fits one block's threads and shared memory, for each image.</summary>
    private static bool SuitsBackwardWeightFew(ConvShape shape, TileProduct product)
    {
        if (!HasFewChannels(shape) || product.A.Storage != Storage.Float32 || !IsAligned(product.B))
            return false;
        int taps = Taps(shape), items = shape.OutChannels / 4 * ((taps + 3) / 4);
        long picture = ((long)(shape.OutHeight - 1) * shape.Stride + shape.KernelHeight) * PaddedLine(shape);
        return items <= FewThreads && sizeof(float) * (picture + (FewThreads / items + 1L) * taps * shape.OutChannels) <= FewShared;
    }

    private void LaunchFew(KernelSlot kernel, TileProduct product, FewChannels few, int rows)
    {
        var (geometry, epilogue) = (product.Geometry, product.Epilogue);
        epilogue.C = product.C.Address;
        epilogue.Vectors = 1;
        LaunchWithShared(kernel, new(geometry.Batch, (rows + few.Rows - 1) / few.Rows), FewThreads, FewShared, MemoryOf(product, default),
            KernelArgument.Declared(product.A.Address), KernelArgument.Declared(product.B.Address), KernelArgument.Sizes(&geometry), KernelArgument.Structure(&epilogue), KernelArgument.Sizes(&few));
    }

    private void LaunchBackwardWeightFew(TileProduct product, ColumnSums sums)
    {
        const int ImagesOfBlock = 2;
        var (geometry, epilogue) = (product.Geometry, product.Epilogue);
        int outputs = product.Product.M * product.Product.N, blocks = Math.Clamp((geometry.Batch + ImagesOfBlock - 1) / ImagesOfBlock, 1, 2 * context.Multiprocessors);
        epilogue.C = product.C.Address;
        var memory = MemoryOf(product, sums);
        Share(ref epilogue, ref sums, ref memory, tiles: 1, blocks, outputs);
        LaunchWithShared(BackwardWeightFew, GridWith(sums, tiles: 1, blocks), FewThreads, FewShared, memory,
            KernelArgument.Declared(product.A.Address), KernelArgument.Declared(product.B.Address), KernelArgument.Sizes(&geometry), KernelArgument.Structure(&epilogue), KernelArgument.Structure(&sums));
    }
}
