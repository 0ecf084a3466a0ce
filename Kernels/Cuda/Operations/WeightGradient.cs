namespace VaeFromScratch.Kernels.Cuda;

/// <remarks>
/// A weight gradient is nearly always followed by the gradient of the same layer's bias, which sums an array that the weight gradient reads too. So a weight gradient is put off
/// until the next call: if that is the bias gradient, extra blocks of the same launch do it; if it is anything else, the weight gradient is launched first.
/// That saves one launch for each layer of a training step.
/// </remarks>
public sealed unsafe partial class CudaBackend
{
    private const int WidestColumnSums = 32;

    private WeightGradient? putOff;

    /// <summary>A weight gradient that has been asked for: everything its launch needs.</summary>
    private readonly record struct WeightGradient(TileKernel Kernel, ProductShape Product, Slice<float> A, Slice<float> B, Epilogue Epilogue)
    {
        public ConvGeometry Geometry { get; init; }
        public bool IsConvolution { get; init; }
    }

    /// <summary>As src/gemm.cuh's.</summary>
    private struct ColumnSums
    {
        public nint G, Out, Partial, Tickets;
        public int Rows, Columns, Width;
        public uint FirstBlock;
        public int Accumulate;
        public Columns OfG, OfOut;
    }

    private static ColumnSums ColumnSumsOf(int rows, int columns, Slice<float> g, Columns ofG, Slice<float> sums, Columns ofSums, bool accumulate) => new()
    {
        G = g.Address,
        Out = sums.Address,
        Rows = rows,
        Columns = columns,
        Width = Math.Min(WidestColumnSums, PowerOfTwo(columns)),
        Accumulate = accumulate ? 1 : 0,
        OfG = ofG,
        OfOut = ofSums,
    };

    public void BiasGradient(int rows, int columns, Slice<float> g, Slice<float> dbias, bool accumulate)
    {
        if (putOff is not { } gradient || columns == 0 || (g.Address != gradient.A.Address && g.Address != gradient.B.Address))
        {
            Sum(g, 1, rows, columns, 1, dbias, accumulate);
            return;
        }
        putOff = null;
        Launch(gradient, ColumnSumsOf(rows, columns, g, new(columns), dbias, new(columns), accumulate));
    }

    private void PutOff(WeightGradient gradient)
    {
        Enter();
        putOff = gradient;
    }

    /// <summary>Launches the weight gradient that waits for its bias gradient, if there is one.</summary>
    private void LaunchWhatWasPutOff()
    {
        if (putOff is not { } gradient)
            return;
        putOff = null;
        Launch(gradient, default);
    }

    private void Launch(WeightGradient gradient, ColumnSums sums)
    {
        var (kernel, product, epilogue) = (gradient.Kernel, gradient.Product, gradient.Epilogue);
        var grid = PlanTiles(kernel, product.M, product.N, product.K, classes: 1, ref epilogue, floatsPerSharing: 2 * sums.Columns);
        int tiles = grid.X;
        sums.FirstBlock = (uint)tiles;
        if (sums.Columns > 0)
        {
            grid = grid with { X = tiles + (sums.Columns + sums.Width - 1) / sums.Width };
            sums.Partial = epilogue.Partial + sizeof(float) * (nint)tiles * grid.Y * kernel.Rows * kernel.Columns;
            sums.Tickets = epilogue.Tickets + sizeof(uint) * tiles;
        }
        var geometry = gradient.Geometry;
        if (gradient.IsConvolution)
            LaunchWithShared(kernel.Slot, grid, kernel.Threads, kernel.SharedBytes, gradient.A, gradient.B, KernelArgument.Structure(&geometry), KernelArgument.Structure(&epilogue), KernelArgument.Structure(&sums));
        else
            LaunchWithShared(kernel.Slot, grid, kernel.Threads, kernel.SharedBytes, gradient.A, gradient.B, KernelArgument.Structure(&product), KernelArgument.Structure(&epilogue), KernelArgument.Structure(&sums));
    }
}
