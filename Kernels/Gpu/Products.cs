using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Products of matrices, and the tiles that convolutions share with them.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>Threads that fill any GPU at 128 registers each: with so many, no sum is cut into parts.</summary>
    private const int EnoughThreads = 1 << 16;

    /// <summary>
    /// Products that a part of a sum has at least (fewer would not pay for adding the parts), and a multiple of every tile's slices.
    /// </summary>
    private const int ProductsPerPart = 128, SliceMultiple = 16;

    /// <summary>Large tiles that give each multiprocessor of a large GPU one.</summary>
    private const int EnoughForLarge = 128;

    public void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias, Activation activation,
        Slice<float> reluMask)
    {
        Require.MatMul(shape, a, b, c, bias, reluMask);
        if (OnTensorCores(t => t.MatMul(shape, AddressOf(a), AddressOf(b), AddressOf(c), AddressOf(bias), activation, AddressOf(reluMask))))
            return;
        var (m, n, k) = (shape.M, shape.N, shape.K);
        var left = new Matrix(View(a), m, shape.TransposeA ? m : k);
        var right = new Matrix(View(b), n, shape.TransposeB ? k : n);
        var product = new ProductArguments(left, right, EpilogueOf(c, n, bias, activation, shape.Accumulate, reluMask), m, n, k);
        if (shape.TransposeA)
            if (shape.TransposeB)
                Multiply<PlainRows, Across, Along>(product);
            else
                Multiply<PlainRows, Across, Across>(product);
        else if (shape.TransposeB)
            Multiply<PlainRows, Along, Along>(product);
        else
            Multiply<PlainRows, Along, Across>(product);
    }

    private Epilogue EpilogueOf(Slice<float> c, int n, Slice<float> bias, Activation activation, bool accumulate, Slice<float> mask) =>
        new(View(c), View(bias), View(mask), n, (accumulate ? Epilogue.Accumulate : 0) | (bias.IsAbsent ? 0 : Epilogue.AddBias)
            | (mask.IsAbsent ? 0 : Epilogue.ApplyMask) | (activation == Activation.Relu ? Epilogue.Relu : 0));

    /// <param name="phases">How many products of this size there are, one beside another.</param>
    /// <param name="mostParts">1 where the result itself is in the workspace.</param>
    private void Multiply<R, SA, SB>(ProductArguments product, int phases = 1, int mostParts = int.MaxValue)
        where R : struct, IRows where SA : struct, IOperand where SB : struct, IOperand
    {
        if (product.M == 0 || product.N == 0)
            return;
        int most = Math.Clamp(EnoughThreads / (Small.Size * Small.Size / 64) / (Tiles(product, Small.Size) * phases), 1, mostParts);
        if (UsesLargeTile(product.M, product.N, phases))
            // Large tiles fill a GPU without being cut.
            Multiply<Large, R, SA, SB, Whole>(product, phases, PerPart(product.K, 1));
        else if (PerPart(product.K, most) is var perPart && perPart >= product.K)
            Multiply<Small, R, SA, SB, Whole>(product, phases, perPart);
        else
            Multiply<Small, R, SA, SB, InParts>(product, phases, perPart);
    }

    private void Multiply<T, R, SA, SB, D>(in ProductArguments product, int phases, int perPart) where T : struct, ITile
        where R : struct, IRows where SA : struct, IOperand where SB : struct, IOperand where D : struct, IDivision
    {
        int size = T.Size, tiles = Tiles(product, size);
        var shares = Shares.Of(Math.Max(1, Groups(product.K, perPart)), workspace.Tickets);
        var partial = D.InParts ? workspace.Room<float>(tiles * phases * shares.Slots * size * size) : product.Epilogue.C;
        Launch<Product<T, R, SA, SB, D>, ProductArguments>(tiles, phases * shares.Parts, size * size / 64, 1,
            product with { Phases = phases, PerPart = perPart, Shares = shares, Partial = partial });
    }

    private static int Tiles(in ProductArguments product, int size) => Groups(product.M, size) * Groups(product.N, size);

    /// <summary>Of K, in one of at most so many parts.</summary>
    private static int PerPart(int k, int mostParts) =>
        Math.Max(1, Groups(Groups(k, Math.Clamp(k / ProductsPerPart, 1, mostParts)), SliceMultiple)) * SliceMultiple;

    /// <summary>
    /// Large tiles read less, small ones fill more of a GPU and waste less at the borders: large where they still fill it and waste at most
    /// an eighth more.
    /// </summary>
    private static bool IsLarge(int m, int n, int phases)
    {
        long large = (long)Groups(m, Large.Size) * Groups(n, Large.Size), small = (long)Groups(m, Small.Size) * Groups(n, Small.Size);
        return large * phases >= EnoughForLarge && 4 * large <= small + small / 8;
    }
}

