using NUnit.Framework;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

/// <summary>The kinds of pictures that people have: pixels as the formats define them, and a sentence for what is not read.</summary>
public sealed class PictureKindTests
{
    private const long Most = 1 << 22;
    private const int Width = 13, Height = 11;

    /// <summary>Colour type, depth and interlacing of every kind that the format has.</summary>
    public static IEnumerable<TestCaseData> Kinds() =>
        from kind in ((int Type, int[] Depths)[])[(0, [1, 2, 4, 8, 16]), (2, [8, 16]), (3, [1, 2, 4, 8]), (4, [8, 16]), (6, [8, 16])]
        from depth in kind.Depths
        from interlaced in (bool[])[false, true]
        select new TestCaseData(kind.Type, depth, interlaced);

    [TestCaseSource(nameof(Kinds))]
    public void Every_kind_of_png_has_the_pixels_of_the_format(int type, int depth, bool interlaced)
    {
        int top = (1 << depth) - 1;
        byte[] palette = [.. Enumerable.Range(0, 3 << Math.Min(depth, 8)).Select(i => (byte)(i * 37))];
        int Sample(int x, int y, int c) => (7919 * x + 104729 * y + 1299709 * c + (x * y << 9)) & top;
        byte[] png = PictureFiles.Png(Width, Height, depth, type, interlaced, Sample, type == 3 ? palette : null);

        using var reader = new PictureReader();
        var picture = reader.Decode(png, "a.png", Most);
        int channels = type is 0 or 4 ? 1 : 3;
        Assert.That((picture.Width, picture.Height, picture.Channels), Is.EqualTo((Width, Height, channels)));
        byte[] expected = [.. from y in Enumerable.Range(0, Height) from x in Enumerable.Range(0, Width) from c in Enumerable.Range(0,
            channels)
            select type == 3 ? palette[3 * Sample(x, y, 0) + c] : (byte)(depth == 16 ? Sample(x, y, c) >> 8 : Sample(x, y, c) * 255 / top)];
        Assert.That(picture.Pixels.ToArray(), Is.EqualTo(expected));
    }

    [Test]
    public void A_bmp_has_its_pixels()
    {
        byte[] pixels = JpegEncoder.Smooth(Width, Height, 3, 1);
        using var reader = new PictureReader();
        var picture = reader.Decode(PictureFiles.Bmp(Width, Height, pixels), "a.bmp", Most);
        Assert.That((picture.Width, picture.Height, picture.Channels), Is.EqualTo((Width, Height, 3)));
        Assert.That(picture.Pixels.ToArray(), Is.EqualTo(pixels));
    }

    [Test]
    public void A_gif_has_the_pixels_of_its_first_picture()
    {
        byte[] levels = [.. JpegEncoder.Smooth(Width, Height, 1, 1).Select(p => (byte)(p / 2))];
        using var reader = new PictureReader();
        var picture = reader.Decode(PictureFiles.Gif(Width, Height, levels), "a.gif", Most);
        Assert.That((picture.Width, picture.Height, picture.Channels), Is.EqualTo((Width, Height, 3)));
        Assert.That(picture.Pixels.ToArray(), Is.EqualTo(levels.SelectMany(l => new byte[] { (byte)(2 * l), (byte)(2 * l), l })));
    }

