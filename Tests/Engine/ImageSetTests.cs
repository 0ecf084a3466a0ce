using System.Text;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

/// <summary>CIFAR-10, dSprites and Extended Yale B.</summary>
public sealed class ImageSetTests
{
    private const int CifarRecord = 3073;

    [Test]
    public void Cifar10_is_what_its_makers_published()
    {
        string dataDir = TestFiles.SharedData("cifar10/test_batch.bin.gz");
        var (train, test) = DatasetCatalogue.Load("cifar10", dataDir);
        Assert.Multiple(() =>
        {
            Assert.That((train.Count, train.Height, train.Width, train.Channels, train.Classes), Is.EqualTo((10_000, 32, 32, 3, 10)));
            Assert.That(train.Labels![..5], Is.EqualTo(new byte[] { 6, 9, 9, 4, 1 }));
            Assert.That(test.Labels![..5], Is.EqualTo(new byte[] { 3, 8, 8, 0, 6 }));
            Assert.That(test.Labels!.CountBy(label => label).Select(pair => pair.Value), Is.All.EqualTo(1000));
            Assert.That(DataVerify.Verify("cifar10", dataDir).Where(check => check.State != FileState.Missing).Select(check => check.State),
                Is.All.EqualTo(FileState.Ok).And.Exactly(2).Items);
        });
    }

    [Test]
    public void Cifar10_planes_become_pixels([Values] bool compressed)
    {
        byte[] file = CifarFile(3);
        var set = Cifar10.Read(new MemoryStream(compressed ? IdxTests.Compress(file) : file), "batch", "train");
        Assert.That(set.Labels, Is.EqualTo(new byte[] { 0, 7, 4 }));
        var image = set.Image(2).ToArray();
        for (int pixel = 0; pixel < 1024; pixel++)
            for (int channel = 0; channel < 3; channel++)
                Assert.That(image[3 * pixel + channel], Is.EqualTo(file[2 * CifarRecord + 1 + channel * 1024 + pixel]));
    }

    [Test]
    public void Damaged_cifar10_files_give_one_sentence([Values] bool compressed)
    {
        byte[] file = CifarFile(2);
        HostileBytes.Check(compressed ? IdxTests.Compress(file) : file, bytes => Cifar10.Read(new MemoryStream(bytes), "batch", "train"),
            rounds: 800);
        Assert.That(() => Cifar10.Read(new MemoryStream(IdxTests.Compress(new byte[40_000_000])), "batch", "train"),
            Throws.TypeOf<DataException>().With.Message.Contains("more than 30730000"));
        Assert.That(() => Cifar10.Load(TestFiles.Folder("cifar")),
            Throws.TypeOf<DataException>().With.Message.Contains("data_batch_1.bin"));
    }

    [Test]
    public void The_coarser_dsprites_are_the_complete_grid()
    {
        var set = DSprites.ReadAll(TestFiles.SharedData("dsprites/dsprites_downsampled.npz"));
        Assert.That((set.Count, set.PixelsPerImage, set.PixelScale, set.Classes), Is.EqualTo((46_080, 4096, 1f, 3)));
        Assert.That(set.Factors!.Names, Is.EqualTo(new[] { "shape", "scale", "orientation", "position x", "position y" }));
        Assert.That(set.Factors.Sizes, Is.EqualTo(new[] { 3, 6, 10, 16, 16 }));
        Assert.That(Enumerable.Range(0, set.Count).Select(i => string.Join(",", set.Factors.Classes[(5 * i)..(5 * i + 5)])).Distinct()
            .Count(), Is.EqualTo(46_080));
        Assert.That(set.Image(0).ToArray().Sum(pixel => pixel), Is.EqualTo(100));
        Assert.That(set.Factors.Values[9], Is.EqualTo(1 / 15.5).Within(1e-6), "position y of the second image");
    }

    [Test]
    public void A_choice_of_dsprites_is_the_same_each_time_and_splits_do_not_overlap()
    {
        string path = Path.Combine(TestFiles.SharedData("dsprites/dsprites_subset.npz"), "dsprites", "dsprites_subset.npz");
        var some = DSprites.Read(path, mostImages: 500);
        Assert.That(some.Count, Is.EqualTo(500));
        Assert.That(DSprites.Read(path, mostImages: 500).Pixels, Is.EqualTo(some.Pixels));
        var all = DSprites.Read(path, mostImages: 20_000);
        var (train, test) = all.SplitRandomly(0.8, 0.1, seed: 2);
        Assert.That((train.Count, test.Count, train.Split, test.Split), Is.EqualTo((16_000, 2_000, "train", "test")));
        var seen = Keys(train).ToHashSet();
        Assert.That(Keys(test).Any(seen.Contains), Is.False);

        static IEnumerable<string> Keys(ImageDataset set) =>
            Enumerable.Range(0, set.Count).Select(i => string.Join(",", set.Factors!.Classes[(5 * i)..(5 * i + 5)]));
    }

