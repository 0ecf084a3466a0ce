namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int LayoutOfWeightGradients = 2;

    /// <summary>A kernel that computes one tile of C at a time: src/gemm.cuh, src/gemm_fp32.cuh, src/gemm_tf32.cuh.</summary>
    private sealed class TileKernel(string operation, string name, int rows, int columns, int width, Precision precision, bool aAlongK, bool bAlongK)
    {
        public readonly int Rows = rows, Columns = columns;
        public readonly int StepDepth = Depth(precision, columns);
        public readonly int Threads = rows * columns / (precision == Precision.Fp32 ? columns == 128 ? 8 * 8 : 8 * 4 : columns == 128 ? 64 : 32);
        public readonly int SharedBytes = sizeof(float) * Stages(precision) * (TileFloats(precision, columns, aAlongK, rows) + TileFloats(precision, columns, bAlongK, columns));
        public readonly KernelSlot Slot = new($"{operation}_{Suffix(precision)}", $"{operation}_{name}_{rows}x{columns}_v{width}_{Suffix(precision)}");

        private static int Stages(Precision precision) => precision == Precision.Fp32 ? 2 : 3;

        private static int Depth(Precision precision, int columns) => precision == Precision.Fp32 && columns == 128 ? 8 : 16;

        /// <summary>Of one operand in one stage, with the padding of its lines.</summary>
        private static int TileFloats(Precision precision, int columns, bool alongK, int rows)
        {
            int depth = Depth(precision, columns);
            return precision == Precision.Fp32 ? depth * (rows + (alongK ? 4 : 0)) : alongK ? rows * (depth + 4) : depth * (rows + 8);
        }

        private static string Suffix(Precision precision) => precision == Precision.Fp32 ? "fp32" : "tf32";
    }

    /// <summary>The kernels of one operation in one precision: a wide tile, a narrow one, and a narrow one for sizes or addresses that are no multiples of four floats.</summary>
    private sealed class TileKernels(string operation, string name, Precision precision, bool aAlongK, bool bAlongK)
    {
        public readonly TileKernel Wide = operation == "matmul" ? new(operation, name, 128, 128, 4, precision, aAlongK, bAlongK) : new(operation, name, 128, 64, 4, precision, aAlongK, bAlongK);
        public readonly TileKernel Narrow = operation == "matmul" ? new(operation, name, 64, 64, 4, precision, aAlongK, bAlongK) : new(operation, name, 128, 32, 4, precision, aAlongK, bAlongK);
        public readonly TileKernel Single = operation == "matmul" ? new(operation, name, 64, 64, 1, precision, aAlongK, bAlongK) : new(operation, name, 128, 32, 1, precision, aAlongK, bAlongK);
    }

    private static readonly TileKernels[,] MatMulKernels = EachPrecision(
        p => [new("matmul", "nn", p, true, false), new("matmul", "nt", p, true, true), new("matmul", "tn", p, false, false), new("matmul", "tt", p, false, true)]);

    private static TileKernels[,] EachPrecision(Func<Precision, TileKernels[]> kernels)
    {
        TileKernels[] fp32 = kernels(Precision.Fp32), tf32 = kernels(Precision.Tf32);
        var all = new TileKernels[2, fp32.Length];
        for (int i = 0; i < fp32.Length; i++)
            (all[0, i], all[1, i]) = (fp32[i], tf32[i]);
        return all;
    }

    /// <summary>As src/gemm.cuh's.</summary>
    private struct Epilogue
    {
        public nint C, Bias, ReluMask, Partial, Tickets;
        public uint Steps;
        public int Relu, Accumulate, Vectors;
    }

    public void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias, Activation activation, Slice<float> reluMask)
    {
        var (m, n, k) = (shape.M, shape.N, shape.K);
        if (m == 0 || n == 0)
            return;
        int layout = (shape.TransposeA ? 2 : 0) + (shape.TransposeB ? 1 : 0);
        var kernels = MatMulKernels[(int)Precision, layout];
        bool wideLoads = (shape.TransposeA ? m : k) % 4 == 0 && (shape.TransposeB ? k : n) % 4 == 0 && IsAligned(a) && IsAligned(b);
        bool wideStores = n % 4 == 0 && IsAligned(c) && IsAligned(bias) && IsAligned(reluMask);
        // A large tile halves the traffic but only pays when there are enough of them for every multiprocessor.
        var kernel = !wideLoads ? kernels.Single : wideStores && Tiles(kernels.Wide, m, n) >= context.Multiprocessors ? kernels.Wide : kernels.Narrow;
        var epilogue = new Epilogue
        {
            C = c.Address,
            Bias = bias.Address,
            ReluMask = reluMask.Address,
            Relu = activation == Activation.Relu ? 1 : 0,
            Accumulate = shape.Accumulate ? 1 : 0,
            Vectors = wideStores ? 1 : 0,
        };
        if (layout == LayoutOfWeightGradients)
        {
            PutOff(new(kernel, m, n, k, a, b, epilogue));
            return;
        }
        var grid = PlanTiles(kernel, m, n, k, classes: 1, ref epilogue);
        LaunchWithShared(kernel.Slot, grid, kernel.Threads, kernel.SharedBytes, a, b, m, n, k, KernelArgument.Structure(&epilogue));
    }

    private static int Tiles(TileKernel kernel, int rows, int columns) => (rows + kernel.Rows - 1) / kernel.Rows * ((columns + kernel.Columns - 1) / kernel.Columns);

    /// <summary>The grid of a tile kernel. Where the tiles alone leave multiprocessors idle, several blocks share a tile's K and the last of them adds up.</summary>
    /// <param name="floatsPerSharing">Scratch memory behind the tiles' own that the launch needs for each block that shares a tile.</param>
    private Dim PlanTiles(TileKernel kernel, int rows, int columns, int k, int classes, ref Epilogue epilogue, long floatsPerSharing = 0)
    {
        const int FewestSteps = 4, BlocksPerMultiprocessor = 2;
        int tiles = Tiles(kernel, rows, columns), steps = Math.Max(1, (k + kernel.StepDepth - 1) / kernel.StepDepth);
        int sharing = 1;
        if (tiles * classes < context.Multiprocessors)
            sharing = Math.Clamp(BlocksPerMultiprocessor * context.Multiprocessors / (tiles * classes), 1, Math.Max(1, steps / FewestSteps));
        int stepsEach = (steps + sharing - 1) / sharing;
        sharing = (steps + stepsEach - 1) / stepsEach;
        epilogue.Steps = (uint)stepsEach;
        if (sharing > 1)
        {
            long own = (long)tiles * classes * sharing * kernel.Rows * kernel.Columns;
            epilogue.Partial = workspace.Floats(own + sharing * floatsPerSharing).Address;
            epilogue.Tickets = workspace.Tickets.Address;
        }
        return new(tiles, sharing, classes);
    }
}
