using System.Buffers.Binary;
using System.IO.Compression;

namespace VaeFromScratch.Engine.IO;

/// <summary>An 8-bit picture.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
/// <param name="Channels">1 for grey, 3 for red, green, blue, 4 with opacity.</param>
/// <param name="Pixels">[Height, Width, Channels].</param>
public sealed record PngImage(int Width, int Height, int Channels, byte[] Pixels);

/// <summary>PNG: writes 8-bit grey and colour; reads 8-bit grey, colour and colour with opacity, not interlaced.</summary>
public static class Png
{
    private const int LargestImage = 1 << 28;
    private const byte Grey = 0;
    private const byte Colour = 2;
    private const byte ColourWithOpacity = 6;

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <exception cref="ArgumentException">The sizes do not fit the pixels, or there are neither 1 nor 3 channels.</exception>
    public static byte[] Encode(PngImage image)
    {
        if (image.Channels is not (1 or 3) || image.Width < 1 || image.Height < 1 || image.Pixels.LongLength != (long)image.Width * image.Height * image.Channels)
            throw new ArgumentException($"png: {image.Pixels.LongLength} bytes for {image.Height} x {image.Width} x {image.Channels}; give [Height, Width, Channels] bytes with 1 or 3 channels");
        using var output = new MemoryStream();
        output.Write(Signature);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, image.Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), image.Height);
        header[8] = 8;
        header[9] = image.Channels == 1 ? Grey : Colour;
        WriteChunk(output, "IHDR"u8, header);
        WriteChunk(output, "IDAT"u8, Compress(image));
        WriteChunk(output, "IEND"u8, []);
        return output.ToArray();
    }

    /// <exception cref="DataException">The bytes are not a PNG of a kind that is read, or are damaged.</exception>
    public static PngImage Decode(ReadOnlyMemory<byte> png, string file) => DataFile.Guard(file, () =>
    {
        var rest = png.Span;
        if (!rest.StartsWith(Signature))
            throw DataException.In(file, $"a file that starts with {Convert.ToHexString(rest[..Math.Min(8, rest.Length)])}", "a PNG");
        rest = rest[Signature.Length..];
        PngImage? image = null;
        using var compressed = new MemoryStream();
        while (true)
        {
            var type = ReadChunk(ref rest, file, out var contents);
            if (type.SequenceEqual("IHDR"u8))
                image = image is null ? ReadHeader(contents, file) : throw DataException.In(file, "two headers", "one");
            else if (image is null)
                throw DataException.In(file, "no header", "IHDR as the first chunk");
            else if (type.SequenceEqual("IDAT"u8))
                compressed.Write(contents);
            else if (type.SequenceEqual("IEND"u8))
                break;
        }
        if (!rest.IsEmpty)
            throw DataException.In(file, $"{rest.Length} bytes after the last chunk", "none");
        if (!DataFile.CanInflateTo(compressed.Length, (image.Width * (long)image.Channels + 1) * image.Height))
            throw DataException.In(file, $"a header that promises {image.Width} x {image.Height} pixels in {compressed.Length} bytes", "no more than deflate can hold");
        compressed.Position = 0;
        return image with { Pixels = Decompress(compressed, image, file) };
    });

    private static byte[] Compress(PngImage image)
    {
        int stride = image.Width * image.Channels;
        byte[] none = new byte[stride];
        byte[][] filtered = [new byte[stride], new byte[stride], new byte[stride], new byte[stride], new byte[stride]];
        using var output = new MemoryStream();
        using (var zlib = new ZLibStream(output, CompressionLevel.Optimal))
            for (int y = 0; y < image.Height; y++)
            {
                var row = image.Pixels.AsSpan(y * stride, stride);
                var above = y == 0 ? none : image.Pixels.AsSpan((y - 1) * stride, stride);
                int best = 0;
                long bestCost = long.MaxValue;
                for (int filter = 0; filter < filtered.Length; filter++)
                {
                    long cost = Filter(filter, row, above, image.Channels, filtered[filter]);
                    if (cost < bestCost)
                        (best, bestCost) = (filter, cost);
                }
                zlib.WriteByte((byte)best);
                zlib.Write(filtered[best]);
            }
        return output.ToArray();
    }

    /// <summary>Applies a filter and returns the sum of the results as signed bytes, the format's own advice for choosing one.</summary>
    private static long Filter(int filter, ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, int channels, Span<byte> result)
    {
        long cost = 0;
        for (int x = 0; x < row.Length; x++)
        {
            int left = x < channels ? 0 : row[x - channels];
            int aboveLeft = x < channels ? 0 : above[x - channels];
            result[x] = (byte)(row[x] - Predict(filter, left, above[x], aboveLeft));
            cost += Math.Abs((int)(sbyte)result[x]);
        }
        return cost;
    }

    private static int Predict(int filter, int left, int above, int aboveLeft)
    {
        switch (filter)
        {
            case 0: return 0;
            case 1: return left;
            case 2: return above;
            case 3: return (left + above) / 2;
            default:
                int fromLeft = Math.Abs(above - aboveLeft);
                int fromAbove = Math.Abs(left - aboveLeft);
                int fromBoth = Math.Abs(left + above - 2 * aboveLeft);
                return fromLeft <= fromAbove && fromLeft <= fromBoth ? left : fromAbove <= fromBoth ? above : aboveLeft;
        }
    }

    private static byte[] Decompress(Stream compressed, PngImage image, string file)
    {
        int stride = image.Width * image.Channels;
        byte[] pixels = GC.AllocateUninitializedArray<byte>(stride * image.Height);
        byte[] none = new byte[stride];
        using var zlib = new ZLibStream(compressed, CompressionMode.Decompress);
        for (int y = 0; y < image.Height; y++)
        {
            int filter = zlib.ReadByte();
            if (filter is < 0 or > 4)
                throw DataException.In(file, filter < 0 ? $"only {y} rows" : $"filter {filter} in row {y}", filter < 0 ? $"{image.Height}" : "0 to 4");
            var row = pixels.AsSpan(y * stride, stride);
            zlib.ReadExactly(row);
            var above = y == 0 ? none : pixels.AsSpan((y - 1) * stride, stride);
            for (int x = 0; x < stride; x++)
                row[x] += (byte)Predict(filter, x < image.Channels ? 0 : row[x - image.Channels], above[x], x < image.Channels ? 0 : above[x - image.Channels]);
        }
        if (zlib.ReadByte() >= 0)
            throw DataException.In(file, $"more than {image.Height} rows", $"{image.Height} by the header");
        return pixels;
    }

    private static PngImage ReadHeader(ReadOnlySpan<byte> header, string file)
    {
        if (header.Length != 13)
            throw DataException.In(file, $"a header of {header.Length} bytes", "13");
        uint width = BinaryPrimitives.ReadUInt32BigEndian(header);
        uint height = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        int channels = header[9] switch { Grey => 1, Colour => 3, ColourWithOpacity => 4, _ => 0 };
        if (header[8] != 8 || channels == 0 || header[10] != 0 || header[11] != 0 || header[12] != 0)
            throw DataException.In(file, $"depth {header[8]}, colour type {header[9]}, interlacing {header[12]}", "8-bit grey or colour without palette or interlacing", "convert the picture");
        if (width == 0 || height == 0 || width > LargestImage || height > LargestImage || (ulong)width * height * (uint)channels > LargestImage)
            throw DataException.In(file, $"{width} x {height} pixels", $"1 or more, and at most {LargestImage} bytes in all");
        return new((int)width, (int)height, channels, []);
    }

    private static void WriteChunk(MemoryStream output, ReadOnlySpan<byte> type, ReadOnlySpan<byte> contents)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(word, contents.Length);
        output.Write(word);
        output.Write(type);
        output.Write(contents);
        BinaryPrimitives.WriteUInt32BigEndian(word, Crc32.Append(Crc32.Append(0, type), contents));
        output.Write(word);
    }

    private static ReadOnlySpan<byte> ReadChunk(ref ReadOnlySpan<byte> rest, string file, out ReadOnlySpan<byte> contents)
    {
        const int Frame = 12;
        uint length = rest.Length < Frame ? 0 : BinaryPrimitives.ReadUInt32BigEndian(rest);
        if (rest.Length < Frame || length > rest.Length - Frame)
            throw DataException.In(file, "a chunk that ends early", "a complete picture");
        var type = rest.Slice(4, 4);
        contents = rest.Slice(8, (int)length);
        uint expected = BinaryPrimitives.ReadUInt32BigEndian(rest[(8 + (int)length)..]);
        uint found = Crc32.Append(0, rest.Slice(4, 4 + (int)length));
        if (found != expected)
            throw DataException.In(file, $"a chunk with checksum {found:x8}", $"{expected:x8}");
        rest = rest[(Frame + (int)length)..];
        return type;
    }
}
