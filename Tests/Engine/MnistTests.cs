using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

public sealed class MnistTests
{
    [Test]
    public void Mnist_is_what_its_makers_published()
    {
        var (train, test) = DatasetCatalogue.Load("mnist", TestFiles.Datasets);
        Check(train, test, [5, 0, 4, 1, 9], [7, 2, 1, 0, 4], mean: 0.13066048, deviation: 0.30810780);
        Assert.That(Histogram(train), Is.EqualTo(new[] { 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 }));
    }

    [Test]
    public void Fashion_mnist_is_what_its_makers_published()
    {
        var (train, test) = DatasetCatalogue.Load("fashion-mnist", TestFiles.SharedData("fashion-mnist"));
        Check(train, test, [9, 0, 0, 3, 0], [9, 2, 1, 1, 6], mean: 0.28604060, deviation: 0.35302424);
        Assert.That(Histogram(train), Is.All.EqualTo(6000));
        Assert.That(Histogram(test), Is.All.EqualTo(1000));
    }

    [Test]
    public void Mnist_meets_its_published_checksums() =>
        Assert.That(DataVerify.Verify("mnist", TestFiles.Datasets).Select(check => check.State),
            Is.All.EqualTo(FileState.Ok).And.Exactly(4).Items);

    [Test]
    public void Fashion_mnist_meets_its_published_checksums() =>
        Assert.That(DataVerify.Verify("fashion-mnist", TestFiles.SharedData("fashion-mnist")).Select(check => check.State),
            Is.All.EqualTo(FileState.Ok).And.Exactly(4).Items);

    [Test]
    public void Missing_wrong_and_unpacked_files_are_told_apart()
    {
        string dataDir = TestFiles.Folder("verify");
        string folder = Path.Combine(dataDir, "mnist");
        Directory.CreateDirectory(folder);
        using (var packed = new System.IO.Compression.GZipStream(File.OpenRead(
            Path.Combine(TestFiles.Datasets, "mnist", "t10k-labels-idx1-ubyte.gz")), System.IO.Compression.CompressionMode.Decompress))
        using (var plain = File.Create(Path.Combine(folder, "t10k-labels-idx1-ubyte")))
            packed.CopyTo(plain);
        File.Copy(Path.Combine(TestFiles.Datasets, "mnist", "t10k-labels-idx1-ubyte.gz"),
            Path.Combine(folder, "train-labels-idx1-ubyte.gz"));

        var checks = DataVerify.Verify("mnist", dataDir).ToDictionary(check => Path.GetFileName(check.File));
        Assert.Multiple(() =>
        {
            Assert.That(checks["t10k-labels-idx1-ubyte"].State, Is.EqualTo(FileState.Ok));
            Assert.That(checks["train-labels-idx1-ubyte.gz"].State, Is.EqualTo(FileState.WrongChecksum));
            Assert.That(checks["train-labels-idx1-ubyte.gz"].ActualMd5, Is.EqualTo("ec29112dd5afa0611ce80d1b7f02629c"));
            Assert.That(checks["train-labels-idx1-ubyte.gz"].ExpectedMd5, Is.EqualTo("d53e105ee54ea40749a09fcbcd1e9432"));
            Assert.That(checks["train-images-idx3-ubyte"].State, Is.EqualTo(FileState.Missing));
        });
    }

    [Test]
    public void Labels_of_another_split_and_a_missing_folder_are_refused()
    {
        string dataDir = TestFiles.Folder("mismatch");
        string folder = Path.Combine(dataDir, "mnist");
        Directory.CreateDirectory(folder);
        foreach (string prefix in (string[])["train", "t10k"])
        {
            File.WriteAllBytes(Path.Combine(folder, $"{prefix}-images-idx3-ubyte"), IdxTests.File([2, 28, 28], new byte[2 * 784]));
            File.WriteAllBytes(Path.Combine(folder, $"{prefix}-labels-idx1-ubyte"),
                IdxTests.File([2], prefix == "train" ? [1, 2] : [1, 10]));
        }
        Assert.That(() => Mnist.Load(dataDir), Throws.TypeOf<DataException>().With.Message.Contains("label 10 of image 1"));
        File.WriteAllBytes(Path.Combine(folder, "t10k-labels-idx1-ubyte"), IdxTests.File([3], [1, 2, 3]));
        Assert.That(() => Mnist.Load(dataDir), Throws.TypeOf<DataException>().With.Message.Contains("3 labels for 2 images"));
        Assert.That(() => Mnist.Load(Path.Combine(dataDir, "absent")),
            Throws.TypeOf<DataException>().With.Message.Contains("no such file"));
        Assert.That(() => DatasetCatalogue.Load("mnits", dataDir),
            Throws.ArgumentException.With.Message.Contains("data sets are mnist, fashion-mnist"));
    }

    [Test]
    public void The_first_images_keep_their_order()
    {
        var test = DatasetCatalogue.Load("mnist", TestFiles.Datasets).Test;
        var first = test.Take(3);
        Assert.That(first.Count, Is.EqualTo(3));
        Assert.That(first.Labels, Is.EqualTo(test.Labels![..3]));
        Assert.That(first.Image(2).ToArray(), Is.EqualTo(test.Image(2).ToArray()));
        Assert.That(first.ToFloats(2, 1), Is.EqualTo(test.Image(2).ToArray().Select(b => b * (1f / 255))));
        Assert.That(test.Take(20_000), Is.SameAs(test));
        Assert.That(() => first.CheckConsistency("mnist"), Throws.Nothing);
    }

    private static void Check(ImageDataset train, ImageDataset test, byte[] firstTrain, byte[] firstTest, double mean, double deviation)
    {
        Assert.Multiple(() =>
        {
            Assert.That((train.Count, train.Height, train.Width, train.Channels, train.Classes, train.Split),
                Is.EqualTo((60_000, 28, 28, 1, 10, "train")));
            Assert.That((test.Count, test.PixelsPerImage, test.Split), Is.EqualTo((10_000, 784, "test")));
            Assert.That(train.Labels![..5], Is.EqualTo(firstTrain));
            Assert.That(test.Labels![..5], Is.EqualTo(firstTest));
        });
        double sum = 0;
        double squares = 0;
        foreach (byte pixel in train.Pixels)
        {
            sum += pixel;
            squares += pixel * (double)pixel;
        }
        double average = sum / train.Pixels.Length / 255;
        Assert.That(average, Is.EqualTo(mean).Within(1e-8));
        Assert.That(Math.Sqrt(squares / train.Pixels.Length / (255.0 * 255) - average * average), Is.EqualTo(deviation).Within(1e-8));
    }

    private static int[] Histogram(ImageDataset set)
    {
        int[] histogram = new int[set.Classes];
        foreach (byte label in set.Labels!)
            histogram[label]++;
        return histogram;
    }
}
