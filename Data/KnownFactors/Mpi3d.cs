using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.KnownFactors;

/// <summary>
/// MPI3D (Gondal et al. 2019): a robot arm that holds an object, 64 x 64 colour, a complete grid of seven factors, as toy renderings,
/// realistic ones or photographs.
/// </summary>
internal static class Mpi3d
{
    private const int BlockRows = 1000;

    private static readonly string[] Factors = ["object colour", "object shape", "object size", "camera height", "background colour",
        "horizontal axis", "vertical axis"];

    /// <summary>The sizes of the published grids: six colours and shapes, or in the set of complex objects four.</summary>
    private static readonly int[][] Grids = [[6, 6, 2, 3, 3, 40, 40], [4, 4, 2, 3, 3, 40, 40]];

    /// <summary>The files, the first that is there is read.</summary>
    public static readonly string[] Files = ["mpi3d_toy.npz", "mpi3d_realistic.npz", "mpi3d_real.npz",
        "real3d_complicated_shapes_ordered.npz"];

    /// <param name="path">An npz with images [N, H, W, 3] of bytes in the order of a grid.</param>
    /// <param name="grid">The sizes of the factors; null for those of a published grid of as many images.</param>
    /// <exception cref="DataException">It is missing, damaged, or of another number of images.</exception>
    public static FactorSource Read(string path, int[]? grid = null)
    {
        using var images = Open(path);
        if (images.Shape is not [var n, > 0 and var height, > 0 and var width, 3])
            throw DataException.In(path, $"images of shape {HostArray.Describe(images.Shape)}", "[images, 64, 64, 3]");
        int[] sizes = grid ?? Grids.FirstOrDefault(g => g.Aggregate(1, (a, b) => a * b) == n)
            ?? throw DataException.In(path, $"{n} images", string.Join(" or ", Grids.Select(g => g.Aggregate(1, (a, b) => a * b))),
                "fetch it again");
        return new("mpi3d", height, width, 3, Factors, sizes, ["object colour", "object shape", "background colour"],
            FactorSource.Grid(sizes), () => Blocks(path, height * width * 3));
    }

    private static IEnumerable<ImageBlock> Blocks(string path, int bytes)
    {
        using var images = Open(path);
        for (int first = 0; first < images.Rows; first += BlockRows)
        {
            var block = images.Next(BlockRows);
            if (block.Type is not ("|u1" or "|b1") || block.Bytes.Length % bytes != 0)
                throw DataException.In(path, $"images of type {block.Type}", "bytes");
            yield return new(first, block.Bytes);
        }
    }

    private static NpyRows Open(string path) => DataFile.Guard(path, () => Npz.OpenRows(() => DataFile.Open(path), path, "images"))
        ?? throw DataException.In(path, "no array 'images'", "it to be there");
}
