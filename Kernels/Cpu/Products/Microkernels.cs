using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// What one microkernel call computes: c[row i] = [mask &gt; 0] (initial + sum over k of a[i, k] b[k]), added to c and rectified when
/// asked. Counts and offsets are in floats.
/// </summary>
internal unsafe struct Tile
{
    /// <summary>A at k = 0. Row i is at A + i for the Columns kernels, at A + ARows[i] for the Rows kernels.</summary>
    public float* A;
    public nint* ARows;
    /// <summary>B at k = 0: one or two vectors.</summary>
    public float* B;
    /// <summary>
    /// How far A and B move with each k, then extra at the end of each run of <see cref="Depth"/> and each group of <see cref="Runs"/>.
    /// </summary>
    public nint AStep, BStep, ARunSkip, BRunSkip, AGroupSkip, BGroupSkip;
    public nint Depth, Runs, Groups;
    /// <summary>What each row of the tile starts from: the bias, or zeros.</summary>
    public float* Initial;
    /// <summary>Row i of the result is at C + CRows[i]; its mask, where there is one, at Mask + CRows[i].</summary>
    public float* C;
    public nint* CRows;
    public float* Mask;
    public bool Add, Relu, Prefetch;
}

/// <summary>The register-tile kernels of the machine's vector width. Everything that multiplies goes through them.</summary>
/// <remarks>
/// The ladder, for a 4 x 4 convolution of stride 2 from 14 x 14 x 32 to 7 x 7 x 32 on one Zen 4 core (peak 117 GFLOP/s; docs/cpu-kernels.md
/// has the story):
/// six scalar loops 2.9 GFLOP/s; vectors across output channels 66; a tile with its sums in a stack array 57; this tile in named registers
/// over padded copies 111;
/// over pixels grouped by the taps inside the image 133 (by the naive count of operations, of which 14 % are no longer done).
/// </remarks>
internal static unsafe partial class Microkernels
{
    /// <summary>The tallest tile of any width.</summary>
    public const int RowLimit = 14;

    /// <summary>The widest tile of any width, in floats.</summary>
    public const int PanelLimit = 32;

    /// <summary>Floats in a vector. The widths are chosen by the JIT's own switches, so that they can be tested on one machine.</summary>
    public static readonly int Lanes = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    /// <summary>The tallest tile: AVX-512 and Arm64 have 32 registers, others 16.</summary>
    public static readonly int MaxRows = Lanes == 16 || AdvSimd.Arm64.IsSupported ? RowLimit : 6;

    /// <summary>Columns of a full tile.</summary>
    public static readonly int Panel = 2 * Lanes;

    private static readonly delegate*<Tile*, void>[] ColumnKernels = MakeColumns(Lanes);
    private static readonly delegate*<Tile*, void>[] RowKernels = MakeRows(Lanes);

    /// <summary>
    /// The kernel for tiles whose rows are neighbours in memory; <paramref name="width"/> is <see cref="Lanes"/> or <see cref="Panel"/>.
    /// </summary>
    public static delegate*<Tile*, void> Columns(int rows, int width) => ColumnKernels[rows - 1 + (width == Panel ? MaxRows : 0)];

    /// <summary>The kernel for tiles whose rows lie anywhere.</summary>
    public static delegate*<Tile*, void> Rows(int rows, int width) => RowKernels[rows - 1 + (width == Panel ? MaxRows : 0)];

    /// <summary>The narrowest kernel that holds <paramref name="columns"/> columns, at most a panel.</summary>
    public static int WidthFor(int columns) => columns <= Lanes ? Lanes : Panel;

    /// <summary>
    /// Runs a kernel whose tile may be wider than the columns there are: then it goes through a buffer, so that nothing outside them is
    /// read or written.
    /// </summary>
    public static void Run(delegate*<Tile*, void> kernel, Tile* tile, int rows, int width, int columns)
    {
        if (columns == width)
            kernel(tile);
        else
            RunNarrow(kernel, tile, rows, width, columns);
    }

    private static void RunNarrow(delegate*<Tile*, void> kernel, Tile* tile, int rows, int width, int columns)
    {
        float* buffer = stackalloc float[RowLimit * PanelLimit];
        nint* bufferRows = stackalloc nint[RowLimit];
        for (int i = 0; i < rows; i++)
            bufferRows[i] = i * width;
        Tile inner = *tile;
        inner.C = buffer;
        inner.CRows = bufferRows;
        inner.Mask = null;
        inner.Add = inner.Relu = inner.Prefetch = false;
        kernel(&inner);
        for (int i = 0; i < rows; i++)
            StoreRow(buffer + i * width, tile->C + tile->CRows[i], tile->Mask == null ? null : tile->Mask + tile->CRows[i], columns,
                tile->Add, tile->Relu);
    }

    /// <summary>The end of a kernel, for one row in memory: y = relu(y + [mask &gt; 0] x), each step where asked.</summary>
    public static void StoreRow(float* x, float* y, float* mask, int columns, bool add, bool relu)
    {
        int j = 0;
        for (; j <= columns - 4; j += 4)
        {
            var v = Vector128.Load(x + j);
            if (mask != null)
                v = Vector128.ConditionalSelect(Vector128.LessThanOrEqual(Vector128.Load(mask + j), Vector128<float>.Zero),
                    Vector128<float>.Zero, v);
            if (add)
                v += Vector128.Load(y + j);
            if (relu)
                v = Vector128.Max(v, Vector128<float>.Zero);
            Vector128.Store(v, y + j);
        }
        for (; j < columns; j++)
        {
            float v = mask != null && mask[j] <= 0 ? 0 : x[j];
            if (add)
                v += y[j];
            y[j] = relu ? MathF.Max(v, 0) : v;
        }
    }
}
