namespace VaeFromScratch.Kernels.Cuda;

/// <remarks>
/// Matrix products and convolutions are one computation on the GPU, cut into tiles of C (src/gemm.cuh). This file describes it, chooses the kernel that computes it and launches that.
/// </remarks>
public sealed unsafe partial class CudaBackend
{
    /// <summary>How a tile is multiplied: src/gemm_fp32.cuh, src/gemm_tf32.cuh and gemm_bf16.cuh, src/gemm_warpgroup.cuh, and as that with copied operands src/gemm_copies.cuh.</summary>
    private enum Multiplier
    {
        Fma,
        Mma,
        Wgmma,
        Tma,
    }

    /// <summary>A kernel that computes one tile of C at a time.</summary>
    private sealed class TileKernel
    {
        private const int LineBytes = 128, AlignmentOfWarpgroup = 1024;

        public readonly int Rows, Columns, StepDepth, Threads, SharedBytes;
        public readonly KernelSlot Slot;

        /// <summary>Whether the copy engine brings its operands.</summary>
        public readonly bool Copies;

        /// <summary>As <see cref="TileRow.Kernel"/> names it.</summary>
        public readonly string Label;

        /// <param name="file">Its source, without the precision at the end.</param>
        /// <param name="name">Of the kernel, without tile, width and precision.</param>
        /// <param name="rows">Of a tile.</param>
        /// <param name="columns">Of a tile.</param>
        /// <param name="width">Floats in one load.</param>
        /// <param name="precision">Of the operands.</param>
        /// <param name="multiplier">How a tile is multiplied.</param>
        /// <param name="aAlongK">Whether k runs along the lines of A.</param>
        /// <param name="bAlongK">Whether k runs along the lines of B.</param>
        public TileKernel(string file, string name, int rows, int columns, int width, Precision precision, Multiplier multiplier, bool aAlongK, bool bAlongK)
        {
            (Rows, Columns, Label) = (rows, columns, $"{rows}x{columns} {multiplier.ToString().ToLowerInvariant()}");
            Copies = multiplier == Multiplier.Tma;
            bool byWarpgroups = multiplier is Multiplier.Wgmma or Multiplier.Tma;
            string ending = NameOf(precision) + (byWarpgroups ? "_" + multiplier.ToString().ToLowerInvariant() : "");
            Slot = new($"{file}_{ending}", $"{name}_{rows}x{columns}_v{width}_{ending}");
            bool inLines = byWarpgroups || precision == Precision.Bf16;
            StepDepth = multiplier switch
            {
                _ when inLines => LineBytes / (precision == Precision.Tf32 ? 4 : 2),
                Multiplier.Fma => columns == 128 ? 8 : 16,
                _ => 16,
            };
            Threads = multiplier switch
            {
                Multiplier.Fma => rows * columns / (columns == 128 ? 8 * 8 : 8 * 4),
                Multiplier.Mma => rows * columns / (columns == 128 ? 64 : 32),
                _ => rows / 64 * 128,
            };
            int stages = multiplier switch
            {
                Multiplier.Fma => 2 * sizeof(float) * StepDepth * (rows + (aAlongK ? 4 : 0) + columns + (bAlongK ? 4 : 0)),
                Multiplier.Mma when inLines => 2 * LineBytes * (rows + columns),
                Multiplier.Mma => 3 * sizeof(float) * (PaddedTile(aAlongK, rows) + PaddedTile(bAlongK, columns)),
                // Those that copy have a barrier of 8 bytes for each stage.
                _ => 3 * LineBytes * (rows + columns) + AlignmentOfWarpgroup + (Copies ? 3 * sizeof(ulong) : 0),
            };
            // The finished tile goes through the same memory.
            SharedBytes = Math.Max(stages, sizeof(float) * rows * columns);
        }

        private int PaddedTile(bool alongK, int rows) => alongK ? rows * (StepDepth + 4) : StepDepth * (rows + 8);
    }

    /// <summary>The kernels of one operation in one precision.</summary>
    private sealed class TileKernels
    {
        public readonly string Operation;

        /// <summary>As <see cref="TileProblem.Precision"/>, by the bits of <see cref="Epilogue.Halves"/> for A, B and C.</summary>
        public readonly string[] Precision;

        /// <summary>A wide tile, a narrow one, and a narrow one for sizes or addresses that are no multiples of four floats.</summary>
        public readonly TileKernel Wide, Narrow, Single;

        /// <summary>By wgmma, from the smallest tile to the largest; none in float32 and for the encoder's heads.</summary>
        public readonly TileKernel[] Warpgroup = [];