/// <summary>
/// What becomes of a product's sums: c = activation(c, when accumulating, + [mask > 0] (sum + bias)), each step where asked.
/// </summary>
/// <param name="N">Columns of c.</param>
internal readonly record struct Epilogue(ArrayView<float> C, ArrayView<float> Bias, ArrayView<float> Mask, int N, int Steps)
{
    public const int Accumulate = 1, AddBias = 2, ApplyMask = 4, Relu = 8;

    /// <summary>Stores a sum at C[at], which is in the given column.</summary>
    public void Store(int at, int column, Lane sum, int steps)
    {
        if ((steps & AddBias) != 0)
            sum += Bias[column];
        if ((steps & ApplyMask) != 0)
            sum = Masked(sum, Mask[at]);
        if ((steps & Accumulate) != 0)
            sum = C[at] + sum;
        if ((steps & Relu) != 0)
            sum = Functions.Relu.Forward<Lane>(sum, 0f);
        C[at] = sum;
    }

    /// <summary>0 where the mask is not positive; a mask that is NaN masks nothing.</summary>
    private static Lane Masked(Lane x, float mask) => Lane.SelectLess(0f, mask, x, float.IsNaN(mask) ? x.X : 0f);

    /// <summary>A long sum is stored piece by piece, each added to what is there: the steps for one of the pieces.</summary>
    public int StepsOf(bool first, bool last) => (first ? Steps & ~Relu : (Steps & ApplyMask) | Accumulate) | (last ? Steps & Relu : 0);
}

/// <param name="PerPart">Products of a part, a multiple of every tile's slices.</param>
/// <param name="Partial">For each tile and phase the sums of all parts and teams, as the threads hold them.</param>
internal readonly record struct ProductArguments(
    Matrix A, Matrix B, Epilogue Epilogue, int M, int N, int K, int Phases = 1, int PerPart = 0, Shares Shares = default,
    ArrayView<float> Partial = default, ConvGeometry Geometry = default);

/// <summary>Whether one group has all products of a tile's sums.</summary>
internal interface IDivision
{
    static abstract bool InParts { get; }
}

internal readonly struct Whole : IDivision
{
    static bool IDivision.InParts => false;
}

internal readonly struct InParts : IDivision
{
    static bool IDivision.InParts => true;
}