    [TestCase(3, false)]
    [TestCase(3, true)]
    [TestCase(1, false)]
    public void A_jpeg_is_read_without_libturbojpeg(int channels, bool progressive)
    {
        JpegEncoder.Require();
        byte[] pixels = JpegEncoder.Smooth(53, 41, channels, 1),
            jpeg = JpegEncoder.Encode(pixels, 53, 41, channels, progressive: progressive);
        using var reader = new PictureReader(turboJpeg: false);
        var picture = reader.Decode(jpeg, "a.jpg", Most);
        Assert.That((picture.Width, picture.Height, picture.Channels), Is.EqualTo((53, 41, channels)));
        Assert.That(picture.Pixels.ToArray().Zip(pixels, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(12));
    }

    [Test]
    public void A_jpeg_of_cyan_magenta_yellow_and_black_becomes_red_green_and_blue([Values] bool turboJpeg)
    {
        JpegEncoder.Require();
        byte[] inks = [.. Enumerable.Range(0, 16 * 16).SelectMany(_ => new byte[] { 200, 100, 50, 204 })];
        using var reader = new PictureReader(turboJpeg);
        var picture = reader.Decode(JpegEncoder.EncodeCmyk(inks, 16, 16), "a.jpg", Most);
        Assert.That(picture.Channels, Is.EqualTo(3));
        foreach (var (channel, ink) in ((int, int)[])[(0, 200), (1, 100), (2, 50)])
            Assert.That(picture.Pixels.Span[channel], Is.EqualTo(ink * 204 / 255).Within(4),
                $"channel {channel}: what the ink and black leave of white, as such files hold it");
    }

    [TestCase("png")]
    [TestCase("bmp")]
    [TestCase("gif")]
    [TestCase("jpeg")]
    public void A_picture_that_is_cut_short_is_refused(string kind)
    {
        if (kind == "jpeg")
            JpegEncoder.Require();
        byte[] whole = Example(kind);
        using var reader = new PictureReader(turboJpeg: false);
        Assert.That(() => reader.Decode(whole, "a", Most), Throws.Nothing);
        for (int length = 1; length < whole.Length; length += 1 + whole.Length / 50)
            Assert.That(() => reader.Decode(whole[..length], "cut", Most), Throws.TypeOf<DataException>().With.Message.StartsWith("cut: "),
                $"{length} of {whole.Length} bytes");
    }

    [TestCase("png")]
    [TestCase("bmp")]
    [TestCase("gif")]
    [TestCase("jpeg")]
    public void A_picture_that_promises_too_much_is_refused(string kind)
    {
        if (kind == "jpeg")
            JpegEncoder.Require();
        using var reader = new PictureReader(turboJpeg: false);
        var error = Assert.Throws<DataException>(() => reader.Decode(Example(kind), "big", mostPixels: Width * Height - 1))!;
        Assert.That(error.Message, Does.Contain($"{Width} x {Height}").And.Contain($"at most {Width * Height - 1} pixels"));
        HostileBytes.AssertOneSentence(error.Message);
    }

    [Test]
    public void A_png_whose_pixels_are_more_than_its_header_says_is_refused()
    {
        byte[] more = PictureFiles.Png(Width, Height + 4000, 16, 0, false, (_, _, _) => 0),
            less = PictureFiles.Png(Width, Height, 16, 0, false, (_, _, _) => 0);
        // The header of the small picture, with its checksum, before the pixels of the large one.
        byte[] png = [.. less[..33], .. more[33..]];
        using var reader = new PictureReader();
        Assert.That(() => reader.Decode(png, "a.png", Most),
            Throws.TypeOf<DataException>().With.Message.Contains("more than 297 bytes of pixels"));
    }

    [Test]
    public void WebP_has_a_sentence()
    {
        using var reader = new PictureReader();
        byte[] webp = [.. "RIFF"u8, 4, 0, 0, 0, .. "WEBPVP8 "u8];
        Assert.That(() => reader.Decode(webp, "a.webp", Most),
            Throws.TypeOf<DataException>().With.Message.Contains("WebP").And.Message.Contains("dwebp"));
    }

    /// <summary>
    /// A picture of <see cref="Width"/> by <see cref="Height"/> of a kind that the own reader and libturbojpeg do not decode here.
    /// </summary>
    internal static byte[] Example(string kind) => kind switch
    {
        "png" => PictureFiles.Png(Width, Height, 16, 6, true, (x, y, c) => 5000 * c + 300 * x + 70 * y),
        "png palette" => PictureFiles.Png(Width, Height, 4, 3, false, (x, y, _) => (x * y) & 15,
            [.. Enumerable.Range(0, 48).Select(i => (byte)(5 * i))]),
        "bmp" => PictureFiles.Bmp(Width, Height, JpegEncoder.Smooth(Width, Height, 3, 1)),
        "gif" => PictureFiles.Gif(Width, Height, [.. JpegEncoder.Smooth(Width, Height, 1, 1).Select(p => (byte)(p / 2))]),
        "jpeg progressive" => JpegEncoder.Encode(JpegEncoder.Smooth(Width, Height, 3, 1), Width, Height, 3, progressive: true),
        "jpeg cmyk" => JpegEncoder.EncodeCmyk([.. JpegEncoder.Smooth(Width, Height, 3, 1), .. JpegEncoder.Smooth(Width, Height, 1, 1)],
            Width, Height),
        _ => JpegEncoder.Encode(JpegEncoder.Smooth(Width, Height, 3, 1), Width, Height, 3),
    };
}
