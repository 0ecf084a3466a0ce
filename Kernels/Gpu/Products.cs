using System.Runtime.CompilerServices;
using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Products of matrices, and the tiles that convolutions share with them.</summary>
public sealed partial class GpuBackend
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
        if (TileSize(product.M, product.N, phases) == Large.Size)
            Multiply<Large, R, SA, SB>(product, phases, mostParts);
        else
            Multiply<Small, R, SA, SB>(product, phases, mostParts);
    }

    private void Multiply<T, R, SA, SB>(ProductArguments product, int phases, int mostParts)
        where T : struct, ITile where R : struct, IRows where SA : struct, IOperand where SB : struct, IOperand
    {
        int threads = T.Size * T.Size / 64, tiles = Groups(product.M, T.Size) * Groups(product.N, T.Size),
            length = product.Epilogue.C.IntLength;
        int most = Math.Clamp(EnoughThreads / threads / (tiles * phases), 1, mostParts);
        int perPart = Groups(product.K, Math.Clamp(product.K / ProductsPerPart, 1, most));
        perPart = Math.Max(1, Groups(perPart, SliceMultiple)) * SliceMultiple;
        int parts = Math.Max(1, Groups(product.K, perPart));
        var whole = product.Epilogue;
        product = product with { Phases = phases, PerPart = perPart };
        if (parts > 1)
            product = product with { Epilogue = whole with { C = workspace.Room(parts * length), Steps = 0 }, LengthOfPart = length };
        Launch<Product<T, R, SA, SB>, ProductArguments>(tiles, phases * parts, threads, 1, product);
        if (parts > 1)
            SumParts(product.Epilogue.C, whole, length, parts);
    }

    private void SumParts(ArrayView<float> partial, in Epilogue epilogue, int length, int parts) =>
        Launch<SumParts, PartArguments>(Groups(length, Threads.Wide), 1, Threads.Wide, Threads.Tall, new(partial, epilogue, length, parts));

    /// <summary>
    /// Large tiles read less, small ones fill more of a GPU and waste less at the borders: large where they still fill it and waste at most
    /// an eighth more.
    /// </summary>
    private static int TileSize(int m, int n, int phases)
    {
        long large = (long)Groups(m, Large.Size) * Groups(n, Large.Size), small = (long)Groups(m, Small.Size) * Groups(n, Small.Size);
        return large * phases >= EnoughForLarge && 4 * large <= small + small / 8 ? Large.Size : Small.Size;
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lane Masked(Lane x, float mask) => Lane.SelectLess(0f, mask, x, float.IsNaN(mask) ? x.X : 0f);

    /// <summary>A long sum is stored piece by piece, each added to what is there: the steps for one of the pieces.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int StepsOf(bool first, bool last) => (first ? Steps & ~Relu : (Steps & ApplyMask) | Accumulate) | (last ? Steps & Relu : 0);
}

/// <param name="Epilogue">Its C is the result, or the parts of it one behind the other.</param>
/// <param name="PerPart">Products of a part, a multiple of every tile's slices.</param>
/// <param name="LengthOfPart">Floats from one part to the next.</param>
internal readonly record struct ProductArguments(
    Matrix A, Matrix B, Epilogue Epilogue, int M, int N, int K, int Phases = 1, int PerPart = 0, int LengthOfPart = 0,
    ConvGeometry Geometry = default);

