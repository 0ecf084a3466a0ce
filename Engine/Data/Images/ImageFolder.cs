using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Engine.Data.Images;

/// <summary>Any folder of PNG, binary PGM and JPEG pictures, cropped and scaled to one size.</summary>
public static class ImageFolder
{
    private const long MostPixels = 1 << 26;
    private const int LargestLabel = byte.MaxValue;
    private const int FewestImages = 10;
    private const ulong SplitSeed = 1;

    /// <summary>
    /// Reads DATA-DIR/folder, or DATA-DIR itself when there is no such folder, with all folders below, in the order of names; eight pictures of ten to train
    /// on, one to test on. With two or more folders of pictures, each is a class.
    /// </summary>
    /// <param name="side">Rows and columns of the result: the largest square in the middle of each picture is scaled to it.</param>
    /// <exception cref="DataException">There are fewer than ten pictures, too many for memory, or one is damaged.</exception>
    public static DatasetSplits Load(string dataDir, int side = 64)
    {
        string folder = Root(dataDir);
        string[] files = Find(folder);
        if (files.Length < FewestImages)
            throw DataException.In(folder, $"{files.Length} pictures", $"{FewestImages} or more files *.png, *.pgm, *.jpg or *.jpeg", "give --data-dir the folder that holds them");
        return Read(files, folder, side).SplitRandomly(0.8, 0.1, SplitSeed);
    }

    /// <summary>Whether there are pictures.</summary>
    public static bool IsPresent(string dataDir) => Directory.Exists(Path.Combine(dataDir, "folder")) && Find(Root(dataDir)).Length >= FewestImages;

    private static string Root(string dataDir) => Directory.Exists(Path.Combine(dataDir, "folder")) ? Path.Combine(dataDir, "folder") : dataDir;

    private static string[] Find(string folder) => Directory.Exists(folder)
        ? [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(file => PictureReader.Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)]
        : [];

    private static ImageDataset Read(string[] files, string folder, int side)
    {
        int channels = 0;
        if ((long)files.Length * side * side * 3 > Array.MaxLength)
            throw DataException.In(folder, $"{files.Length} pictures", $"at most {Array.MaxLength / (side * side * 3)}, which fit into memory", "use fewer pictures");
        byte[] pixels = new byte[files.Length * side * side * 3];
        try
        {
            Parallel.For(0, files.Length, () => (Reader: new PictureReader(), Resize: new CropResize(side, side)), (i, _, tools) =>
            {
                var picture = tools.Reader.Read(files[i], MostPixels);
                InterlockedMax(ref channels, picture.Channels);
                tools.Resize.Centre(picture, 3, pixels.AsSpan(i * side * side * 3, side * side * 3));
                return tools;
            }, tools => tools.Reader.Dispose());
        }
        catch (AggregateException e)
        {
            throw e.InnerExceptions.OfType<DataException>().FirstOrDefault() ?? e.InnerExceptions[0];
        }
        if (channels == 1)
            pixels = [.. pixels.Where((_, i) => i % 3 == 0)];

        string[] groups = [.. files.Select(file => Path.GetDirectoryName(file)!).Distinct().Order(StringComparer.Ordinal)];
        bool labelled = groups.Length is > 1 and <= LargestLabel;
        byte[]? labels = labelled ? [.. files.Select(file => (byte)Array.BinarySearch(groups, Path.GetDirectoryName(file)!, StringComparer.Ordinal))] : null;
        return new ImageDataset("folder", "all", files.Length, side, side, channels, pixels, labels, labelled ? groups.Length : 0, ImageDataset.ByteScale).CheckConsistency(folder);
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen = Volatile.Read(ref target);
        while (seen < value && Interlocked.CompareExchange(ref target, value, seen) is var now && now != seen)
            seen = now;
    }
}
