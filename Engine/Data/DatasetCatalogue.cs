using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Engine.Data;

/// <summary>One file of a data set.</summary>
/// <param name="Path">Where it lies under the data folder, without .gz.</param>
/// <param name="Bytes">Its size once decompressed.</param>
/// <param name="Md5">MD5 of its decompressed contents; null when none is published.</param>
/// <param name="GzipMd5">MD5 of the .gz that is published, when it is published so.</param>
/// <param name="Optional">Whether the set can be read without it.</param>
public sealed record DatasetFile(string Path, long Bytes, string? Md5, string? GzipMd5 = null, bool Optional = false);

/// <summary>A data set that the engine can read.</summary>
/// <param name="Name">What --data takes.</param>
/// <param name="Description">What is in it.</param>
/// <param name="Licence">Its licence, as its makers or distributors give it.</param>
/// <param name="Source">Where to get it, in words.</param>
/// <param name="Files">What is read.</param>
/// <param name="Load">Reads it from a data folder.</param>
public sealed record DatasetInfo(string Name, string Description, string Licence, string Source, IReadOnlyList<DatasetFile> Files, Func<string, DatasetSplits> Load)
{
    /// <summary>Size of the decompressed files.</summary>
    public long Bytes => Files.Sum(file => file.Bytes);
}

/// <summary>The data sets by name.</summary>
public static class DatasetCatalogue
{
    public static IReadOnlyList<DatasetInfo> All { get; } =
    [
        new("mnist", "70 000 handwritten digits, 28 x 28 grey, 10 classes",
            "commonly passed on as CC BY-SA 3.0; LeCun, Cortes and Burges",
            "the MNIST page of Yann LeCun and its mirrors: the four files train-* and t10k-*; they come with this repository",
            [
                new("mnist/train-images-idx3-ubyte", 47_040_016, "6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                new("mnist/train-labels-idx1-ubyte", 60_008, "a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
                new("mnist/t10k-images-idx3-ubyte", 7_840_016, "2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
                new("mnist/t10k-labels-idx1-ubyte", 10_008, "27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
            ],
            dataDir => Mnist.Load(dataDir, "mnist")),
        new("fashion-mnist", "70 000 pictures of clothing, 28 x 28 grey, 10 classes",
            "MIT; Zalando SE",
            "the fashion-mnist repository of Zalando Research, folder data/fashion: the four files train-* and t10k-*",
            [
                new("fashion-mnist/train-images-idx3-ubyte", 47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                new("fashion-mnist/train-labels-idx1-ubyte", 60_008, "9018921c3c673c538a1fc5bad174d6f9", "25c81989df183df01b3e8a0aad5dffbe"),
                new("fashion-mnist/t10k-images-idx3-ubyte", 7_840_016, "8181f5470baa50b63fa0f6fddb340f0a", "bef4ecab320f06d8554ea6380940ec79"),
                new("fashion-mnist/t10k-labels-idx1-ubyte", 10_008, "15d484375f8d13e6eb1aabb0c3f46965", "bb300cfdad3c16e7a12a480ee83cd310"),
            ],
            dataDir => Mnist.Load(dataDir, "fashion-mnist")),
    ];

    /// <exception cref="ArgumentException">There is no data set of that name; the message lists those there are.</exception>
    public static DatasetInfo Find(string name) =>
        All.FirstOrDefault(set => set.Name == name) ?? throw new ArgumentException($"unknown data set '{name}'; use {string.Join(", ", All.Select(set => set.Name))}");

    /// <exception cref="DataException">A file is missing or wrong.</exception>
    public static DatasetSplits Load(string name, string dataDir) => Find(name).Load(dataDir);
}
