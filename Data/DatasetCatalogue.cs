using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Data.KnownFactors;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Data.Synthetic;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>One file of a data set.</summary>
/// <param name="Path">Where it lies under the data folder, without .gz.</param>
/// <param name="Bytes">Its size once decompressed.</param>
/// <param name="Md5">MD5 of its decompressed contents; null when none is published.</param>
/// <param name="GzipMd5">MD5 of the .gz that is published, when it is published so.</param>
/// <param name="Optional">Whether the set can be read without it.</param>
internal sealed record DatasetFile(string Path, long Bytes, string? Md5, string? GzipMd5 = null, bool Optional = false);

/// <summary>A data set that the engine can read.</summary>
/// <param name="Name">What --data takes.</param>
/// <param name="Description">What is in it.</param>
/// <param name="Licence">Its licence, as its makers or distributors give it.</param>
/// <param name="Source">Where to get it, in words.</param>
/// <param name="Files">What is read.</param>
/// <param name="Load">Reads it from a data folder.</param>
internal sealed record DatasetInfo(string Name, string Description, string Licence, string Source, IReadOnlyList<DatasetFile> Files,
    Func<string, DatasetSplits> Load)
{
    /// <summary>Size of the decompressed files; 0 for what is made rather than read.</summary>
    public long Bytes => UnlistedBytes + Files.Sum(file => file.Bytes);

    /// <summary>Size of the files that are not listed one by one, as distributed.</summary>
    public long UnlistedBytes { get; init; }

    /// <summary>Tells whether a set is there whose files are not listed one by one, or that is made rather than read.</summary>
    public Func<string, bool>? Presence { get; init; }

    /// <summary>Height, width and channels of an image, where they are the same whatever is on disk.</summary>
    public (int Height, int Width, int Channels)? ImageSize { get; init; }

    /// <summary>
    /// For a set that may not fit into memory: opens its cache file, given the data folder and the cache folder, and makes that file first
    /// if need be; how many of how many
    /// pictures it holds is then told now and then.
    /// </summary>
    internal Func<string, string, Action<int, int>?, ImageCache>? OpenCache { get; init; }

    /// <summary>As <see cref="OpenCache"/>, from the folder of a download.</summary>
    internal Func<string, string, Action<int, int>?, ImageCache>? PrepareFrom { get; init; }

    /// <summary>Tells whether a cache folder holds the set, so that it can be read without its source.</summary>
    public Func<string, bool>? IsPrepared { get; init; }

    /// <summary>
    /// Reads the set; one with a cache file through that file, from which splits that are too large for memory are streamed.
    /// </summary>
    /// <param name="dataDir">The data folder; it is only read.</param>
    /// <param name="cacheDir">Where cache files are kept.</param>
    /// <param name="mostBytes">Splits of more bytes are streamed.</param>
    /// <param name="progress">Told how many of how many pictures have been decoded, while a cache file is made.</param>
    /// <exception cref="DataException">A file is missing or wrong.</exception>
    public DatasetSplits Open(string dataDir, string cacheDir, long mostBytes = CachedImages.MostBytesInMemory,
        Action<int, int>? progress = null)
    {
        if (OpenCache is null)
            return Load(dataDir);
        var cache = OpenCache(dataDir, cacheDir, progress);
        var splits = new DatasetSplits(cache.Train.Open(mostBytes), cache.Test.Open(mostBytes)) { Notes = cache.Header.Notes };
        if (splits.Train.Stored is null && splits.Test.Stored is null)
            cache.Dispose();
        return splits;
    }

    /// <summary>Whether what is needed to read the set is there, whatever its contents.</summary>
    public bool IsPresent(string dataDir)
    {
        if (Presence is not null)
            return Presence(dataDir);
        bool There(DatasetFile file) => Gzip.Find(Path.Combine(dataDir, file.Path)) is not null;
        return Files.Where(file => !file.Optional).All(There)
            && (Files.All(file => !file.Optional) || Files.Where(file => file.Optional).Any(There))
            && (Files.Count > 0 || Directory.Exists(Path.Combine(dataDir, Name)));
    }
}

