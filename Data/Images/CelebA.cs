using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Images;

/// <summary>
/// CelebA: aligned photographs of faces, 178 wide and 218 high, with 40 attributes. The middle 148 x 148 pixels, which the face fills,
/// become 64 x 64;
/// all of them are decoded once, in parallel, into one cache file, from which they are streamed or read.
/// </summary>
internal static class CelebA
{
    public const int Side = 64;
    private const int Crop = 148;
    private const int Channels = 3;
    private const long MostPixels = 1 << 22;
    private const ulong SplitSeed = 1;
    private const int ImagesAtOnce = 512;

    /// <summary>
    /// Opens the cache of DATA-DIR/celeba, and makes it first when it is not there or the pictures have changed; without pictures, one that
    /// was made before.
    /// </summary>
    /// <param name="dataDir">The folder with celeba/img_align_celeba/*.jpg and, beside that folder, list_attr_celeba.txt or .csv when there
    /// is one.</param>
    /// <param name="cacheDir">Where the cache file is kept.</param>
    /// <param name="progress">Told how many of how many pictures are decoded.</param>
    /// <exception cref="DataException">There are no pictures, one is damaged, or libturbojpeg is missing.</exception>
    public static ImageCache Open(string dataDir, string cacheDir, Action<int, int>? progress = null)
    {
        string folder = Path.Combine(dataDir, "celeba");
        return Find(folder).Length == 0 && Caches(cacheDir) is [var only] ? ImageCache.Open(only) : Prepare(folder, cacheDir, progress);
    }

    /// <summary>Opens the cache of the pictures in a folder, and makes it first when it is not there.</summary>
    /// <param name="folder">With img_align_celeba/*.jpg in it, and the list of attributes when there is one.</param>
    /// <exception cref="DataException">There are no pictures, one is damaged, or libturbojpeg is missing.</exception>
    public static ImageCache Prepare(string folder, string cacheDir, Action<int, int>? progress = null)
    {
        string[] files = Find(folder);
        if (files.Length < 3)
            throw DataException.In(Path.Combine(folder, "img_align_celeba"), $"{files.Length} pictures *.jpg",
                "the aligned and cropped pictures, 000001.jpg and so on", "unpack img_align_celeba.zip there");
        var attributes = FindAttributes(folder);
        string source = Fingerprint(files, attributes);
        string cache = Path.Combine(cacheDir, $"celeba-{Side}-{source[..12]}.images");
        return ImageCache.OpenOrMake(cache, source, () => Make(cache, source, files, attributes, progress));
    }

    /// <summary>Training and test images in memory, 2.2 GB for all of them; <see cref="Open"/> streams them instead.</summary>
    public static DatasetSplits Load(string dataDir)
    {
        using var cache = Open(dataDir, CacheFolder.Default);
        return new(cache.Train.ToDataset(), cache.Test.ToDataset()) { Notes = cache.Header.Notes };
    }

    /// <summary>Whether pictures have been made into a cache file that can be read without them.</summary>
    public static bool IsPrepared(string cacheDir) => Caches(cacheDir).Length == 1;

    private static string[] Caches(string cacheDir) =>
        Directory.Exists(cacheDir) ? Directory.GetFiles(cacheDir, $"celeba-{Side}-*.images") : [];

    /// <summary>Whether there are pictures.</summary>
    public static bool IsPresent(string dataDir) => Find(Path.Combine(dataDir, "celeba")).Length > 0;

    private static string[] Find(string folder)
    {
        // Some archives hold the folder inside a folder of the same name.
        foreach (string below in (string[])["img_align_celeba/img_align_celeba", "img_align_celeba"])
            if (Directory.Exists(Path.Combine(folder, below))
                && Directory.GetFiles(Path.Combine(folder, below), "*.jpg") is { Length: > 0 } files)
            {
                files.AsSpan().Sort(StringComparer.Ordinal);
                return files;
            }
        return [];
    }

    private static string? FindAttributes(string folder) =>
        ((string[])["list_attr_celeba.txt", "list_attr_celeba.csv"]).Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Changes when a picture is added, removed or replaced by one of another size, and when the attributes change.</summary>
    private static string Fingerprint(string[] files, string? attributes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string file in attributes is null ? files : [.. files, attributes])
            hash.AppendData(Encoding.UTF8.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(file)} {new FileInfo(file).Length}\n")));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Make(string cache, string source, string[] files, string? attributeFile, Action<int, int>? progress)
    {
        var table = attributeFile is null ? null : CelebAttributes.Read(attributeFile);
        int[] order = Split(files.Length, out int train, out int validation);
        string[] inOrder = [.. order.Select(i => files[i])];
        byte[] attributes = new byte[files.Length * (table?.Names.Length ?? 0)];
        for (int i = 0; table is not null && i < inOrder.Length; i++)
            table.Of(Path.GetFileName(inOrder[i])).CopyTo(attributes.AsSpan(i * table.Names.Length));
        string[] notes = table is null ? ["celeba: there is no list_attr_celeba.txt or .csv, so the images have no attributes"] : [];
        var header = new ImageCacheHeader("celeba", source, Side, Side, Channels, train, validation, files.Length - train - validation,
            table?.Names ?? [], notes);
        ImageCache.Write(cache, header, stream => Decode(inOrder, stream, progress), attributes);
    }

    /// <summary>
    /// Eight pictures of ten to train on, one to validate and one to test, at random as in the papers, each split in the order of names.
    /// </summary>
    private static int[] Split(int count, out int train, out int validation)
    {
        train = Math.Min((int)Math.Round(0.8 * count), count - 1);
        validation = (count - train) / 2;
        int[] order = new BatchOrder(count, count, SplitSeed).Permutation(epoch: 0);
        order.AsSpan(0, train).Sort();
        order.AsSpan(train, validation).Sort();
        order.AsSpan(train + validation).Sort();
        return order;
    }

    private static void Decode(string[] files, Stream stream, Action<int, int>? progress)
    {
        const int bytes = Side * Side * Channels;
        byte[] block = new byte[Math.Min(ImagesAtOnce, files.Length) * bytes];
        for (int start = 0; start < files.Length; start += ImagesAtOnce)
        {
            int first = start, count = Math.Min(ImagesAtOnce, files.Length - start);
            try
            {
                Parallel.For(0, count, () => (Jpeg: new TurboJpeg(), Resize: new CropResize(Side, Side)), (i, _, tools) =>
                {
                    var picture = Read(tools.Jpeg, files[first + i]);
                    tools.Resize.Crop(picture, Crop, Crop, Channels, block.AsSpan(i * bytes, bytes));
                    return tools;
                }, tools => tools.Jpeg.Dispose());
            }
            catch (AggregateException e)
            {
                throw e.InnerExceptions.OfType<DataException>().FirstOrDefault() ?? e.InnerExceptions[0];
            }
            stream.Write(block, 0, count * bytes);
            progress?.Invoke(start + count, files.Length);
        }
    }

    private static Picture Read(TurboJpeg jpeg, string file) => DataFile.Guard(file, () =>
    {
        var picture = jpeg.Decode(File.ReadAllBytes(file), file, MostPixels, forceColour: true);
        return picture.Width >= Crop && picture.Height >= Crop
            ? picture
            : throw DataException.In(file, $"a picture of {picture.Width} x {picture.Height}", "178 wide and 218 high",
                "use the aligned and cropped pictures");
    });
}
