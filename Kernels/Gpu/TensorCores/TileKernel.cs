namespace VaeFromScratch.Kernels.Gpu.TensorCores;

/// <summary>What the tiles compute: products by layout, n as it is and t transposed, and convolutions by direction.</summary>
internal enum TileOperation { MatMulNn, MatMulNt, MatMulTn, MatMulTt, ConvForward, ConvBackwardData, ConvBackwardWeight }

/// <summary>One kernel of src/: how large its tile is, and what a launch of it needs.</summary>
internal sealed class TileKernel
{
    private const int LineBytes = 128;

    private TileKernel(TileOperation operation, TileSize size, Precision precision)
    {
        bool convolution = operation >= TileOperation.ConvForward, bf16 = precision == Precision.Bf16;
        string prefix = operation switch
        {
            TileOperation.MatMulNn => "matmul_nn",
            TileOperation.MatMulNt => "matmul_nt",
            TileOperation.MatMulTn => "matmul_tn",
            TileOperation.MatMulTt => "matmul_tt",
            TileOperation.ConvForward => "conv_forward",
            TileOperation.ConvBackwardData => "conv_backward_data",
            _ => "conv_backward_weight",
        };
        Size = size;
        Tile = Tiling.SizeOf(convolution, size);
        var (rows, columns) = Tile;
        Name = $"{prefix}_{rows}x{columns}_v{(size == TileSize.Single ? 1 : 4)}_{(bf16 ? "bf16" : "tf32")}";
        Depth = bf16 ? 64 : 16;
        Threads = rows * columns / (columns == 128 ? 64 : 32);
        bool aAlongK = operation is not (TileOperation.MatMulTn or TileOperation.MatMulTt or TileOperation.ConvBackwardWeight);
        bool bAlongK = operation is TileOperation.MatMulNt or TileOperation.MatMulTt or TileOperation.ConvBackwardData;
        int stages = bf16 ? 2 * LineBytes * (rows + columns)
            : 3 * sizeof(float) * (PaddedTile(aAlongK, rows) + PaddedTile(bAlongK, columns));
        // The finished tile goes through the same memory.
        SharedBytes = Math.Max(stages, sizeof(float) * rows * columns);
    }

    /// <summary>
    /// An operation's kernels, by <see cref="TileSize"/>. Nothing trains through tt, of which there is the one that takes every size.
    /// </summary>
    public static TileKernel[] Of(TileOperation operation, Precision precision)
    {
        TileSize[] sizes = operation == TileOperation.MatMulTt ? [TileSize.Single] : [TileSize.Large, TileSize.Small, TileSize.Single];
        return Array.ConvertAll(sizes, size => new TileKernel(operation, size, precision));
    }

    public string Name { get; }

    public TileSize Size { get; }

    public (int Rows, int Columns) Tile { get; }

    /// <summary>Products that a step along k adds.</summary>
    public int Depth { get; }

    public int Threads { get; }

    /// <summary>Dynamic shared memory.</summary>
    public int SharedBytes { get; }

    /// <summary>The driver's handle, once its module is loaded.</summary>
    public nint Function { get; set; }

    /// <summary>As tile_floats in src/tile_tf32.cuh.</summary>
    private int PaddedTile(bool alongK, int rows) => alongK ? rows * (Depth + 4) : Depth * (rows + 8);
}
