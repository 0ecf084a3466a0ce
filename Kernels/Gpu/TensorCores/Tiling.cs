namespace VaeFromScratch.Kernels.Gpu.TensorCores;

/// <summary>
/// The three tiles of an operation: a large one, a small one, and a small one for sizes or addresses that vectors of four floats do not
/// fit.
/// </summary>
internal enum TileSize { Large = ProductKernel.LargeTile, Small = ProductKernel.SmallTile, Single = ProductKernel.SingleFloats }

/// <summary>
/// Classes products C [M, N] = A [M, K] B [K, N] in one launch; more than one where a strided convolution's data gradient falls into
/// classes of pixels.
/// </summary>
internal readonly record struct ProductSizes(int M, int N, int K, int Classes = 1);

/// <summary>How one launch is divided among blocks.</summary>
/// <param name="Tiles">Of one class.</param>
/// <param name="Sharing">Blocks that share the sums of a tile.</param>
/// <param name="StepsEach">Of K, for each of them.</param>
/// <param name="Group">Of them that are added up together first.</param>
internal readonly record struct Division(int Tiles, int Sharing, int StepsEach, int Group)
{
    public int Groups => (Sharing + Group - 1) / Group;
}

/// <summary>
/// Which tile computes a product, and how many blocks share one. The rules are counts of blocks, nothing that anybody has measured.
/// </summary>
internal static class Tiling
{
    private const int BlocksPerMultiprocessor = 2, LeastDepthEach = 64;

    /// <summary>Columns of a convolution's small tile: a convolution has few columns, and a tile as wide as there are is best.</summary>
    private const int NarrowConvolution = 32;

    /// <summary>The size of a tile, in rows and columns of C.</summary>
    public static (int Rows, int Columns) SizeOf(bool convolution, TileSize size) => (convolution, size) switch
    {
        (true, TileSize.Large) => (128, 64),
        (true, _) => (128, NarrowConvolution),
        (false, TileSize.Large) => (128, 128),
        _ => (64, 64),
    };

    /// <summary>A large tile halves the traffic but only pays when there are enough of them for every multiprocessor.</summary>
    public static TileSize Choose(bool convolution, ProductSizes sizes, bool vectors, int multiprocessors) =>
        !vectors ? TileSize.Single
        : convolution ? sizes.N > NarrowConvolution ? TileSize.Large : TileSize.Small
        : Tiles(SizeOf(false, TileSize.Large), sizes) >= multiprocessors ? TileSize.Large : TileSize.Small;

    /// <summary>
    /// Several blocks share a tile's K where the tiles alone leave multiprocessors idle. The same on every run, so that sums have the
    /// same order.
    /// </summary>
    /// <param name="depth">Of one step.</param>
    public static Division Divide((int Rows, int Columns) tile, int depth, ProductSizes sizes, int multiprocessors)
    {
        int tiles = Tiles(tile, sizes), all = tiles * sizes.Classes, steps = Math.Max(1, (sizes.K + depth - 1) / depth), sharing = 1;
        if (all < multiprocessors)
            sharing = Math.Clamp(BlocksPerMultiprocessor * multiprocessors / all, 1, Math.Max(1, sizes.K / LeastDepthEach));
        int stepsEach = (steps + sharing - 1) / sharing;
        sharing = (steps + stepsEach - 1) / stepsEach;
        // As many groups as members: the sums of either are waited for one after the other.
        return new(tiles, sharing, stepsEach, (int)Math.Ceiling(Math.Sqrt(sharing)));
    }

    /// <summary>
    /// Scratch memory that is enough for every launch: floats for the sums of blocks and of groups, of which there are at most two for
    /// three blocks.
    /// </summary>
    public static int ScratchFloats(int multiprocessors)
    {
        var (rows, columns) = SizeOf(true, TileSize.Large);
        return (BlocksPerMultiprocessor * multiprocessors * 5 + 2) / 3 * rows * columns;
    }

    /// <summary>
    /// As <see cref="ScratchFloats"/>: counters by which blocks find out who is last, one for each group and one for each tile.
    /// </summary>
    public static int Tickets(int multiprocessors) => (BlocksPerMultiprocessor * 2 / 3 + 2) * multiprocessors;

    /// <summary>Whether blocks that share sums find room for them; those that the rules choose always do.</summary>
    public static bool Fits((int Rows, int Columns) tile, Division d, int classes, int multiprocessors)
    {
        long tiles = (long)d.Tiles * classes, shares = tiles * (d.Sharing + d.Groups);
        return d.Sharing == 1
            || (shares * tile.Rows * tile.Columns <= ScratchFloats(multiprocessors) && tiles * (d.Groups + 1) <= Tickets(multiprocessors));
    }

    private static int Tiles((int Rows, int Columns) tile, ProductSizes sizes) =>
        (sizes.M + tile.Rows - 1) / tile.Rows * ((sizes.N + tile.Columns - 1) / tile.Columns);
}