/// <summary>
/// One tile of C = A B a group: A's rows and B's columns come through shared memory a slice of products at a time, the next slice on its
/// way in registers while this one is multiplied. A thread has 8 x 8 sums, 64 multiply-adds to four loads of 16 bytes.
/// </summary>
/// <remarks>
/// 256 products are added in one chain, then the sums so far go to C and the next chain starts at 0: one chain of thousands would lose a
/// digit, and a second set of sums in registers would halve the threads on a multiprocessor. It costs 1% more instructions.
/// A part's sums go to memory as its threads hold them, 16 bytes a thread side by side, and are read back so by whoever adds them.
/// </remarks>
internal readonly struct Product<T, R, SA, SB, D> : IKernel<ProductArguments> where T : struct, ITile where R : struct, IRows
    where SA : struct, IOperand where SB : struct, IOperand where D : struct, IDivision
{
    private const int Chain = 256;

    public static void Run(ProductArguments a)
    {
        int t = Group.IdxX, tilesAcross = (a.N + T.Size - 1) / T.Size, tileRow = Grid.IdxX / tilesAcross;
        int firstRow = tileRow * T.Size, firstColumn = (Grid.IdxX - tileRow * tilesAcross) * T.Size;
        int first = Part(a) * a.PerPart, end = IntrinsicMath.Min(R.Depth(a), first + a.PerPart);
        var slicesOfA = T.Slices();
        var slicesOfB = T.Slices();
        var rows = T.Rows();
        if (t < T.Size)
            rows[t] = R.Of(a, firstRow + t);
        Intrinsic.Barrier();

        int rowOfA = Loading<T, SA>.Row, rowOfB = Loading<T, SB>.Row;
        var walkA = SA.Start(a, a.A, firstRow + rowOfA, first + Loading<T, SA>.K);
        var walkB = SB.Start(a, a.B, firstColumn + rowOfB, first + Loading<T, SB>.K);
        // Warps of 4 x 8 threads: what they read of shared memory is 4 + 8 times 16 bytes.
        int x = (t & 7) | ((t >> 5 & (T.Log - 6)) << 3), y = (t >> 3 & 3) | (t >> (T.Log - 1) << 2);
        int depth = T.Size / 8, line = T.Size / 4 + 1, buffer = 0;
        int placeA = Loading<T, SA>.Place(rowOfA), placeB = Loading<T, SB>.Place(Columns.Place(rowOfB));
        // Before the first slice is multiplied it is loaded, by a turn of the same loop that multiplies nothing.
        int k = first - depth;
        do
        {
            Sums sums = default;
            int chain = IntrinsicMath.Max(first, k), stop = IntrinsicMath.Min(end, chain + Chain);
            for (; k < stop; k += depth)
            {
                var nextB = Loading<T, SB>.Get(a, a.B, ref walkB, walkA, rows, rowOfB, end);
                var nextA = Loading<T, SA>.Get(a, a.A, ref walkA, walkA, rows, rowOfA, end);
                for (int i = k < first ? depth : 0; i < depth; i++)
                {
                    int at = buffer + i * line;
                    sums.AddOuter(Eight.Load(slicesOfA, at + y, at + y + T.Size / 8), Eight.Load(slicesOfB, at + x, at + x + T.Size / 8));
                }
                buffer = depth * line - buffer;
                Loading<T, SA>.Put(slicesOfA, placeA + 4 * buffer, nextA, false);
                Loading<T, SB>.Put(slicesOfB, placeB + 4 * buffer, nextB, true);
                Intrinsic.Barrier();
            }
            int steps = a.Epilogue.StepsOf(chain == first, k >= end);
            for (int half = 0; half < 2; half++, sums.Top = sums.Bottom)
                if (D.InParts)
                    Keep(a, sums.Top, Tile(a) * a.Shares.Slots + Part(a), half, chain > Part(a) * a.PerPart);
                else
                    Store(a, sums.Top, rows, 4 * y + half * (T.Size / 2), firstColumn + Columns.Of(4 * x), steps);
        }
        while (k < end);
        // The teams' sums, then the sum of the teams. Groups that are not the last add nothing, but go along: a barrier may not stand under
        // a condition.
        int tile = Tile(a), team = a.Shares.TeamOf(Part(a)), parts = tile * a.Shares.Slots, teams = parts + a.Shares.Parts;
        bool last = true;
        for (int level = D.InParts ? 0 : 2; level < 2; level++)
        {
            bool ofTeam = level == 0;
            last = a.Shares.IsLast(tile, ofTeam ? team : a.Shares.Teams, ofTeam ? a.Shares.MembersOf(team) : last ? a.Shares.Teams : 0);
            for (int half = 0; half < (last ? 2 : 0); half++)
            {
                var added = Added(a, ofTeam ? parts + team * a.Shares.Members : teams, ofTeam ? a.Shares.MembersOf(team) : a.Shares.Teams,
                    half);
                if (ofTeam)
                    Keep(a, added, teams + team, half, false);
                else
                    Store(a, added, rows, 4 * y + half * (T.Size / 2), firstColumn + Columns.Of(4 * x), a.Epilogue.Steps);
            }
        }
    }

    /// <summary>The group's part of K. Asked for again rather than held in a register through the loop.</summary>
    private static int Part(ProductArguments a) => Grid.IdxY / a.Phases;

    /// <summary>The group's tile, counted over all phases.</summary>
    private static int Tile(ProductArguments a) => Grid.IdxX * a.Phases + Grid.IdxY % a.Phases;

    /// <summary>Where the thread's first four sums of a half are in a slot; the others follow, <see cref="Apart"/> fours on.</summary>
    private static int Place(int slot, int half) => (2 * slot + half) * HalfSums.Fours * Apart + Group.IdxX;

    private static int Apart => T.Size * T.Size / 64;

    /// <summary>Stores half of the thread's sums in a slot, added to what is there where asked.</summary>
    private static void Keep(ProductArguments a, HalfSums sums, int slot, int half, bool accumulate)
    {
        var partial = a.Partial.Cast<Four>();
        if (accumulate)
            sums.Add(partial, Place(slot, half), Apart);
        sums.Keep(partial, Place(slot, half), Apart);
    }

    /// <summary>Adds half of the sums of so many slots, in order: all would take more than 128 registers.</summary>
    private static HalfSums Added(ProductArguments a, int first, int count, int half)
    {
        var partial = a.Partial.Cast<Four>();
        HalfSums sums = default;
        for (int slot = first; slot < first + count; slot++)
            sums.Add(partial, Place(slot, half), Apart);
        return sums;
    }

    /// <summary>Stores half of the sums, each moved to the front first: a body for each of them would be most of the code.</summary>
    private static void Store(ProductArguments a, HalfSums s, ArrayView<Row> rows, int row, int column, int steps)
    {
        for (int r = 0; r < HalfSums.Rows; r++, s.MoveUp())
        {
            int to = rows[row + r].To;
            for (int i = 0; i < (to < 0 ? 0 : Eight.Floats); i++, s.R0.MoveUp())
            {
                int at = column + (i & 3) * Columns.Apart + (i >> 2) * (T.Size / 2);
                if (at < a.N)
                    a.Epilogue.Store(to * a.N + at, at, s.R0.Low.X, steps);
            }
        }
    }
}
