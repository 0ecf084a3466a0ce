using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>Extended Yale B, cropped: faces under 64 lights, 168 wide and 192 high, one folder a person.</summary>
internal static class YaleB
{
    private const int Width = 168;
    private const int Height = 192;
    private const int LargestSet = 50_000;
    private const ulong SplitSeed = 1;

    /// <summary>
    /// Reads DATA-DIR/yale-b/**/*.pgm in the order of their names; eight images of ten to train on, one to test on, as in paper 2.
    /// </summary>
    /// <exception cref="DataException">There are no images, or one is wrong.</exception>
    public static DatasetSplits Load(string dataDir)
    {
        string folder = Path.Combine(dataDir, "yale-b");
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*", SearchOption.AllDirectories) : [];
        string[] images = [.. files.Where(IsImage).Order(StringComparer.Ordinal)];
        if (images.Length is 0 or > LargestSet)
            throw DataException.In(folder, $"{images.Length} images *.pgm", "the cropped Extended Yale B, one folder a person",
                "check the data folder");
        string[] people = [.. images.Select(Person).Distinct().Order(StringComparer.Ordinal)];
        if (people.Length > byte.MaxValue)
            throw DataException.In(folder, $"{people.Length} folders", "one folder a person, at most 255", "check the data folder");

        byte[] pixels = GC.AllocateUninitializedArray<byte>(images.Length * Width * Height);
        for (int i = 0; i < images.Length; i++)
        {
            var image = Pgm.Read(images[i]);
            if (image.Width != Width || image.Height != Height)
                throw DataException.In(images[i], $"a picture of {image.Width} x {image.Height}", $"{Width} wide and {Height} high",
                    "use the cropped images");
            image.Pixels.CopyTo(pixels, i * Width * Height);
        }
        byte[] labels = [.. images.Select(path => (byte)Array.BinarySearch(people, Person(path), StringComparer.Ordinal))];
        var all = new ImageDataset("yale-b", "all", images.Length, Height, Width, Channels: 1, pixels, labels, people.Length,
            ImageDataset.ByteScale).CheckConsistency(folder);
        int ambient = files.Count(IsAmbient);
        int bad = files.Count(path => path.EndsWith(".pgm.bad", StringComparison.Ordinal));
        return all.SplitRandomly(0.8, 0.1, SplitSeed) with
        {
            Notes = ambient + bad == 0 ? []
            : [$"yale-b: left out {ambient} ambient pictures, which are of another size, and {bad} that are marked as bad"]
        };
    }

    private static bool IsImage(string path) => path.EndsWith(".pgm", StringComparison.Ordinal) && !IsAmbient(path);

    private static bool IsAmbient(string path) => path.EndsWith("_Ambient.pgm", StringComparison.Ordinal);

    private static string Person(string path) => Path.GetFileName(Path.GetDirectoryName(path))!;
}
