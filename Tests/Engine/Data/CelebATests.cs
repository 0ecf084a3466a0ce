using NUnit.Framework;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

public sealed class CelebATests
{
    private const int Pictures = 30;

    [TestCase("txt")]
    [TestCase("csv")]
    public void Pictures_and_attributes_stay_together(string format)
    {
        JpegEncoder.Require();
        string dataDir = Make(format), cacheDir = TestFiles.Folder("cache");
        var told = new List<(int, int)>();
        using var cache = CelebA.Open(dataDir, cacheDir, (done, all) => told.Add((done, all)));
        Assert.That((cache.Train.Count, cache.Validation.Count, cache.Test.Count), Is.EqualTo((24, 3, 3)));
        Assert.That(told, Is.EqualTo(new[] { (Pictures, Pictures) }));
        Assert.That(cache.Header.Notes, Is.Empty);
        var seen = new HashSet<int>();
        foreach (var split in (CachedImages[])[cache.Train, cache.Validation, cache.Test])
        {
            var set = split.ToDataset();
            Assert.That((set.Height, set.Width, set.Channels), Is.EqualTo((64, 64, 3)));
            Assert.That(set.Factors!.Names, Is.EqualTo(new[] { "Smiling", "Young", "Bald" }));
            int last = 0;
            for (int i = 0; i < set.Count; i++)
            {
                // Picture n is grey level 8 n, and its attributes are the low bits of n.
                int n = (int)Math.Round(set.Image(i)[64 * 32 * 3 + 90] / 8.0);
                Assert.That(set.Factors.Classes[(3 * i)..(3 * i + 3)], Is.EqualTo(new[] { n & 1, (n >> 1) & 1, (n >> 2) & 1 }));
                Assert.That(n, Is.GreaterThan(last), "order of names within a split");
                Assert.That(seen.Add(last = n));
            }
        }
        Assert.That(seen, Has.Count.EqualTo(Pictures));
    }

    [Test]
    public void The_cache_is_used_until_the_pictures_change()
    {
        JpegEncoder.Require();
        string dataDir = Make("txt"), cacheDir = TestFiles.Folder("cache");
        CelebA.Open(dataDir, cacheDir).Dispose();
        string file = Directory.GetFiles(cacheDir).Single();
        CelebA.Open(dataDir, cacheDir, (_, _) => Assert.Fail("decoded again")).Dispose();

        byte[] damaged = File.ReadAllBytes(file)[..^1];
        File.WriteAllBytes(file, damaged);
        CelebA.Open(dataDir, cacheDir).Dispose();
        Assert.That(new FileInfo(file).Length, Is.EqualTo(damaged.Length + 1), "a damaged cache is made again");

        File.Delete(Path.Combine(dataDir, "celeba", "img_align_celeba", "000003.jpg"));
        using var fewer = CelebA.Open(dataDir, cacheDir);
        Assert.That(fewer.Header.Count, Is.EqualTo(Pictures - 1));
    }

    [Test]
    public void A_damaged_picture_and_missing_files_are_named_and_leave_no_cache()
    {
        JpegEncoder.Require();
        string dataDir = Make("none"), cacheDir = TestFiles.Folder("cache");
        using (var cache = CelebA.Open(dataDir, cacheDir))
            Assert.That(cache.Header.Notes.Single(), Does.Contain("no attributes"));
        string picture = Path.Combine(dataDir, "celeba", "img_align_celeba", "000007.jpg");
        File.WriteAllBytes(picture, File.ReadAllBytes(picture)[..400]);
        string empty = TestFiles.Folder("cache");
        var error = Assert.Throws<DataException>(() => CelebA.Open(dataDir, empty))!;
        Assert.That(error.Message, Does.Contain("000007.jpg"));
        HostileBytes.AssertOneSentence(error.Message);
        Assert.That(Directory.GetFiles(empty), Is.Empty);
        Assert.That(() => CelebA.Open(TestFiles.Folder("none"), empty),
            Throws.TypeOf<DataException>().With.Message.Contains("img_align_celeba"));
        File.WriteAllBytes(picture, JpegEncoder.Encode(new byte[100 * 100], 100, 100, 1));
        Assert.That(() => CelebA.Open(dataDir, empty), Throws.TypeOf<DataException>().With.Message.Contains("100 x 100"));
    }

    [TestCase("2\nA B\n1.jpg 1 -1\n2.jpg 1\n", "line 4 with 1 values")]
    [TestCase("2\nA B\n1.jpg 1 -1\n1.jpg 1 1\n", "line 4 with 2 values for '1.jpg'")]
    [TestCase("2\nA B\n1.jpg 1 2\n", "'2' for B in line 3")]
    [TestCase("A B\n1.jpg 1 -1\n", "the number of pictures")]
    [TestCase("", "the number of pictures")]
    [TestCase("image_id,A\n1.jpg;1\n", "line 2 with 0 values")]
    public void Damaged_attribute_lists_are_refused(string text, string complaint) =>
        Assert.That(() => Read(text), Throws.TypeOf<DataException>().With.Message.Contains(complaint));

    [Test]
    public void A_list_may_name_absent_pictures_but_not_leave_one_out()
    {
        var table = Read("2\nA  B\n1.jpg  1 -1\n2.jpg -1  1\n");
        Assert.That(table.Of("2.jpg").ToArray(), Is.EqualTo(new byte[] { 0, 1 }));
        Assert.That(() => table.Of("3.jpg").ToArray(), Throws.TypeOf<DataException>().With.Message.Contains("no line for 3.jpg"));
        HostileBytes.Check("2\nA B\n1.jpg 1 -1\n2.jpg -1 1\n"u8.ToArray(),
            bytes => CelebAttributes.Read(new MemoryStream(bytes), "list.txt"));
    }

    private static CelebAttributes Read(string text) =>
        CelebAttributes.Read(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text)), "list.txt");

    private static string Make(string format)
    {
        string dataDir = TestFiles.Folder("celeba");
        string folder = Path.Combine(dataDir, "celeba", "img_align_celeba");
        Directory.CreateDirectory(folder);
        string[] names = ["Smiling", "Young", "Bald"];
        var lines = new List<string>();
        for (int n = 1; n <= Pictures; n++)
        {
            byte[] pixels = new byte[178 * 218 * 3];
            pixels.AsSpan().Fill((byte)(8 * n));
            File.WriteAllBytes(Path.Combine(folder, $"{n:000000}.jpg"), JpegEncoder.Encode(pixels, 178, 218, 3));
        }
        for (int n = 1; n <= Pictures + 5; n++)
            lines.Add(string.Join(format == "csv" ? "," : "  ",
                [$"{n:000000}.jpg", .. names.Select((_, bit) => ((n >> bit) & 1) == 1 ? "1" : "-1")]));
        if (format == "csv")
            File.WriteAllLines(Path.Combine(dataDir, "celeba", "list_attr_celeba.csv"), ["image_id," + string.Join(',', names), .. lines]);
        if (format == "txt")
            File.WriteAllLines(Path.Combine(dataDir, "celeba", "list_attr_celeba.txt"),
                [$"{lines.Count}", string.Join(' ', names) + " ", .. lines]);
        return dataDir;
    }
}
