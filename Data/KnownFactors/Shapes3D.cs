using PureHDF;
using PureHDF.Selections;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.KnownFactors;

/// <summary>
/// 3D Shapes (Burgess and Kim 2018): 480 000 images of an object in a room, 64 x 64 colour, a complete grid of six factors, in one HDF5
/// file.
/// </summary>
internal static class Shapes3D
{
    private const int BlockBytes = 1 << 24;

    public const string File = "3dshapes.h5";

    private static readonly string[] Factors = ["floor hue", "wall hue", "object hue", "scale", GroundTruth.Shape, "orientation"];

    /// <param name="path">An HDF5 file with images [N, H, W, 3] of bytes and labels [N, 6], a number for each value of a factor.</param>
    /// <exception cref="DataException">It is missing, damaged, or holds something else.</exception>
    public static FactorSource Read(string path) => Guard(path, () =>
    {
        using var file = H5File.OpenRead(path);
        ulong[] shape = Dataset(file, "images", path).Space.Dimensions, labelShape = Dataset(file, "labels", path).Space.Dimensions;
        if (shape is not [var n, > 0 and < 1 << 12, > 0 and < 1 << 12, 3] || n is 0 or > 1 << 24 || labelShape is not [var rows,
            var columns] || rows != n || columns != (ulong)Factors.Length)
            throw DataException.In(path, $"images of shape [{string.Join(", ", shape)}] and labels of [{string.Join(", ", labelShape)}]",
                $"[N, 64, 64, 3] and [N, {Factors.Length}]");
        var (classes, sizes) = ClassesOf(Dataset(file, "labels", path).Read<double[]>(memoryDims: [rows * columns]), path);
        return new FactorSource("shapes3d", (int)shape[1], (int)shape[2], 3, Factors, sizes, [GroundTruth.Shape], classes,
            () => Blocks(path, shape));
    });

    private static IEnumerable<ImageBlock> Blocks(string path, ulong[] shape)
    {
        using var file = Guard(path, () => H5File.OpenRead(path));
        var images = Dataset(file, "images", path);
        ulong bytes = shape[1] * shape[2] * shape[3], at = Math.Max(1, BlockBytes / bytes);
        for (ulong first = 0; first < shape[0]; first += at)
        {
            ulong count = Math.Min(at, shape[0] - first), start = first;
            yield return new((int)first, Guard(path, () => images.Read<byte[]>(
                new HyperslabSelection(rank: 4, starts: [start, 0, 0, 0], blocks: [count, shape[1], shape[2], shape[3]]),
                    memoryDims: [count * bytes])));
        }
    }

    /// <summary>The place of each label among the different ones of its column.</summary>
    private static (byte[] Classes, int[] Sizes) ClassesOf(double[] labels, string path)
    {
        int f = Factors.Length;
        var (classes, sizes) = (new byte[labels.Length], new int[f]);
        for (int column = 0; column < f; column++)
        {
            var values = new SortedSet<double>();
            for (int i = column; i < labels.Length && values.Count <= byte.MaxValue + 1; i += f)
                values.Add(labels[i]);
            if (values.Count > byte.MaxValue + 1 || values.Any(double.IsNaN))
                throw DataException.In(path, $"more than 256 values of {Factors[column]}, or one that is no number",
                    "at most 256 different numbers a factor");
            double[] sorted = [.. values];
            sizes[column] = sorted.Length;
            for (int i = column; i < labels.Length; i += f)
                classes[i] = (byte)Array.BinarySearch(sorted, labels[i]);
        }
        return (classes, sizes);
    }

    private static IH5Dataset Dataset(IH5Group file, string name, string path) =>
        file.LinkExists(name) ? file.Dataset(name) : throw DataException.In(path, $"no data set '{name}'", "images and labels");

    /// <summary>PureHDF throws whatever a damaged file led it into.</summary>
    private static T Guard<T>(string path, Func<T> read) => DataFile.Guard(path, () =>
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (DataException or IOException or UnauthorizedAccessException or OutOfMemoryException))
        {
            throw DataException.In(path, $"what is no HDF5 file of images ({e.Message.Split('\n')[0].TrimEnd('.')})",
                "3dshapes.h5 as published", "fetch it again", e);
        }
    });
}
