using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.KnownFactors;

/// <summary>
/// The cache file of a set with known factors: nine images of ten to train on, one to test on, chosen by a fixed seed, with the value of
/// every factor.
/// </summary>
internal static class FactorCache
{
    private const ulong SelectionSeed = 1;

    /// <summary>Of a set with more images a random choice of this many, by a fixed seed, is kept.</summary>
    public const int MostImages = 100_000;

    /// <summary>Opens the cache of some files, and makes it first when it is not there.</summary>
    /// <param name="files">What the set is read from.</param>
    /// <param name="read">Describes them.</param>
    /// <param name="progress">Told how many of how many images have been read.</param>
    /// <exception cref="DataException">A file is damaged.</exception>
    public static ImageCache Open(string name, string cacheDir, IReadOnlyList<string> files, Func<FactorSource> read, Action<int,
        int>? progress, int mostImages = MostImages)
    {
        string source = Fingerprint(files, mostImages);
        string cache = Path.Combine(cacheDir, $"{name}-{source[..12]}.images");
        return ImageCache.OpenOrMake(cache, source, () => Make(cache, source, read(), mostImages, progress));
    }

    /// <summary>Whether a cache of the set is there that can be read without its files.</summary>
    public static bool IsPrepared(string name, string cacheDir) => Directory.Exists(cacheDir) && Directory.GetFiles(cacheDir,
        $"{name}-????????????.images").Length == 1;

    /// <summary>The only cache of a set, for when its files are gone; null where there is none or more than one.</summary>
    public static ImageCache? Only(string name, string cacheDir) =>
        IsPrepared(name, cacheDir) ? ImageCache.Open(Directory.GetFiles(cacheDir, $"{name}-????????????.images")[0]) : null;

    private static void Make(string cache, string source, FactorSource set, int mostImages, Action<int, int>? progress)
    {
        int[] order = new BatchOrder(set.Count, set.Count, SelectionSeed).Permutation(epoch: 0)[..Math.Min(mostImages, set.Count)];
        int test = Math.Max(1, order.Length / 10), train = order.Length - test, factors = set.Factors.Length;
        if (train < 1)
            throw DataException.In(set.Name, $"{order.Length} images", "at least two, to train and to test on");
        order.AsSpan(0, train).Sort();
        order.AsSpan(train).Sort();
        var place = new int[set.Count];
        Array.Fill(place, -1);
        var attributes = new byte[order.Length * factors];
        for (int i = 0; i < order.Length; i++)
        {
            place[order[i]] = i;
            set.Classes.AsSpan(order[i] * factors, factors).CopyTo(attributes.AsSpan(i * factors));
        }
        string[] notes = order.Length < set.Count ? [string.Create(CultureInfo.InvariantCulture,
            $"{set.Name}: a random choice of {order.Length} of its {set.Count} images is used")] : [];
        var header = new ImageCacheHeader(set.Name, source, set.Height, set.Width, set.Channels, train, 0, test, set.Factors, notes)
        {
            AttributeSizes = set.Sizes,
            Unordered = set.Unordered,
        };
        ImageCache.Write(cache, header, stream => Place(set, place, order.Length, stream, progress), attributes);
    }

    /// <summary>Writes each image that is kept to its place, in whichever order they come.</summary>
    private static void Place(FactorSource set, int[] place, int kept, Stream stream, Action<int, int>? progress)
    {
        long start = stream.Position;
        int read = 0;
        foreach (var (first, pixels) in set.Blocks())
        {
            for (int i = 0; i < pixels.Length / set.Bytes; i++, read++)
            {
                if (first + i >= place.Length || place[first + i] is not (>= 0 and var at))
                    continue;
                stream.Position = start + (long)at * set.Bytes;
                stream.Write(pixels, i * set.Bytes, set.Bytes);
            }
            progress?.Invoke(Math.Min(read, set.Count), set.Count);
        }
        if (read != set.Count)
            throw DataException.In(set.Name, $"{read} images", $"{set.Count}, one for each row of factors", "fetch its files again");
        stream.Position = start + (long)kept * set.Bytes;
    }

    /// <summary>Changes when a file is replaced by one of another name or size.</summary>
    private static string Fingerprint(IEnumerable<string> files, int mostImages)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{mostImages}\n")));
        foreach (string file in files)
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
                $"{Path.GetFileName(file)} {new FileInfo(file).Length}\n")));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