    [Test]
    public void The_official_layout_of_dsprites_with_six_columns_is_read()
    {
        byte[] images = new byte[4 * 4096];
        images[4096 * 2 + 5] = 1;
        byte[] classes =
            [.. ((long[])[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0]).SelectMany(BitConverter.GetBytes)];
        byte[] values = [.. Enumerable.Range(0, 24).SelectMany(i => BitConverter.GetBytes((double)i))];
        string path = Path.Combine(TestFiles.Folder("dsprites"), "official.npz");
        byte[] Npz(byte[] pixels) =>
            NpyTests.Zip(("metadata.npy", NpyTests.File("|O", "()", [1, 2])), ("imgs.npy", NpyTests.File("|u1", "(4, 64, 64)", pixels)),
            ("latents_classes.npy", NpyTests.File("<i8", "(4, 6)", classes)),
                ("latents_values.npy", NpyTests.File("<f8", "(4, 6)", values)));
        File.WriteAllBytes(path, Npz(images));

        var set = DSprites.Read(path, mostImages: 100);
        Assert.That(set.Factors!.Names, Is.EqualTo(new[] { "shape", "scale" }), "factors of more than one value");
        Assert.That(set.Factors.Classes, Is.EqualTo(new[] { 0, 0, 0, 1, 1, 0, 1, 1 }));
        Assert.That(set.Factors.Values, Is.EqualTo(new[] { 1f, 2, 7, 8, 13, 14, 19, 20 }));
        Assert.That(set.Labels, Is.EqualTo(new byte[] { 0, 0, 1, 1 }));
        Assert.That(set.Image(2)[5], Is.EqualTo(1));

        images[7] = 2;
        File.WriteAllBytes(path, Npz(images));
        Assert.That(() => DSprites.Read(path, mostImages: 100), Throws.TypeOf<DataException>().With.Message.Contains("pixel value 2"));
    }

    [TestCase("P5 3 2 255\n", 1)]
    [TestCase("P5\n# a comment\n3 # another\n 2\n255\n", 1)]
    [TestCase("P5\r\n3\t2 51\n", 5)]
    public void Grey_pictures_are_read(string header, int factor)
    {
        var image = ReadPgm(header, [0, 1, 2, 3, 4, 51]);
        Assert.That((image.Width, image.Height), Is.EqualTo((3, 2)));
        Assert.That(image.Pixels, Is.EqualTo(new[] { 0, factor, 2 * factor, 3 * factor, 4 * factor, 51 * factor }));
    }

    [TestCase("P2 3 2 255\n", 6, "'P2'")]
    [TestCase("P5 3 2 65535\n", 6, "grey levels of '65535'")]
    [TestCase("P5 3 99999999 255\n", 6, "height of '99999999'")]
    [TestCase("P5 0 2 255\n", 6, "width of '0'")]
    [TestCase("P5 30000 30000 255\n", 6, "cut short")]
    [TestCase("P5 3 2 255\n", 7, "after its end")]
    public void Grey_pictures_that_lie_are_refused(string header, int pixels, string says) =>
        Assert.That(() => ReadPgm(header, new byte[pixels]), Throws.TypeOf<DataException>().With.Message.Contains(says));

    [Test]
    public void Damaged_grey_pictures_give_one_sentence() =>
        HostileBytes.Check([.. "P5 # note\n8 9 255\n"u8, .. new byte[72]], bytes => Pgm.Read(new MemoryStream(bytes), "picture"));

    [Test]
    public void Yale_faces_are_read_without_the_ambient_and_the_bad_ones()
    {
        string dataDir = TestFiles.Folder("yale");
        byte[] face = [.. "P5 168 192 255\n"u8, .. new byte[168 * 192]];
        foreach (string person in (string[])["yaleB02", "yaleB01"])
        {
            string folder = Directory.CreateDirectory(Path.Combine(dataDir, "yale-b", person)).FullName;
            for (int i = 0; i < 5; i++)
                File.WriteAllBytes(Path.Combine(folder, $"{person}_{i}.pgm"), face);
            File.WriteAllBytes(Path.Combine(folder, $"{person}_Ambient.pgm"), [1]);
        }
        File.WriteAllBytes(Path.Combine(dataDir, "yale-b", "yaleB01", "x.pgm.bad"), [1]);
        var splits = DatasetCatalogue.Load("yale-b", dataDir);
        Assert.That((splits.Train.Count, splits.Test.Count, splits.Train.Height, splits.Train.Width, splits.Train.Classes),
            Is.EqualTo((8, 1, 192, 168, 2)));
        Assert.That(splits.Notes.Single(), Does.Contain("2 ambient").And.Contain("1 that"));
        File.WriteAllBytes(Path.Combine(dataDir, "yale-b", "yaleB01", "wide.pgm"), "P5 1 1 255\n0"u8.ToArray());
        Assert.That(() => YaleB.Load(dataDir),
            Throws.TypeOf<DataException>().With.Message.Contains("wide.pgm").And.Message.Contains("1 x 1"));
    }

    [Test]
    public void Presence_is_told_without_reading([Values("mnist", "fashion-mnist", "cifar10", "dsprites", "yale-b")] string name)
    {
        Assert.That(DatasetCatalogue.Find(name).IsPresent(TestFiles.Folder("none")), Is.False);
        Assert.That(DatasetCatalogue.Find("mnist").IsPresent(TestFiles.Datasets), Is.True);
    }

    private static byte[] CifarFile(int records)
    {
        byte[] file = new byte[records * CifarRecord];
        new Random(6).NextBytes(file);
        for (int i = 0; i < records; i++)
            file[i * CifarRecord] = (byte)(7 * i % 10);
        return file;
    }

    private static GreyImage ReadPgm(string header, byte[] pixels) =>
        Pgm.Read(new MemoryStream([.. Encoding.ASCII.GetBytes(header), .. pixels]), "picture");
}