/// <summary>The data sets by name.</summary>
public static class DatasetCatalogue
{
    private static readonly DatasetFile[] MnistFiles =
    [
        new("mnist/train-images-idx3-ubyte", 47_040_016, "6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        new("mnist/train-labels-idx1-ubyte", 60_008, "a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
        new("mnist/t10k-images-idx3-ubyte", 7_840_016, "2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
        new("mnist/t10k-labels-idx1-ubyte", 10_008, "27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
    ];

    private const string MnistSource = "the MNIST page of Yann LeCun and its mirrors: the four files train-* and t10k-*; they come with "
        + "this repository";

    internal static IReadOnlyList<DatasetInfo> All { get; } =
    [
        new("mnist", "70 000 handwritten digits, 28 x 28 grey, 10 classes",
            "commonly passed on as CC BY-SA 3.0; LeCun, Cortes and Burges",
            MnistSource,
            MnistFiles,
            dataDir => Mnist.Load(dataDir, "mnist")) { ImageSize = (28, 28, 1) },
        new("fashion-mnist", "70 000 pictures of clothing, 28 x 28 grey, 10 classes",
            "MIT; Zalando SE",
            "the fashion-mnist repository of Zalando Research, folder data/fashion: the four files train-* and t10k-*",
            [
                new("fashion-mnist/train-images-idx3-ubyte", 47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                new("fashion-mnist/train-labels-idx1-ubyte", 60_008, "9018921c3c673c538a1fc5bad174d6f9",
                    "25c81989df183df01b3e8a0aad5dffbe"),
                new("fashion-mnist/t10k-images-idx3-ubyte", 7_840_016, "8181f5470baa50b63fa0f6fddb340f0a",
                    "bef4ecab320f06d8554ea6380940ec79"),
                new("fashion-mnist/t10k-labels-idx1-ubyte", 10_008, "15d484375f8d13e6eb1aabb0c3f46965", "bb300cfdad3c16e7a12a480ee83cd310"),
            ],
            dataDir => Mnist.Load(dataDir, "fashion-mnist")) { ImageSize = (28, 28, 1) },
        new("mnist-01", "the 14 780 zeros and ones of mnist", "as mnist", MnistSource, MnistFiles, Mnist.LoadZerosAndOnes)
        {
            ImageSize = (28, 28, 1),
        },
        new("cifar10", "60 000 photographs, 32 x 32 colour, 10 classes; any of the training batches",
            "no explicit licence; research use with citation of Krizhevsky, 2009",
            "the CIFAR page of Alex Krizhevsky at the University of Toronto: the binary version, unpacked into this folder",
            [
                new("cifar10/data_batch_1.bin", 30_730_000, "5dd7e06a14cb22eb9f671a540d1b7c25", Optional: true),
                new("cifar10/data_batch_2.bin", 30_730_000, Md5: null, Optional: true),
                new("cifar10/data_batch_3.bin", 30_730_000, Md5: null, Optional: true),
                new("cifar10/data_batch_4.bin", 30_730_000, Md5: null, Optional: true),
                new("cifar10/data_batch_5.bin", 30_730_000, Md5: null, Optional: true),
                new("cifar10/test_batch.bin", 30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d"),
            ],
            Cifar10.Load) { ImageSize = (32, 32, 3) },
        new("dsprites", "binary shapes of known kind, size, angle and place, 64 x 64; one of the files",
            "Apache-2.0; DeepMind",
            "the dsprites-dataset repository of DeepMind: the npz; or one of the two smaller files made from it",
            [
                new($"dsprites/{DSprites.Files[0]}", 26_764_248, "7da33b31b13a06f4b04a70402ce90c2e", Optional: true),
                new($"dsprites/{DSprites.Files[1]}", 1_341_726, "6201c648b5cbdc67573cca0f25894413", Optional: true),
                new($"dsprites/{DSprites.Files[2]}", 710_021, "bbc77fb34afc89a384056b53f474ccdd", Optional: true),
            ],
            dataDir => DSprites.Load(dataDir)) { ImageSize = (64, 64, 1) },
        .. KnownFactorSets.All,
        new("yale-b", "2 414 faces of 38 people under 64 lights, 192 x 168 grey",
            "free for research with citation of Georghiades et al., 2001, and Lee et al., 2005",
            "the Extended Yale Face Database B page of the University of California, San Diego: the cropped images, one folder a person",
            [], YaleB.Load) { UnlistedBytes = 77_900_000, ImageSize = (192, 168, 1) },
        new("celeba", "202 599 faces of celebrities with 40 attributes, cropped and scaled to 64 x 64 colour",
            "non-commercial research; Liu, Luo, Wang and Tang, 2015",
            "the CelebA page of the Multimedia Laboratory of the Chinese University of Hong Kong: img_align_celeba.zip, unpacked into "
                + "celeba/, and list_attr_celeba.txt beside it",
            [new("celeba/list_attr_celeba.txt", 26_721_026, Md5: null, Optional: true)], CelebA.Load)
        {
            UnlistedBytes = 1_400_000_000,
            ImageSize = (64, 64, 3),
            Presence = CelebA.IsPresent,
            OpenCache = CelebA.Open,
            PrepareFrom = CelebA.Prepare,
            IsPrepared = CelebA.IsPrepared,
        },
        new("folder", "your own pictures: PNG, JPEG, BMP, GIF and binary PGM files, cropped and scaled to 64 x 64; folders are classes",
            "yours", "wherever your pictures are: put them into folder/ under the data folder, or name their folder by --data-dir", [],
                dataDir => ImageFolder.Load(dataDir)) { Presence = ImageFolder.IsPresent },
        new("synthetic-shapes", "25 000 grey shapes of known kind, place, size and angle, 32 x 32",
            "made here", "made when it is asked for", [], _ => SyntheticShapes.CreateSplits()) { Presence = _ => true },
        new("synthetic-gaussian", "25 000 smooth pictures of 8 independent Gaussian factors, 28 x 28 grey, without noise",
            "made here", "made when it is asked for", [], _ => new GaussianFactors().CreateSplits()) { Presence = _ => true },
        new("synthetic-segments",
            "25 000 smooth pictures of 4 Gaussian factors whose variances depend on the label, one of 20 segments, 28 x 28 grey",
            "made here", "made when it is asked for", [], _ => new GaussianFactors(new() { Factors = 4,
                Segments = 20 }).CreateSplits()) { Presence = _ => true },
        new("synthetic-noise", "the same pictures with Gaussian noise of standard deviation 0.05 in every pixel",
            "made here", "made when it is asked for", [], _ =>
                new GaussianFactors(new() { Noise = PlantedNoise.Gaussian }).CreateSplits()) { Presence = _ => true },
        .. ((int[])[2, 5, 10]).Select(factors => new DatasetInfo($"synthetic-noise-{factors}", $"synthetic-noise with {factors} factors",
            "made here", "made when it is asked for", [], _ =>
                new GaussianFactors(new() { Factors = factors, Noise = PlantedNoise.Gaussian }).CreateSplits()) { Presence = _ => true }),
        new("synthetic-noise-pixel",
            "the same pictures with Gaussian noise whose standard deviation grows from 0 at the left edge to 0.1 at the right",
            "made here", "made when it is asked for", [], _ =>
                new GaussianFactors(new() { Noise = PlantedNoise.PerPixel }).CreateSplits()) { Presence = _ => true },
        new("synthetic-noise-mixture",
            "the same pictures with Gaussian noise of standard deviation 0.05 in nine pixels of ten and 0.25 in the tenth",
            "made here", "made when it is asked for", [], _ =>
                new GaussianFactors(new() { Noise = PlantedNoise.Mixture }).CreateSplits()) { Presence = _ => true },
        new("deap", "EEG of 32 people watching 40 videos each, as 63 head maps a video of alpha, beta and gamma power, 32 x 32; 4 "
            + "classes of emotion",
            "only under a signed agreement with its makers; Koelstra et al., 2012",
            "the DEAP page of Queen Mary University of London, on application: data_preprocessed_python (.dat) or "
                + "data_preprocessed_matlab (.mat), unpacked into deap/",
            [], dataDir => EegDataset.Load(Path.Combine(dataDir, "deap"), "deap").ToSplits())
        {
            UnlistedBytes = Deap.Participants * 103_220_480L,
            Presence = dataDir => Deap.Find(Path.Combine(dataDir, "deap")).Count > 0,
        },
        new("synthetic-eeg",
            $"made-up EEG of {SyntheticEeg.Participants} people in the layout of deap, with planted sources that follow valence and "
            + $"arousal; 4 classes",
            "made here", "made when it is asked for; `vae data prepare synthetic-eeg` writes it as files of deap's layout", [],
            dataDir => SyntheticEeg.Load(Path.Combine(dataDir, "synthetic-eeg")).ToSplits()) { Presence = _ => true },
    ];

    /// <param name="name">Of a set, or a file of one's own: FILE.npz (arrays) or FILE.csv (a table).</param>
    /// <exception cref="ArgumentException">There is no data set of that name; the message lists those there are.</exception>
    internal static DatasetInfo Find(string name) => OwnFile.IsOwn(name) ? OwnFile.Describe(name)
        : All.FirstOrDefault(set => set.Name == name)
            ?? throw new ArgumentException(
            $"data set '{name}' does not exist{Spelling.Suggest(name, Names)}; data sets are {string.Join(", ", Names)}, and files of your "
            + $"own, FILE.npz and FILE.csv");

    /// <summary>The names of the sets.</summary>
    public static IEnumerable<string> Names => All.Select(set => set.Name);

    /// <summary>Whether what is needed to read a set is in the data folder, whatever its contents.</summary>
    /// <exception cref="ArgumentException">There is no data set of that name; the message lists those there are.</exception>
    public static bool IsPresent(string name, string dataDir) => Find(name).IsPresent(dataDir);

    /// <exception cref="DataException">A file is missing or wrong.</exception>
    public static DatasetSplits Load(string name, string dataDir) => Find(name).Load(dataDir);
}
