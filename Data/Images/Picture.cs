using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Images;

/// <summary>A decoded picture.</summary>
/// <param name="Width">Columns of the picture.</param>
/// <param name="Height">Rows of the picture.</param>
/// <param name="Channels">1 for grey, 3 for red, green, blue.</param>
/// <param name="Pixels">[Height, Width, Channels]; it may belong to the decoder.</param>
internal readonly record struct Picture(int Width, int Height, int Channels, ReadOnlyMemory<byte> Pixels);

/// <summary>
/// Reads PNG, JPEG, BMP, GIF (the first picture) and binary PGM files, told apart by their first bytes. One object serves one thread.
/// </summary>
/// <param name="turboJpeg">Whether libturbojpeg decodes JPEG pictures; by default, where it is installed.</param>
internal sealed class PictureReader(bool? turboJpeg = null) : IDisposable
{
    private const long LargestFile = 1 << 28;

    private readonly bool turbo = turboJpeg ?? TurboJpeg.IsInstalled;
    private TurboJpeg? jpeg;

    /// <summary>What a picture file's name ends in.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm"];

    /// <summary>What the names of pictures end in that are known and refused, with advice.</summary>
    internal const string Refused = ".webp";

    /// <param name="path">The file.</param>
    /// <param name="mostPixels">A picture that promises more is refused.</param>
    /// <exception cref="DataException">It is missing, damaged, too large, or of another kind.</exception>
    public Picture Read(string path, long mostPixels) => DataFile.Read(path, stream =>
    {
        if (stream.Length > LargestFile)
            throw DataException.In(path, $"{stream.Length} bytes", $"a picture of at most {LargestFile}", "leave this picture out");
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)stream.Length);
        stream.ReadExactly(bytes);
        return Decode(bytes, path, mostPixels);
    });

    /// <param name="bytes">The file's contents.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="mostPixels">A picture that promises more is refused.</param>
    public Picture Decode(byte[] bytes, string file, long mostPixels)
    {
        if (bytes is [0xFF, 0xD8, ..])
            return turbo && !(jpeg ??= new()).IsCmyk(bytes, file) ? jpeg.Decode(bytes, file, mostPixels)
                : StbPicture.Decode(bytes, file, mostPixels);
        if (StbPicture.IsBmpOrGif(bytes))
            return StbPicture.Decode(bytes, file, mostPixels);
        if (bytes.AsSpan() is [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..])
            throw DataException.In(file, "a WebP picture, which is not read", "a PNG, JPEG, BMP, GIF or binary PGM",
                "convert it, for example by `dwebp picture.webp -o picture.png`");
        if (bytes is [(byte)'P', (byte)'5', ..])
        {
            var grey = Pgm.Read(new MemoryStream(bytes), file);
            return new(grey.Width, grey.Height, 1, grey.Pixels);
        }
        if (bytes is not [0x89, ..])
            throw DataException.In(file, $"a file that starts with {Convert.ToHexString(bytes.AsSpan(0, Math.Min(4, bytes.Length)))}",
                "a PNG, JPEG, BMP, GIF or binary PGM (P5)", "convert the picture");
        if (!Png.IsOwn(bytes))
            return StbPicture.Decode(bytes, file, mostPixels, Png.Check(bytes, file, mostPixels).IsGrey ? 1 : 3);
        var png = Png.Decode(bytes, file, mostPixels);
        return new(png.Width, png.Height, Math.Min(png.Channels, 3), png.Channels == 4 ? WithoutOpacity(png.Pixels) : png.Pixels);
    }

    public void Dispose() => jpeg?.Dispose();

    private static byte[] WithoutOpacity(byte[] pixels)
    {
        byte[] colours = new byte[pixels.Length / 4 * 3];
        for (int i = 0; i < pixels.Length / 4; i++)
            pixels.AsSpan(4 * i, 3).CopyTo(colours.AsSpan(3 * i));
        return colours;
    }
}
