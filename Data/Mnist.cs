using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>
/// MNIST and the sets that copy its four files: 28 x 28 grey images of ten classes, 60 000 to train on and 10 000 to test on.
/// </summary>
public static class Mnist
{
    private const int Side = 28;
    private const int Classes = 10;

    /// <summary>Reads DATA-DIR/NAME/train-images-idx3-ubyte and its three companions, each plain or as .gz.</summary>
    /// <param name="dataDir">The folder that holds one folder a data set.</param>
    /// <param name="name">mnist or fashion-mnist.</param>
    /// <exception cref="DataException">A file is missing or wrong.</exception>
    public static DatasetSplits Load(string dataDir, string name = "mnist")
    {
        string folder = Path.Combine(dataDir, name);
        var train = Task.Run(() => LoadSplit(folder, name, "train", "train"));
        var test = LoadSplit(folder, name, "test", "t10k");
        return new(train.GetAwaiter().GetResult(), test);
    }

    /// <summary>The zeros and ones alone (paper 4, section 6.3.2).</summary>
    public static DatasetSplits LoadZerosAndOnes(string dataDir)
    {
        var all = Load(dataDir);
        return new(Binary(all.Train), Binary(all.Test));

        static ImageDataset Binary(ImageDataset set) =>
            set.Select([.. Enumerable.Range(0, set.Count).Where(i => set.Labels![i] < 2)], set.Split)
                with
            { Name = "mnist-01", Classes = 2 };
    }

    private static ImageDataset LoadSplit(string folder, string name, string split, string prefix)
    {
        string imageFile = Require(folder, $"{prefix}-images-idx3-ubyte");
        string labelFile = Require(folder, $"{prefix}-labels-idx1-ubyte");
        var images = Idx.Read(imageFile, axes: 3);
        if (images.Shape[1] != Side || images.Shape[2] != Side)
            throw DataException.In(imageFile, $"images of {images.Shape[1]} x {images.Shape[2]}", $"{Side} x {Side}");
        var labels = Idx.Read(labelFile, axes: 1);
        return new ImageDataset(name, split, images.Shape[0], Side, Side, Channels: 1, images.Data, labels.Data, Classes,
            ImageDataset.ByteScale).CheckConsistency(labelFile);
    }

    private static string Require(string folder, string file) =>
        Gzip.Find(Path.Combine(folder, file)) ?? throw DataException.In(Path.Combine(folder, file), "no such file, plain or .gz",
            "the four IDX files of the data set", "check the data folder");
}
