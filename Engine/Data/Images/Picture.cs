using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Engine.Data.Images;

/// <summary>A decoded picture.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
/// <param name="Channels">1 for grey, 3 for red, green, blue.</param>
/// <param name="Pixels">[Height, Width, Channels]; it may belong to the decoder.</param>
public readonly record struct Picture(int Width, int Height, int Channels, ReadOnlyMemory<byte> Pixels);

/// <summary>Reads PNG, binary PGM and JPEG files, told apart by their first bytes. One object serves one thread.</summary>
public sealed class PictureReader : IDisposable
{
    private const long LargestFile = 1 << 28;

    private TurboJpeg? jpeg;

    /// <summary>What a picture file's name ends in.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".png", ".pgm", ".jpg", ".jpeg"];

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
            return (jpeg ??= new()).Decode(bytes, file, mostPixels);
        if (bytes is [(byte)'P', (byte)'5', ..])
        {
            var grey = Pgm.Read(new MemoryStream(bytes), file);
            return new(grey.Width, grey.Height, 1, grey.Pixels);
        }
        if (bytes is not [0x89, ..])
            throw DataException.In(file, $"a file that starts with {Convert.ToHexString(bytes.AsSpan(0, Math.Min(4, bytes.Length)))}", "a PNG, a binary PGM (P5) or a JPEG", "convert the picture");
        var png = Png.Decode(bytes, file);
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