/// <summary>
/// One tile of C = A B a group: A's rows and B's columns come through shared memory a slice of products at a time, the next slice on its
/// way in registers while this one is multiplied. A thread has 8 x 8 sums, 64 multiply-adds to four loads of 16 bytes.
/// </summary>
/// <remarks>
/// 256 products are added in one chain, then the sums so far go to C and the next chain starts at 0: one chain of thousands would lose a
/// digit, and a second set of sums in registers would halve the threads on a multiprocessor. It costs 1% more instructions.
/// </remarks>
internal readonly struct Product<T, R, SA, SB> : IKernel<ProductArguments> where T : struct, ITile where R : struct, IRows
    where SA : struct, IOperand where SB : struct, IOperand
{
    private const int Chain = 256;

    public static void Run(ProductArguments a)
    {
        int t = Group.IdxX, tilesAcross = (a.N + T.Size - 1) / T.Size, tileRow = Grid.IdxX / tilesAcross, part = Grid.IdxY / a.Phases;
        int firstRow = tileRow * T.Size, firstColumn = (Grid.IdxX - tileRow * tilesAcross) * T.Size;
        int first = part * a.PerPart, end = IntrinsicMath.Min(R.Depth(a), first + a.PerPart);
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
        Loading<T, SB>.Put(slicesOfB, placeB, Loading<T, SB>.Get(a, a.B, ref walkB, walkA, rows, rowOfB, end), true);
        Loading<T, SA>.Put(slicesOfA, placeA, Loading<T, SA>.Get(a, a.A, ref walkA, walkA, rows, rowOfA, end), false);
        Intrinsic.Barrier();
        int k = first;
        do
        {
            Sums sums = default;
            int chain = k, stop = IntrinsicMath.Min(end, k + Chain);
            for (; k < stop; k += depth)
            {
                var nextB = Loading<T, SB>.Get(a, a.B, ref walkB, walkA, rows, rowOfB, end);
                var nextA = Loading<T, SA>.Get(a, a.A, ref walkA, walkA, rows, rowOfA, end);
                // Four lines at a time: with eight, small tiles take more than 128 registers.
                for (int i = 0; i < depth; i += 4)
                {
                    var left = Product.From(slicesOfA, buffer + i * line + y);
                    var right = Product.From(slicesOfB, buffer + i * line + x);
                    Step(ref sums, left, right, 0);
                    Step(ref sums, left, right, 1);
                    Step(ref sums, left, right, 2);
                    Step(ref sums, left, right, 3);
                }
                buffer = depth * line - buffer;
                Loading<T, SA>.Put(slicesOfA, placeA + 4 * buffer, nextA, false);
                Loading<T, SB>.Put(slicesOfB, placeB + 4 * buffer, nextB, true);
                Intrinsic.Barrier();
            }
            int steps = a.Epilogue.StepsOf(chain == first, k >= end);
            Store(a, sums, rows, 4 * y, firstColumn + Columns.Of(4 * x), part * a.LengthOfPart, steps);
        }
        while (k < end);
    }

    /// <summary>Adds the outer product of one line of both slices.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(ref Sums sums, ArrayView<Four> left, ArrayView<Four> right, int i)
    {
        int at = i * (T.Size / 4 + 1);
        sums.AddOuter(Eight.Load(left, at, at + T.Size / 8), Eight.Load(right, at, at + T.Size / 8));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ProductArguments a, Sums s, ArrayView<Row> rows, int row, int column, int part, int steps)
    {
        int half = T.Size / 2;
        StoreRow(a, s.R0, rows[row].To, column, part, steps);
        StoreRow(a, s.R1, rows[row + 1].To, column, part, steps);
        StoreRow(a, s.R2, rows[row + 2].To, column, part, steps);
        StoreRow(a, s.R3, rows[row + 3].To, column, part, steps);
        StoreRow(a, s.R4, rows[row + half].To, column, part, steps);
        StoreRow(a, s.R5, rows[row + half + 1].To, column, part, steps);
        StoreRow(a, s.R6, rows[row + half + 2].To, column, part, steps);
        StoreRow(a, s.R7, rows[row + half + 3].To, column, part, steps);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(ProductArguments a, Eight s, int row, int column, int part, int steps)
    {
        if (row < 0)
            return;
        int at = part + row * a.N;
        StoreFour(a, s.Low, at, column, steps);
        StoreFour(a, s.High, at, column + T.Size / 2, steps);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreFour(ProductArguments a, Four s, int at, int column, int steps)
    {
        StoreOne(a, s.X, at, column, steps);
        StoreOne(a, s.Y, at, column + Columns.Apart, steps);
        StoreOne(a, s.Z, at, column + 2 * Columns.Apart, steps);
        StoreOne(a, s.W, at, column + 3 * Columns.Apart, steps);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreOne(ProductArguments a, float sum, int at, int column, int steps)
    {
        if (column < a.N)
            a.Epilogue.Store(at + column, column, sum, steps);
    }
}

internal static class Product
{
    /// <summary>What is left of a view from an entry on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ArrayView<X> From<X>(ArrayView<X> view, int first) where X : unmanaged => view.SubView(first, view.IntLength - first);
}

/// <summary>
/// Columns of a tile in shared memory: of each 32, a thread's four lie side by side, to be loaded together, but are eight apart in the
/// result, so that eight threads store 32 bytes in a row.
/// </summary>
internal static class Columns
{
    public const int Apart = 8;

    /// <summary>The place of a column in shared memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int column) => (column & ~31) | ((column & 7) << 2) | (column >> 3 & 3);

    /// <summary>The column at a place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Of(int place) => (place & ~31) | ((place & 3) << 3) | (place >> 2 & 7);
}

/// <summary>How the threads of a tile load a slice of an operand.</summary>
internal static class Loading<T, S> where T : struct, ITile where S : struct, IOperand
{
    /// <summary>The thread's row in the tile, or its first of eight.</summary>
    public static int Row
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => S.Along ? Group.IdxX >> (T.Log - 3) : Group.IdxX & (T.Size - 1);
    }

    /// <summary>The thread's product in the slice, or its first of eight.</summary>
    public static int K
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => S.Along ? Group.IdxX & (T.Size / 8 - 1) : Group.IdxX >> T.Log << 3;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Get(ProductArguments a, Matrix from, ref Walk walk, Walk left, ArrayView<Row> rows, int row, int end)
    {
        Eight v;
        int step = T.Size / 8;
        v.Low.X = S.Entry(a, from, ref walk, left, 0, rows, row, step, end);
        v.Low.Y = S.Entry(a, from, ref walk, left, 1, rows, row, step, end);
        v.Low.Z = S.Entry(a, from, ref walk, left, 2, rows, row, step, end);
        v.Low.W = S.Entry(a, from, ref walk, left, 3, rows, row, step, end);
        v.High.X = S.Entry(a, from, ref walk, left, 4, rows, row, step, end);
        v.High.Y = S.Entry(a, from, ref walk, left, 5, rows, row, step, end);
        v.High.Z = S.Entry(a, from, ref walk, left, 6, rows, row, step, end);
        v.High.W = S.Entry(a, from, ref walk, left, 7, rows, row, step, end);
        S.Next(a, from, ref walk, T.Size / 8);
        return v;
    }

    /// <summary>Where the thread's first entry goes in a slice, given its place in a line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int row) => K * (T.Size + 4) + row;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(ArrayView<Four> slices, int place, Eight v, bool columns)
    {
        var to = Product.From(slices.Cast<float>(), place);
        to[0] = v.Low.X;
        to[Step(1, columns)] = v.Low.Y;
        to[Step(2, columns)] = v.Low.Z;
        to[Step(3, columns)] = v.Low.W;
        to[Step(4, columns)] = v.High.X;
        to[Step(5, columns)] = v.High.Y;
        to[Step(6, columns)] = v.High.Z;
        to[Step(7, columns)] = v.High.W;
    }

    /// <summary>
    /// From the thread's first entry to entry i. Rows that are Size / 8 apart share no bits with the first, so that their places add up
    /// too.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Step(int i, bool columns) =>
        !S.Along ? i * (T.Size + 4) : columns ? Columns.Place(i * (T.Size / 8)) : i * (T.Size / 8);
}

/// <summary>The rows of a product of matrices.</summary>
internal readonly struct PlainRows : IRows
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Depth(ProductArguments a) => a.K;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row Of(ProductArguments a, int row)
    {
        Row r = default;
        r.To = row < a.M ? row : -1;
        return r;
    }
}

/// <summary>A matrix whose products lie side by side: A as it is, B transposed.</summary>
internal readonly struct Along : IOperand
{
    static bool IOperand.Along { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => true; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Walk Start(ProductArguments a, Matrix from, int row, int k)
    {
        Walk walk = default;
        walk.Row = row;
        walk.K = k;
        walk.At = row * from.Stride + k;
        return walk;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end) =>
        walk.K < end && walk.Row + i * step < from.Rows ? from.Entries[walk.At + i * step * from.Stride] : 0f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Next(ProductArguments a, Matrix from, ref Walk walk, int depth)
    {
        walk.K += depth;
        walk.At += depth;
    }
}

/// <summary>A matrix whose rows (the result's) lie side by side: A transposed, B as it is.</summary>
internal readonly struct Across : IOperand
{
    static bool IOperand.Along { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => false; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Walk Start(ProductArguments a, Matrix from, int row, int k)
    {
        Walk walk = default;
        walk.Row = row;
        walk.K = k;
        walk.At = k * from.Stride + row;
        return walk;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end) =>
        walk.K + i < end && walk.Row < from.Rows ? from.Entries[walk.At + i * from.Stride] : 0f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Next(ProductArguments a, Matrix from, ref Walk walk, int depth)
    {
        walk.K += depth;
        walk.At += depth * from.Stride;
    }
}

internal readonly record struct PartArguments(ArrayView<float> Partial, Epilogue Epilogue, int Length, int Parts);

/// <summary>Adds the parts of a result: 32 entries a group, parts over 8 threads.</summary>
internal readonly struct SumParts : IKernel<PartArguments>
{
    public static void Run(PartArguments a)
    {
        int i = Grid.IdxX * Threads.Wide + Group.IdxX;
        Pair sum = default;
        if (i < a.Length)
            for (int part = Group.IdxY; part < a.Parts; part += Threads.Tall)
                sum.Add(a.Partial[part * a.Length + i]);
        sum = Threads.SumOverY(sum);
        if (Group.IdxY == 0 && i < a.Length)
            a.Epilogue.Store(i, i % a.Epilogue.N, sum.Total, a.Epilogue.Steps);
    }
}
