using System.Text;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

public sealed class PictureTests
{
    private const long Most = 1 << 22;

    [TestCase(3, false)]
    [TestCase(3, true)]
    [TestCase(1, false)]
    public void A_jpeg_comes_back_nearly_as_it_was(int channels, bool progressive)
    {
        JpegEncoder.Require();
        byte[] pixels = JpegEncoder.Smooth(53, 41, channels, 1);
        using var reader = new PictureReader();
        var picture = reader.Decode(JpegEncoder.Encode(pixels, 53, 41, channels, progressive: progressive), "a.jpg", Most);
        Assert.That((picture.Width, picture.Height, picture.Channels), Is.EqualTo((53, 41, channels)));
        Assert.That(picture.Pixels.ToArray().Zip(pixels, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(12));
    }

    [Test]
    public void A_jpeg_that_promises_more_than_it_can_hold_is_refused_before_memory_is_taken()
    {
        JpegEncoder.Require();
        byte[] bomb = JpegEncoder.Encode(JpegEncoder.Smooth(64, 64, 3, 1), 64, 64, 3);
        int frame = bomb.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        // Height and width, 65 500 each.
        foreach (int at in (int[])[5, 7])
            (bomb[frame + at], bomb[frame + at + 1]) = (0xFF, 0xDC);
        using var jpeg = new TurboJpeg();
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<DataException>(() => jpeg.Decode(bomb, "bomb.jpg", mostPixels: 1L << 40))!;
        Assert.That(error.Message, Does.Contain("65500 x 65500"));
        HostileBytes.AssertOneSentence(error.Message);
        Assert.That(() => jpeg.Decode(JpegEncoder.Encode(new byte[300 * 300], 300, 300, 1), "big.jpg", mostPixels: 89_999),
            Throws.TypeOf<DataException>().With.Message.Contains("at most 89999"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Damaged_jpegs_never_throw_anything_else(bool progressive)
    {
        JpegEncoder.Require();
        byte[] valid = JpegEncoder.Encode(JpegEncoder.Smooth(48, 40, 3, 2), 48, 40, 3, progressive: progressive);
        using var reader = new PictureReader();
        HostileBytes.Check(valid, bytes => reader.Decode(bytes, "a.jpg", Most), rounds: 1000);
        Assert.That(() => reader.Decode(valid[..(valid.Length / 2)], "half.jpg", Most),
            Throws.TypeOf<DataException>().With.Message.Contains("libturbojpeg refuses"));
        Assert.That(() => reader.Decode(valid, "a.jpg", Most), Throws.Nothing, "the decoder is as good as new");
    }

    [Test]
    public void Png_and_pgm_are_told_apart_by_their_first_bytes()
    {
        using var reader = new PictureReader();
        var png = reader.Decode(Png.Encode(new(2, 1, 3, [1, 2, 3, 4, 5, 6])), "a.jpg", Most);
        Assert.That((png.Width, png.Height, png.Channels), Is.EqualTo((2, 1, 3)));
        Assert.That(png.Pixels.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3, 4, 5, 6 }));
        var pgm = reader.Decode([.. "P5 3 1 255\n"u8, 7, 8, 9], "a.png", Most);
        Assert.That(pgm.Pixels.ToArray(), Is.EqualTo(new byte[] { 7, 8, 9 }));
        Assert.That(() => reader.Decode("TIFF"u8.ToArray(), "a.tif", Most),
            Throws.TypeOf<DataException>().With.Message.Contains("54494646"));
        Assert.That(() => reader.Decode([], "empty.png", Most), Throws.TypeOf<DataException>());
        Assert.That(() => reader.Decode([.. "P5 30000 30000 255\n"u8, 1], "a.pgm", Most),
            Throws.TypeOf<DataException>().With.Message.Contains("900000019"));
    }

    [Test]
    public void Resizing_keeps_constants_means_and_the_picture_itself()
    {
        byte[] result = new byte[64 * 64 * 3];
        byte[] grey = new byte[200 * 150 * 3];
        grey.AsSpan().Fill(77);
        new CropResize(64, 64).Centre(new(200, 150, 3, grey), 3, result);
        Assert.That(result, Is.All.EqualTo(77));

        byte[] same = JpegEncoder.Smooth(64, 64, 3, 3);
        new CropResize(64, 64).Centre(new(64, 64, 3, same), 3, result);
        Assert.That(result, Is.EqualTo(same));

        // Halving a ramp keeps it a ramp: pixel i of the result is the middle of source pixels 2 i and 2 i + 1.
        byte[] ramp = [.. Enumerable.Range(0, 128 * 128).Select(i => (byte)(i % 128))];
        byte[] half = new byte[64 * 64];
        new CropResize(64, 64).Centre(new(128, 128, 1, ramp), 1, half);
        for (int x = 1; x < 63; x++)
            Assert.That(half[32 * 64 + x], Is.EqualTo(2 * x + 0.5).Within(0.51));
    }

    [Test]
    public void The_middle_is_cut_out_before_scaling()
    {
        // Red 10 outside the middle 148 x 148, 200 inside.
        byte[] pixels = [.. Enumerable.Range(0, 178 * 218 * 3)
            .Select(i => (byte)(i / 3 % 178 is >= 15 and < 163 && i / 3 / 178 is >= 35 and < 183 ? 200 : 10))];
        byte[] result = new byte[64 * 64 * 3];
        new CropResize(64, 64).Crop(new(178, 218, 3, pixels), 148, 148, 3, result);
        Assert.That(result, Is.All.EqualTo(200));
        byte[] luminance = new byte[64 * 64];
        new CropResize(64, 64).Centre(new(1, 1, 3, new byte[] { 100, 0, 0 }), 1, luminance);
        Assert.That(luminance, Is.All.EqualTo(30), "0.299 of red");
        Assert.That(() => new CropResize(8, 8).Crop(new(4, 4, 1, new byte[16]), 5, 4, 1, result),
            Throws.ArgumentException.With.Message.Contains("5 x 4 out of 4 x 4"));
    }

    [Test]
    public void A_folder_of_any_pictures_becomes_a_labelled_set()
    {
        string dataDir = TestFiles.Folder("pictures");
        foreach (string group in (string[])["cats", "dogs"])
            for (int i = 0; i < 6; i++)
            {
                string file = Path.Combine(dataDir, "folder", group, $"{i}");
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                if (i % 2 == 0)
                    File.WriteAllBytes(file + ".png", Png.Encode(new(40, 30, 3, JpegEncoder.Smooth(40, 30, 3, i))));
                else
                    File.WriteAllBytes(file + ".PGM", [.. Encoding.ASCII.GetBytes("P5 20 25 255\n"), .. JpegEncoder.Smooth(20, 25, 1, i)]);
            }
        File.WriteAllText(Path.Combine(dataDir, "folder", "notes.txt"), "not a picture");
        Assert.That(DatasetCatalogue.Find("folder").IsPresent(dataDir));
        var (train, test) = DatasetCatalogue.Load("folder", dataDir);
        Assert.That((train.Count, test.Count, train.Height, train.Width, train.Channels, train.Classes), Is.EqualTo((10, 1, 64, 64, 3, 2)));
        Assert.That(train.Labels!.Distinct(), Is.EquivalentTo(new byte[] { 0, 1 }));

        File.WriteAllBytes(Path.Combine(dataDir, "folder", "cats", "bad.png"), [0x89, 1, 2]);
        Assert.That(() => DatasetCatalogue.Load("folder", dataDir), Throws.TypeOf<DataException>().With.Message.Contains("bad.png"));
        Assert.That(() => ImageFolder.Load(TestFiles.Folder("none")), Throws.TypeOf<DataException>().With.Message.Contains("0 pictures"));
    }

    [Test]
    public void A_folder_of_grey_pictures_stays_grey()
    {
        string dataDir = TestFiles.Folder("grey");
        for (int i = 0; i < 10; i++)
            File.WriteAllBytes(Path.Combine(dataDir, $"{i}.png"), Png.Encode(new(64, 64, 1, JpegEncoder.Smooth(64, 64, 1, i))));
        var (train, _) = ImageFolder.Load(dataDir);
        Assert.That((train.Channels, train.Labels, train.Classes), Is.EqualTo((1, (byte[]?)null, 0)));
        Assert.That(Enumerable.Range(0, 10).Any(i => train.Image(0).SequenceEqual(JpegEncoder.Smooth(64, 64, 1, i))));
    }
}
