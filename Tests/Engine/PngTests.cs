using NUnit.Framework;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

public sealed class PngTests
{
    [Test]
    public void A_picture_of_more_pixels_than_asked_for_is_refused_before_memory_is_taken()
    {
        byte[] large = Png.Encode(new(3000, 2000, 1, new byte[6_000_000]));
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<DataException>(() => Png.Decode(large, "large.png", mostPixels: 5_999_999))!;
        Assert.That(error.Message, Does.Contain("3000 x 2000").And.Contain("at most 5999999"));
        HostileBytes.AssertOneSentence(error.Message);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
        Assert.That(Png.Decode(large, "large.png", mostPixels: 6_000_000).Width, Is.EqualTo(3000));
    }

    [Test]
    public void Pictures_come_back_byte_by_byte([Values(1, 3)] int channels, [Values(1, 2, 31)] int width)
    {
        // Noise, flat areas and ramps, so that different rows choose different filters.
        const int height = 24;
        var random = new Random(2);
        byte[] pixels = new byte[width * height * channels];
        for (int i = 0; i < pixels.Length; i++)
        {
            int y = i / (width * channels);
            pixels[i] = (y / 4) switch
            {
                0 => (byte)random.Next(256),
                1 => 200,
                2 => (byte)(3 * i),
                3 => (byte)(5 * y),
                _ => (byte)(i / channels * 2 + 7 * y)
            };
        }
        byte[] png = Png.Encode(new(width, height, channels, pixels));
        var read = Png.Decode(png, "picture");
        Assert.That((read.Width, read.Height, read.Channels), Is.EqualTo((width, height, channels)));
        Assert.That(read.Pixels, Is.EqualTo(pixels));
        Assert.That(Png.Encode(new(width, height, channels, pixels)), Is.EqualTo(png));
    }

    [Test]
    public void A_picture_that_another_program_made_is_read()
    {
        // 2 x 2, colour with opacity, rows with filters 0 and 1, a text chunk and two data chunks, written with Python's zlib and struct
        // modules.
        byte[] png = Convert.FromHexString(
            "89504E470D0A1A0A0000000D494844520000000200000002080600000072B60D240000000374455874610062DC49A23B000000074944415478010112"
            + "00EDFF5C2F4245000000164944415400010203040506070801090A0B0C04040404030B006039004EA70000000049454E44AE426082");
        var read = Png.Decode(png, "picture");
        Assert.That((read.Width, read.Height, read.Channels), Is.EqualTo((2, 2, 4)));
        Assert.That(read.Pixels, Is.EqualTo(Enumerable.Range(1, 16).Select(i => (byte)i)));
    }

    [Test]
    public void Damaged_pictures_give_one_sentence()
    {
        byte[] pixels = [.. Enumerable.Range(0, 20 * 20 * 3).Select(i => (byte)(i * i))];
        HostileBytes.Check(Png.Encode(new(20, 20, 3, pixels)), bytes => Png.Decode(bytes, "picture"), rounds: 4000);
    }

    [Test]
    public void A_picture_with_absurd_sizes_is_refused_before_memory_is_taken()
    {
        byte[] png = Png.Encode(new(2048, 2048, 1, new byte[2048 * 2048]));
        byte[] small = Png.Encode(new(1, 1, 1, [7]));
        byte[] liar = [.. png[..33], .. small[33..]];
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => Png.Decode(liar, "picture"), Throws.TypeOf<DataException>().With.Message.Contains("promises 2048 x 2048"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [Test]
    public void Wrong_pictures_cannot_be_written()
    {
        Assert.That(() => Png.Encode(new(2, 2, 1, new byte[3])), Throws.ArgumentException);
        Assert.That(() => Png.Encode(new(2, 2, 2, new byte[8])), Throws.ArgumentException);
    }

    [Test]
    public void A_grid_places_scales_and_clamps_its_images()
    {
        var grid = new ImageGrid(Height: 1, Width: 2, Channels: 1, Columns: 2) { Gap = 1, Scale = 2, Background = 9 };
        var picture = Png.Decode(grid.ToPng([0, 1, 0.5f, 2, -1, float.NaN]), "grid");
        Assert.That((picture.Width, picture.Height, picture.Channels), Is.EqualTo((11, 7, 1)));
        Assert.That(picture.Pixels, Is.EqualTo(new byte[]
        {
            9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
            9, 0, 0, 255, 255, 9, 128, 128, 255, 255, 9,
            9, 0, 0, 255, 255, 9, 128, 128, 255, 255, 9,
            9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
            9, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9,
            9, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9,
            9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
        }));
    }

    [Test]
    public void A_grid_of_colour_images_keeps_its_channels()
    {
        var picture = Png.Decode(new ImageGrid(1, 1, 3, Columns: 8) { Gap = 0 }.ToPng([1, 0, 0, 0, 1, 0]), "grid");
        Assert.That((picture.Width, picture.Height, picture.Channels), Is.EqualTo((2, 1, 3)));
        Assert.That(picture.Pixels, Is.EqualTo(new byte[] { 255, 0, 0, 0, 255, 0 }));
        Assert.That(() => new ImageGrid(2, 2, 1, 3).ToPng(new float[5]), Throws.ArgumentException.With.Message.Contains("whole number"));
    }
}
