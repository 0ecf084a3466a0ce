using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Columns of a tile in shared memory: of each 32, a thread's four lie side by side, to be loaded together, but are eight apart in the
/// result, so that eight threads store 32 bytes in a row.
/// </summary>
internal static class Columns
{
    public const int Apart = 8;

    /// <summary>The place of a column in shared memory.</summary>
    public static int Place(int column) => (column & ~31) | ((column & 7) << 2) | (column >> 3 & 3);

    /// <summary>The column at a place.</summary>
    public static int Of(int place) => (place & ~31) | ((place & 3) << 3) | (place >> 2 & 7);
}

/// <summary>How the threads of a tile load a slice of an operand.</summary>
internal static class Loading<T, S> where T : struct, ITile where S : struct, IOperand
{
    /// <summary>The thread's row in the tile, or its first of eight.</summary>
    public static int Row => S.Along ? Group.IdxX >> (T.Log - 3) : Group.IdxX & (T.Size - 1);

    /// <summary>The thread's product in the slice, or its first of eight.</summary>
    public static int K => S.Along ? Group.IdxX & (T.Size / 8 - 1) : Group.IdxX >> T.Log << 3;

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
    public static int Place(int row) => K * (T.Size + 4) + row;

    public static void Put(ArrayView<Four> slices, int place, Eight v, bool columns)
    {
        var to = slices.Cast<float>();
        to = to.SubView(place, to.IntLength - place);
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
    private static int Step(int i, bool columns) =>
        !S.Along ? i * (T.Size + 4) : columns ? Columns.Place(i * (T.Size / 8)) : i * (T.Size / 8);
}

/// <summary>The rows of a product of matrices.</summary>
internal readonly struct PlainRows : IRows
{
    public static int Depth(ProductArguments a) => a.K;

    public static Row Of(ProductArguments a, int row) => new(row < a.M ? row : -1);
}

/// <summary>A matrix whose products lie side by side: A as it is, B transposed.</summary>
internal readonly struct Along : IOperand
{
    static bool IOperand.Along => true;

    public static Walk Start(ProductArguments a, Matrix from, int row, int k) => new() { Row = row, K = k, At = row * from.Stride + k };

    public static float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end) =>
        from.At(walk.At + i * step * from.Stride, walk.K < end & walk.Row + i * step < from.Rows);

    public static void Next(ProductArguments a, Matrix from, ref Walk walk, int depth)
    {
        walk.K += depth;
        walk.At += depth;
    }
}

/// <summary>A matrix whose rows (the result's) lie side by side: A transposed, B as it is.</summary>
internal readonly struct Across : IOperand
{
    static bool IOperand.Along => false;

    public static Walk Start(ProductArguments a, Matrix from, int row, int k) => new() { Row = row, K = k, At = k * from.Stride + row };

    public static float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end) =>
        from.At(walk.At + i * from.Stride, walk.K + i < end & walk.Row < from.Rows);

    public static void Next(ProductArguments a, Matrix from, ref Walk walk, int depth)
    {
        walk.K += depth;
        walk.At += depth * from.Stride;
    }
}