        /// <summary>As <see cref="Warpgroup"/>, for operands stored in bf16 that the copy engine brings.</summary>
        public readonly TileKernel[] Copying = [];

        public TileKernels(string file, string operation, Precision precision, bool aAlongK, bool bAlongK)
        {
            Operation = operation;
            Precision = [.. Enumerable.Range(0, HalfMask).Select(halves => NameOf(precision) + (halves > 0 ? ":" : "") + string.Concat("abc".Where((_, i) => (halves >> i & 1) != 0)))];
            var (wideColumns, narrowRows, narrowColumns) = file == "conv" ? (64, 128, WidestNarrowTile) : (128, 64, 64);
            var multiplier = precision == Cuda.Precision.Fp32 ? Multiplier.Fma : Multiplier.Mma;
            Wide = Kernel(128, wideColumns, 4, multiplier);
            Narrow = Kernel(narrowRows, narrowColumns, 4, multiplier);
            Single = Kernel(narrowRows, narrowColumns, 1, multiplier);
            if (precision != Cuda.Precision.Fp32 && file != "heads")
            {
                Warpgroup = [Kernel(narrowRows, narrowColumns, 4, Multiplier.Wgmma), Kernel(128, wideColumns, 4, Multiplier.Wgmma)];
                if (file == "matmul")
                    Warpgroup = [.. Warpgroup, Kernel(128, 256, 4, Multiplier.Wgmma)];
                if (file == "matmul" && precision == Cuda.Precision.Bf16 && aAlongK | !bAlongK)
                    Copying = [Kernel(64, 64, 4, Multiplier.Tma), Kernel(128, 128, 4, Multiplier.Tma), Kernel(128, 256, 4, Multiplier.Tma)];
            }

            TileKernel Kernel(int rows, int columns, int width, Multiplier by) => new(file, operation, rows, columns, width, precision, by, aAlongK, bAlongK);
        }

        public bool IsConvolution => Operation.StartsWith("conv", StringComparison.Ordinal);
    }

    /// <summary>By precision, then in the order given.</summary>
    private static TileKernels[][] EachPrecision(Func<Precision, TileKernels[]> kernels) => Array.ConvertAll(Enum.GetValues<Precision>(), p => kernels(p));

    /// <summary>Bits of <see cref="Epilogue.Halves"/>, as src/gemm.cuh's.</summary>
    private const int HalfA = 1, HalfB = 2, HalfC = 4, HalfMask = 8;

    /// <summary>As src/gemm.cuh's.</summary>
    private struct Epilogue
    {
        public nint C, Bias, ReluMask, Partial, Tickets;
        public uint Steps, Group;
        public int Relu, Accumulate, Vectors, Halves;
    }

    private static Epilogue EpilogueOf(Slice<float> bias, Activation activation, bool accumulate, Operand reluMask) => new()
    {
        Bias = bias.Address,
        ReluMask = reluMask.Address,
        Relu = activation == Activation.Relu ? 1 : 0,
        Accumulate = accumulate ? 1 : 0,
        Halves = HalfIf(reluMask, HalfMask),
    };

    private static int HalfIf(Operand operand, int bit) => operand.Storage == Storage.Bf16 ? bit : 0;

    /// <summary>The product, its kernels told which of its operands are bf16.</summary>
    private TileProduct Stored(TileProduct product)
    {
        var epilogue = product.Epilogue;
        epilogue.Halves |= HalfIf(product.A, HalfA) | HalfIf(product.B, HalfB) | HalfIf(product.C, HalfC);
        return epilogue.Halves == 0 || Precision == Precision.Bf16
            ? product with { Epilogue = epilogue }
            : throw new InvalidOperationException($"{product.Kernels.Operation}: operands stored in bf16 are for {NameOf(Precision.Bf16)}, this backend computes in {NameOf(Precision)}");
    }

    /// <summary>As src/gemm.cuh's: the columns of one matrix, or of two of the same shape.</summary>
    private readonly struct Columns
    {
        public readonly uint Line, First;
        public readonly long Jump;

        public Columns(int line) => (Line, First) = ((uint)line, uint.MaxValue);

        /// <summary>Whether they lie in two.</summary>
        public bool IsPair => First is not (0 or uint.MaxValue);

        /// <summary>Where the second of two begins.</summary>
        public nint Second(nint first) => first + (nint)(Jump + Line) * sizeof(float);

        public Columns(int line, SlicePair pair) => (Line, First, Jump) = ((uint)line, (uint)line, (pair.Second.Address - pair.First.Address) / sizeof(float) - line);
    }

