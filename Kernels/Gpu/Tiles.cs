using System.Runtime.InteropServices;
using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Four floats, moved 16 bytes at a time.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal struct Four
{
    public float X, Y, Z, W;

    public void Fma(float a, Four b)
    {
        X = Intrinsic.Fma(a, b.X, X);
        Y = Intrinsic.Fma(a, b.Y, Y);
        Z = Intrinsic.Fma(a, b.Z, Z);
        W = Intrinsic.Fma(a, b.W, W);
    }

    /// <summary>Each takes the place of the one before, and <paramref name="next"/> that of the last.</summary>
    public void MoveUp(float next)
    {
        X = Y;
        Y = Z;
        Z = W;
        W = next;
    }

    public void Add(Four b)
    {
        X = Intrinsic.Add(X, b.X);
        Y = Intrinsic.Add(Y, b.Y);
        Z = Intrinsic.Add(Z, b.Z);
        W = Intrinsic.Add(W, b.W);
    }
}

/// <summary>Eight floats in registers.</summary>
internal struct Eight
{
    public const int Floats = 8;

    public Four Low, High;

    /// <summary>Each takes the place of the one before, and the first is gone.</summary>
    public void MoveUp()
    {
        Low.MoveUp(High.X);
        High.MoveUp(High.W);
    }

    public static Eight Load(ArrayView<Four> from, int low, int high)
    {
        Eight v;
        v.Low = from[low];
        v.High = from[high];
        return v;
    }

    public void Fma(float a, Eight b)
    {
        Low.Fma(a, b.Low);
        High.Fma(a, b.High);
    }

    public void Add(ArrayView<Four> from, int low, int high)
    {
        Low.Add(from[low]);
        High.Add(from[high]);
    }

    public void Keep(ArrayView<Four> to, int low, int high)
    {
        to[low] = Low;
        to[high] = High;
    }
}

/// <summary>A thread's 8 x 8 sums: fields, because loops over local arrays are not unrolled and would live in memory.</summary>
internal struct Sums
{
    public HalfSums Top, Bottom;

    public void AddOuter(Eight a, Eight b)
    {
        Top.AddOuter(a.Low, b);
        Bottom.AddOuter(a.High, b);
    }
}

/// <summary>Four rows of eight sums.</summary>
internal struct HalfSums
{
    /// <summary>How many times four floats they are.</summary>
    public const int Fours = 2 * Rows, Rows = 4;

    public Eight R0, R1, R2, R3;

    /// <summary>Each row takes the place of the one before, and the first is gone.</summary>
    public void MoveUp()
    {
        R0 = R1;
        R1 = R2;
        R2 = R3;
    }

    public void AddOuter(Four a, Eight b)
    {
        R0.Fma(a.X, b);
        R1.Fma(a.Y, b);
        R2.Fma(a.Z, b);
        R3.Fma(a.W, b);
    }

    /// <summary>Adds sums from memory, whose fours are so far apart.</summary>
    public void Add(ArrayView<Four> from, int at, int apart)
    {
        R0.Add(from, at, at + apart);
        R1.Add(from, at + 2 * apart, at + 3 * apart);
        R2.Add(from, at + 4 * apart, at + 5 * apart);
        R3.Add(from, at + 6 * apart, at + 7 * apart);
    }

    public void Keep(ArrayView<Four> to, int at, int apart)
    {
        R0.Keep(to, at, at + apart);
        R1.Keep(to, at + 2 * apart, at + 3 * apart);
        R2.Keep(to, at + 4 * apart, at + 5 * apart);
        R3.Keep(to, at + 6 * apart, at + 7 * apart);
    }
}

/// <summary>What a group knows of one of its rows of the result; for products of matrices only where it goes.</summary>
/// <param name="To">The row of the result, -1 where there is none.</param>
/// <param name="From">
/// For convolutions, with Y and X: where the row's window begins in the source, and the source's entry there; all may lie outside.
/// </param>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal readonly record struct Row(int To, int From = 0, int Y = 0, int X = 0)
{
    /// <summary>A Y that no tap leads inside from.</summary>
    public const int Outside = int.MinValue / 2;
}

/// <summary>
/// The two sizes of tiles: Size x Size of the result, made by (Size / 8)^2 threads, in slices of Size / 8 products, so that a thread moves
/// eight entries of each operand from global to shared memory a slice, whatever the size.
/// </summary>
/// <remarks>
/// Shared memory holds slices as [products][Size + 4]: the 4 keep the entries that a warp stores along the products apart. There are two of
/// each operand: one is filled while the other is multiplied.
/// </remarks>
internal interface ITile
{
    /// <summary>The logarithm of <see cref="Size"/>: divisions are shifts.</summary>
    static abstract int Log { get; }
    static abstract int Size { get; }
    static abstract ArrayView<Four> Slices();
    static abstract ArrayView<Row> Rows();
}

/// <summary>128 x 128 by 256 threads; 35 KB of shared memory.</summary>
internal readonly struct Large : ITile
{
    public static int Log => 7;
    public static int Size => 128;
    public static ArrayView<Four> Slices() => SharedMemory.Allocate<Four>(2 * 16 * 33);
    public static ArrayView<Row> Rows() => SharedMemory.Allocate<Row>(128);
}

/// <summary>64 x 64 by 64 threads; 10 KB of shared memory.</summary>
internal readonly struct Small : ITile
{
    public static int Log => 6;
    public static int Size => 64;
    public static ArrayView<Four> Slices() => SharedMemory.Allocate<Four>(2 * 8 * 17);
    public static ArrayView<Row> Rows() => SharedMemory.Allocate<Row>(64);
}

/// <summary>
/// Where a thread stands in an operand: its row (or column of the result), its next product, and what an operand keeps besides.
/// </summary>
internal struct Walk
{
    public int Row, K, At, Y, X, Z, Taps;
}

/// <summary>
/// How an operand's entries (row, k) are found; for the right operand a row is a column of the result. Entries outside are 0.
/// </summary>
internal interface IOperand
{
    /// <summary>
    /// Whether neighbouring threads load neighbouring k of one row (a thread then has eight rows of one k) or neighbouring rows of one k (a
    /// thread then has eight k of one row): whichever lie side by side in memory.
    /// </summary>
    static abstract bool Along { get; }

    static abstract Walk Start(ProductArguments a, Matrix from, int row, int k);

    /// <summary>The thread's entry i of a slice; they are asked for in order.</summary>
    /// <param name="left">Where the thread stands in the left operand, for a right one that goes through the same products.</param>
    /// <param name="row">The row in the tile, if the thread has eight.</param>
    /// <param name="step">How far the thread's rows are apart.</param>
    /// <param name="end">Where k ends.</param>
    static abstract float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end);

    /// <summary>Goes to the next slice, so many products on.</summary>
    static abstract void Next(ProductArguments a, Matrix from, ref Walk walk, int depth);
}

/// <summary>The rows of a result, and how many products each sums.</summary>
internal interface IRows
{
    static abstract int Depth(ProductArguments a);
    static abstract Row Of(ProductArguments a, int row);
}

/// <summary>An operand in memory, row-major in one of two ways.</summary>
/// <param name="Rows">The rows of the result, or its columns, that it counts for.</param>
/// <param name="Stride">Floats from one line in memory to the next.</param>
internal readonly record struct Matrix(ArrayView<float> Entries, int Rows, int Stride)
{
    /// <summary>An entry, 0 where it is outside. The first is read then: a branch would keep loads from being made together.</summary>
    public float At(int at, bool inside)
    {
        float entry = Entries[inside ? at : 0];
        return inside ? entry : 0f;
    }
}
