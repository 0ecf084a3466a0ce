namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private static readonly TileKernels[][] HeadKernels = EachPrecision(p => [new("heads", "head_moments", p, true, false)]);

    /// <summary>As src/heads.cuh's.</summary>
    private struct HeadMomentsArguments
    {
        public int Rows, Inputs, H;
        public long Jump;
        public nint MuBias, LogVarBias, Sums, Indicators, Partial, Tickets;
        public float InversePoints;
        public int XIsHalf;
    }

    public void HeadMoments(int rows, int inputs, int h, Operand x, SlicePair weights, SlicePair biases, Slice<float> sums, long points, Slice<float> indicators)
    {
        const int BlocksPerMultiprocessor = 2, FloatsOfState = 4;
        if (rows == 0 || h == 0)
            return;
        var kernels = HeadKernels[(int)Precision][0];
        bool wide = inputs % 4 == 0 && h % 4 == 0 && IsAligned(x) && IsAligned(weights);
        var kernel = !wide ? kernels.Single : Tiles(kernels.Wide, rows, 2 * h) >= context.Multiprocessors ? kernels.Wide : kernels.Narrow;
        // Each tile of columns is summed by several blocks, which share the rows.
        int tiles = (2 * h + kernel.Columns - 1) / kernel.Columns;
        int sharing = Math.Clamp(BlocksPerMultiprocessor * context.Multiprocessors / tiles, 1, (rows + kernel.Rows - 1) / kernel.Rows);
        var arguments = new HeadMomentsArguments
        {
            Rows = rows,
            Inputs = inputs,
            H = h,
            Jump = (weights.Second.Address - weights.First.Address) / sizeof(float),
            MuBias = biases.First.Address,
            LogVarBias = biases.Second.Address,
            Sums = sums.Address,
            Indicators = indicators.Address,
            InversePoints = points > 0 ? (float)(1.0 / points) : 0,
            XIsHalf = HalfIf(x, 1),
        };
        var memory = new LaunchMemory();
        memory.Read(x);
        memory.Read(weights);
        memory.Read(biases);
        memory.Write(sums);
        memory.Write(indicators);
        if (sharing > 1)
        {
            var scratch = TakeScratch((long)tiles * sharing * kernel.Columns * FloatsOfState, ref memory);
            (arguments.Partial, arguments.Tickets) = (scratch.Partial, scratch.Tickets);
        }
        LaunchWithShared(kernel.Slot, new(tiles, sharing), kernel.Threads, kernel.SharedBytes, memory,
            KernelArgument.Declared(x.Address), KernelArgument.Declared(weights.First.Address), KernelArgument.Structure(&arguments));
    }
}