    /// <summary>As src/matmul.cuh's.</summary>
    private readonly struct ProductShape(int m, int n, int k, Columns a = default, Columns b = default, Columns c = default, Columns bias = default)
    {
        public readonly int M = m, N = n, K = k;
        public readonly Columns A = a, B = b, C = c, Bias = bias;
    }

    /// <summary>Whether the operands can be read, and the result written, four numbers at a time.</summary>
    private readonly record struct Wide(bool Loads, bool Stores);

    /// <summary>One matrix product or convolution: all that its launch needs but the choice of a kernel.</summary>
    /// <param name="Kernels">That can compute it.</param>
    /// <param name="Product">Its sizes; for a convolution without where columns lie.</param>
    /// <param name="Wide">What its addresses and sizes allow.</param>
    /// <param name="A">The left operand, or the image.</param>
    /// <param name="B">The right operand, or the weights.</param>
    /// <param name="C">The result; of two heads the first.</param>
    /// <param name="Epilogue">What happens to a finished sum.</param>
    private readonly record struct TileProduct(TileKernels Kernels, ProductShape Product, Wide Wide, Operand A, Operand B, Operand C, Epilogue Epilogue)
    {
        public int Classes { get; init; } = 1;
        public ConvGeometry Geometry { get; init; }

        /// <summary>Its kernels can sum the columns of an operand besides.</summary>
        public bool IsWeightGradient { get; init; }

        /// <summary>A weight gradient that src/conv_few.cu computes.</summary>
        public bool HasFewChannels { get; init; }

        public TileProblem Problem => new(Kernels.Operation, Kernels.Precision[Epilogue.Halves & (HalfMask - 1)], Product.M, Product.N, Product.K, Classes);
    }

    /// <param name="Kernel">Computes a tile.</param>
    /// <param name="BlocksPerMultiprocessor">To make of few tiles, by sharing each tile's K among several blocks.</param>
    private readonly record struct TileChoice(TileKernel Kernel, int BlocksPerMultiprocessor)
    {
        public const int UsualBlocks = 2;
    }

    private readonly Dictionary<(TileProblem, Wide, bool CanCopy), TileChoice> chosen = [];

    private void Launch(TileProduct product, ColumnSums sums = default)
    {
        if (product.Product.M == 0 || product.Product.N == 0)
            return;
        if (product.HasFewChannels)
        {
            LaunchBackwardWeightFew(product, sums);
            return;
        }
        if (tuning is not null && !capturing)
            Tune(product);
        Launch(Choose(product), product, sums);
    }

    private void Launch(TileChoice choice, TileProduct product, ColumnSums sums)
    {
        var (kernel, shape, geometry, epilogue) = (choice.Kernel, product.Product, product.Geometry, product.Epilogue);
        epilogue.C = product.C.Address;
        epilogue.Vectors = product.Wide.Stores ? 1 : 0;
        int tiles = Tiles(kernel, shape.M, shape.N), sharing = PlanSharing(choice, tiles, shape.K, product.Classes, out int steps);
        epilogue.Steps = (uint)steps;
        var memory = MemoryOf(product, sums);
        Share(ref epilogue, ref sums, ref memory, tiles * product.Classes, sharing, kernel.Rows * kernel.Columns);
        var sizes = product.Kernels.IsConvolution ? KernelArgument.Sizes(&geometry) : KernelArgument.Structure(&shape);
        byte* room = stackalloc byte[RoomForMaps];
        var (a, b) = kernel.Copies ? Maps(kernel, product, room) : (KernelArgument.Declared(product.A.Address), KernelArgument.Declared(product.B.Address));
        ReadOnlySpan<KernelArgument> arguments = [a, b, sizes, KernelArgument.Structure(&epilogue), KernelArgument.Structure(&sums)];
        LaunchWithShared(kernel.Slot, GridWith(sums, tiles, sharing) with { Z = product.Classes }, kernel.Threads, kernel.SharedBytes, memory, product.IsWeightGradient ? arguments : arguments[..^1]);
    }

