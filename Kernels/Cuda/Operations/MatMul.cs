namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int LayoutOfWeightGradients = 2;

    /// <summary>A kernel that computes one tile of C at a time: src/gemm.cuh, src/gemm_fp32.cuh, src/gemm_tensor.cuh.</summary>
    /// <param name="file">Its source, without the precision at the end.</param>
    private sealed class TileKernel(string file, string name, int rows, int columns, int width, Precision precision, bool aAlongK, bool bAlongK)
    {
        public readonly int Rows = rows, Columns = columns;
        public readonly int StepDepth = Depth(precision, columns);
        public readonly int Threads = rows * columns / (precision == Precision.Fp32 ? columns == 128 ? 8 * 8 : 8 * 4 : columns == 128 ? 64 : 32);
        public readonly int SharedBytes = sizeof(float) * Stages(precision) * (TileFloats(precision, columns, aAlongK, rows) + TileFloats(precision, columns, bAlongK, columns));
        public readonly KernelSlot Slot = new($"{file}_{NameOf(precision)}", $"{name}_{rows}x{columns}_v{width}_{NameOf(precision)}");

        private static int Stages(Precision precision) => precision == Precision.Fp32 ? 2 : 3;

        private static int Depth(Precision precision, int columns) => precision == Precision.Fp32 && columns == 128 ? 8 : 16;

        /// <summary>Of one operand in one stage, with the padding of its lines.</summary>
        private static int TileFloats(Precision precision, int columns, bool alongK, int rows)
        {
            int depth = Depth(precision, columns);
            return precision == Precision.Fp32 ? depth * (rows + (alongK ? 4 : 0)) : alongK ? rows * (depth + 4) : depth * (rows + 8);
        }
    }

    /// <summary>The kernels of one operation in one precision: a wide tile, a narrow one, and a narrow one for sizes or addresses that are no multiples of four floats.</summary>
    private sealed class TileKernels(string file, string name, Precision precision, bool aAlongK, bool bAlongK)
    {
        public readonly TileKernel Wide = new(file, name, 128, file == "conv" ? 64 : 128, 4, precision, aAlongK, bAlongK);
        public readonly TileKernel Narrow = Small(file, name, 4, precision, aAlongK, bAlongK), Single = Small(file, name, 1, precision, aAlongK, bAlongK);

        private static TileKernel Small(string file, string name, int width, Precision precision, bool aAlongK, bool bAlongK) =>
            file == "conv" ? new(file, name, 128, 32, width, precision, aAlongK, bAlongK) : new(file, name, 64, 64, width, precision, aAlongK, bAlongK);
    }

    private static readonly TileKernels[][] MatMulKernels = EachPrecision(
        p => [new("matmul", "matmul_nn", p, true, false), new("matmul", "matmul_nt", p, true, true), new("matmul", "matmul_tn", p, false, false), new("matmul", "matmul_tt", p, false, true)]);

    /// <summary>By precision, then in the order given.</summary>
    private static TileKernels[][] EachPrecision(Func<Precision, TileKernels[]> kernels) => Array.ConvertAll(Enum.GetValues<Precision>(), p => kernels(p));

    /// <summary>As src/gemm.cuh's.</summary>
    private struct Epilogue
    {
        public nint C, Bias, ReluMask, Partial, Tickets;
        public uint Steps;
        public int Relu, Accumulate, Vectors;
    }

    /// <summary>As src/gemm.cuh's: the columns of one matrix, or of two of the same shape.</summary>
    private readonly struct Columns
    {
        public readonly uint Line, First;
        public readonly long Jump;

        public Columns(int line) => (Line, First) = ((uint)line, uint.MaxValue);

        public Columns(int line, SlicePair pair) => (Line, First, Jump) = ((uint)line, (uint)line, (pair.Second.Address - pair.First.Address) / sizeof(float) - line);
    }

    /// <summary>As src/matmul.cuh's.</summary>
    private readonly struct ProductShape(int m, int n, int k, Columns a, Columns b, Columns c, Columns bias)
    {
        public readonly int M = m, N = n, K = k;
        public readonly Columns A = a, B = b, C = c, Bias = bias;
    }

    /// <summary>Whether the operands can be read, and the result written, four floats at a time.</summary>
    private readonly record struct Wide(bool Loads, bool Stores);

    public void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias, Activation activation, Slice<float> reluMask)
    {
        var (m, n, k) = (shape.M, shape.N, shape.K);
        int lineA = shape.TransposeA ? m : k, lineB = shape.TransposeB ? k : n, layout = (shape.TransposeA ? 2 : 0) + (shape.TransposeB ? 1 : 0);
        var wide = new Wide(lineA % 4 == 0 && lineB % 4 == 0 && IsAligned(a) && IsAligned(b), n % 4 == 0 && IsAligned(c) && IsAligned(bias) && IsAligned(reluMask));
        var product = new ProductShape(m, n, k, new(lineA), new(lineB), new(n), new(n));
        var epilogue = new Epilogue { C = c.Address, Bias = bias.Address, ReluMask = reluMask.Address, Relu = activation == Activation.Relu ? 1 : 0, Accumulate = shape.Accumulate ? 1 : 0 };
        if (layout == LayoutOfWeightGradients && m > 0 && n > 0)
            PutOff(new(ChooseTile(layout, product, wide, ref epilogue), product, a, b, epilogue));
        else
            Multiply(layout, product, wide, a, b, epilogue);
    }

    public void LinearPair(int rows, int inputs, int outputs, Slice<float> x, SlicePair weights, SlicePair biases, SlicePair y)
    {
        var wide = new Wide(inputs % 4 == 0 && outputs % 4 == 0 && IsAligned(x) && IsAligned(weights), outputs % 4 == 0 && IsAligned(y) && IsAligned(biases));
        var product = new ProductShape(rows, 2 * outputs, inputs, new(inputs), new(outputs, weights), new(outputs, y), new(outputs, biases));
        Multiply(layout: 0, product, wide, x, weights.First, new() { C = y.First.Address, Bias = biases.First.Address });
    }

    public void LinearPairBackwardData(int rows, int inputs, int outputs, SlicePair g, SlicePair weights, Slice<float> dx, bool accumulate, Slice<float> reluMask)
    {
        var wide = new Wide(outputs % 4 == 0 && IsAligned(g) && IsAligned(weights), inputs % 4 == 0 && IsAligned(dx) && IsAligned(reluMask));
        var product = new ProductShape(rows, inputs, 2 * outputs, new(outputs, g), new(outputs, weights), new(inputs), new(inputs));
        Multiply(layout: 1, product, wide, g.First, weights.First, new() { C = dx.Address, ReluMask = reluMask.Address, Accumulate = accumulate ? 1 : 0 });
    }

    public void LinearPairBackwardWeight(int rows, int inputs, int outputs, Slice<float> x, SlicePair g, SlicePair dweights, SlicePair dbiases, bool accumulate)
    {
        if (inputs == 0 || outputs == 0)
            return;
        var wide = new Wide(inputs % 4 == 0 && outputs % 4 == 0 && IsAligned(x) && IsAligned(g), outputs % 4 == 0 && IsAligned(dweights));
        var product = new ProductShape(inputs, 2 * outputs, rows, new(inputs), new(outputs, g), new(outputs, dweights), default);
        var epilogue = new Epilogue { C = dweights.First.Address, Accumulate = accumulate ? 1 : 0 };
        var sums = ColumnSumsOf(rows, 2 * outputs, g.First, new(outputs, g), dbiases.First, new(outputs, dbiases), accumulate);
        Launch(new(ChooseTile(LayoutOfWeightGradients, product, wide, ref epilogue), product, x, g.First, epilogue), sums);
    }

    private void Multiply(int layout, ProductShape product, Wide wide, Slice<float> a, Slice<float> b, Epilogue epilogue)
    {
        if (product.M == 0 || product.N == 0)
            return;
        var kernel = ChooseTile(layout, product, wide, ref epilogue);
        var grid = PlanTiles(kernel, product.M, product.N, product.K, classes: 1, ref epilogue);
        LaunchWithShared(kernel.Slot, grid, kernel.Threads, kernel.SharedBytes, a, b, KernelArgument.Structure(&product), KernelArgument.Structure(&epilogue));
    }

    private TileKernel ChooseTile(int layout, ProductShape product, Wide wide, ref Epilogue epilogue)
    {
        var kernels = MatMulKernels[(int)Precision][layout];
        epilogue.Vectors = wide.Stores ? 1 : 0;
        // A large tile halves the traffic but only pays when there are enough of them for every multiprocessor.
        return !wide.Loads ? kernels.Single : wide.Stores && Tiles(kernels.Wide, product.M, product.N) >= context.Multiprocessors ? kernels.Wide : kernels.Narrow;
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
