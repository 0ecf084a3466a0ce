using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>dSprites: 64 x 64 binary images of a shape whose kind, size, angle and place are known.</summary>
internal static class DSprites
{
    private const int Side = 64;
    private const ulong SelectionSeed = 1;
    private static readonly string[] Columns = ["colour", GroundTruth.Shape, "scale", "orientation", "position x", "position y"];

    /// <summary>
    /// The files, the first that is there is read: the official one, the complete grid in coarser steps, a random subset.
    /// </summary>
    internal static readonly string[] Files =
        ["dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz", "dsprites_downsampled.npz", "dsprites_subset.npz"];

    /// <summary>Nine images of ten to train on, one to test on, chosen by a fixed seed.</summary>
    public static DatasetSplits Load(string dataDir) => ReadAll(dataDir).SplitRandomly(0.9, 0.1, SelectionSeed);

    /// <summary>Every image in file order with its factors, which the disentanglement metrics need; labels are the shapes.</summary>
    /// <param name="dataDir">The folder that holds the folder dsprites.</param>
    /// <param name="mostImages">The official file holds 737 280 images, 3 GB; of a file with more than this a random choice by a fixed seed
    /// is kept.</param>
    /// <exception cref="DataException">There is no such file, or it is wrong.</exception>
    public static ImageDataset ReadAll(string dataDir, int mostImages = 100_000)
    {
        string folder = Path.Combine(dataDir, "dsprites");
        string path = Files.Select(file => Path.Combine(folder, file)).FirstOrDefault(File.Exists)
            ?? throw DataException.In(folder, "no npz of dSprites", string.Join(", ", Files), "check the data folder");
        return Read(path, mostImages);
    }

    /// <param name="path">An npz with imgs, latents_classes and latents_values.</param>
    /// <param name="mostImages">How many images to keep at most.</param>
    public static ImageDataset Read(string path, int mostImages)
    {
        var arrays = Npz.Read(path, ["latents_classes", "latents_values"]);
        if (!arrays.TryGetValue("latents_classes", out var classes) || !arrays.TryGetValue("latents_values", out var values))
            throw DataException.In(path, "no latents_classes or no latents_values", "both beside imgs");
        if (classes.Shape is not [var count, (5 or 6) and var columns] || count < 1 || values.Shape is not [var valueRows, var valueColumns]
            || valueRows != count || valueColumns != columns)
            throw DataException.In(path, $"latents of shape {HostArray.Describe(classes.Shape)} and {HostArray.Describe(values.Shape)}",
                "[images, 5] or [images, 6], both the same");

        int[] rows = Choose(count, mostImages);
        var images = Npz.ReadRows(path, "imgs", rows);
        if (images.Type is not ("|u1" or "|b1") || images.Shape is not [_, Side, Side])
            throw DataException.In(path, $"imgs of type {images.Type} and shape {HostArray.Describe(images.Shape)}",
                $"bytes, [images, {Side}, {Side}]");
        var factors = Factors(classes.ToInts(path), values.ToFloats(), count, columns, path).Select(rows);
        int shape = Array.IndexOf(factors.Names, GroundTruth.Shape);
        byte[]? labels = shape < 0 ? null
            : [.. Enumerable.Range(0, rows.Length).Select(i => (byte)factors.Classes[i * factors.Factors + shape])];
        return new ImageDataset("dsprites", "all", rows.Length, Side, Side, Channels: 1, images.Bytes, labels, labels is null ? 0
            : factors.Sizes[shape], PixelScale: 1)
        { Factors = factors }
            .CheckConsistency(path);
    }

    private static int[] Choose(int count, int most)
    {
        if (count <= most)
            return [.. Enumerable.Range(0, count)];
        int[] chosen = new BatchOrder(count, count, SelectionSeed).Permutation(epoch: 0)[..most];
        chosen.AsSpan().Sort();
        return chosen;
    }

    /// <summary>Factors that take one value only, as the colour does, say nothing and are left out.</summary>
    private static GroundTruth Factors(int[] classes, float[] values, int count, int columns, string path)
    {
        int[] sizes = new int[columns];
        for (int i = 0; i < classes.Length; i++)
        {
            if (classes[i] is < 0 or > byte.MaxValue)
                throw DataException.In(path, $"class {classes[i]} in row {i / columns} of latents_classes", "0 to 255");
            sizes[i % columns] = Math.Max(sizes[i % columns], classes[i] + 1);
        }
        int[] kept = [.. Enumerable.Range(0, columns).Where(column => sizes[column] > 1)];
        var truth = new GroundTruth([.. kept.Select(column => Columns[column + Columns.Length - columns])],
            [.. kept.Select(column => sizes[column])], new int[count * kept.Length], new float[count * kept.Length]);
        for (int i = 0; i < count; i++)
            for (int k = 0; k < kept.Length; k++)
            {
                truth.Classes[i * kept.Length + k] = classes[i * columns + kept[k]];
                truth.Values[i * kept.Length + k] = values[i * columns + kept[k]];
            }
        return truth;
    }
}