    /// <summary>What was measured for this product or one like it, else what the rule says.</summary>
    private TileChoice Choose(TileProduct product)
    {
        if (tiles.PrefersWarpgroups && CanUseWarpgroups(product))
            return new(Candidates(product).Last(k => k == product.Kernels.Warpgroup[0] || k == product.Kernels.Copying.FirstOrDefault() || k.Rows <= product.Product.M || k.Columns <= product.Product.N), TileChoice.UsualBlocks);
        if (tiles.Rows.Count == 0)
            return Rule(product);
        var key = (product.Problem, product.Wide, CanCopy(product));
        if (!chosen.TryGetValue(key, out var choice))
        {
            var row = tiles.Find(context.ComputeCapabilityName, product.Problem);
            choice = row is not null && Candidates(product).FirstOrDefault(k => k.Label == row.Kernel) is { } kernel ? new(kernel, row.BlocksPerMultiprocessor) : Rule(product);
            chosen.Add(key, choice);
        }
        return choice;
    }

    /// <summary>The choice where nothing has been measured.</summary>
    private TileChoice Rule(TileProduct product)
    {
        var kernels = product.Kernels;
        return new(!product.Wide.Loads ? kernels.Single : IsLarge(product, kernels.Wide) ? kernels.Wide : kernels.Narrow, TileChoice.UsualBlocks);
    }

    /// <summary>A large tile halves the traffic but only pays when there are enough of them for every multiprocessor. A convolution has few columns, and as many as there are is best.</summary>
    private bool IsLarge(TileProduct product, TileKernel wide) => product.Kernels.IsConvolution ? product.Product.N > WidestNarrowTile
        : Tiles(wide, product.Product.M, product.Product.N) >= context.Multiprocessors;

    private bool CanUseWarpgroups(TileProduct product) => product.Wide.Loads && HasWarpgroupKernels && product.Kernels.Warpgroup.Length > 0;

    /// <summary>Every kernel that can compute it here.</summary>
    private IEnumerable<TileKernel> Candidates(TileProduct product)
    {
        var kernels = product.Kernels;
        if (!product.Wide.Loads)
        {
            yield return kernels.Single;
            yield break;
        }
        yield return kernels.Narrow;
        yield return kernels.Wide;
        if (CanUseWarpgroups(product))
            foreach (var kernel in kernels.Warpgroup)
                yield return kernel;
        if (CanCopy(product))
            foreach (var kernel in kernels.Copying)
                yield return kernel;
    }

    private static int Tiles(TileKernel kernel, int rows, int columns) => (rows + kernel.Rows - 1) / kernel.Rows * ((columns + kernel.Columns - 1) / kernel.Columns);

    /// <summary>How many blocks share a tile's K: several where the tiles alone leave multiprocessors idle.</summary>
    /// <param name="stepsEach">Of K, for each of them.</param>
    private int PlanSharing(TileChoice choice, int tiles, int k, int classes, out int stepsEach)
    {
        const int LeastDepth = 64;
        int steps = Math.Max(1, (k + choice.Kernel.StepDepth - 1) / choice.Kernel.StepDepth), sharing = 1;
        if (tiles * classes < context.Multiprocessors)
            sharing = Math.Clamp(choice.BlocksPerMultiprocessor * context.Multiprocessors / (tiles * classes), 1, Math.Max(1, k / LeastDepth));
        stepsEach = (steps + sharing - 1) / sharing;
        return (steps + stepsEach - 1) / stepsEach;
    }

    /// <summary>Scratch memory for blocks that share results, and for those of the same launch that sum columns; see sum_of_sharing_blocks in src/gemm.cuh.</summary>
    /// <param name="tiles">Results of <paramref name="floats"/> numbers each.</param>
    /// <param name="sharing">Blocks that share one.</param>
    private void Share(ref Epilogue epilogue, ref ColumnSums sums, ref LaunchMemory memory, int tiles, int sharing, int floats)
    {
        // As many groups as members: the sums of either are waited for one after the other.
        int group = (int)Math.Ceiling(Math.Sqrt(sharing)), groups = (sharing + group - 1) / group;
        epilogue.Group = (uint)group;
        sums.FirstBlock = (uint)tiles;
        if (sharing == 1)
            return;
        long own = (long)tiles * (sharing + groups) * floats;
        var scratch = TakeScratch(own + 2L * sharing * sums.Columns, ref memory);
        (epilogue.Partial, epilogue.Tickets) = (scratch.Partial, scratch.Tickets);
        sums.Partial = epilogue.Partial + sizeof(float) * (nint)own;
        sums.Tickets = epilogue.Tickets + sizeof(uint) * tiles * (groups + 1);
    }

    /// <summary>Blocks for the tiles and behind them, where there are columns to sum, for those.</summary>
    private static Dim GridWith(ColumnSums sums, int tiles, int sharing) => new(tiles + (sums.Columns > 0 ? (sums.Columns + sums.Width - 1) / sums.Width : 0), sharing);
}
