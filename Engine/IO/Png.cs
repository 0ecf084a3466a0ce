using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace VaeFromScratch.Engine.IO;

/// <summary>An 8-bit picture.</summary>
/// <param name="Width">Columns of the image.</param>
/// <param name="Height">Rows of the image.</param>
/// <param name="Channels">1 for grey, 3 for red, green, blue, 4 with opacity.</param>
/// <param name="Pixels">[Height, Width, Channels].</param>
public sealed record PngImage(int Width, int Height, int Channels, byte[] Pixels);

/// <summary>What a PNG's header says.</summary>
/// <param name="Depth">Bits of a sample, 1 to 16.</param>
/// <param name="ColourType">0 grey, 2 colour, 3 palette, 4 grey with opacity, 6 colour with opacity.</param>
/// <param name="Interlaced">Whether the rows come in seven passes.</param>
internal sealed record PngKind(int Width, int Height, int Depth, int ColourType, bool Interlaced)
{
    // Of each pass: the first column and row, and the steps between them.
    private static readonly (int X, int Y, int Across, int Down)[] Passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
        (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    /// <summary>Samples a pixel: 1 of grey or of a palette, 2 or 4 with opacity, 3 of colour.</summary>
    public int Channels => ColourType switch { Png.Colour => 3, Png.GreyWithOpacity => 2, Png.ColourWithOpacity => 4, _ => 1 };

    public bool IsGrey => ColourType is Png.Grey or Png.GreyWithOpacity;

    /// <summary>Whether <see cref="Png.Decode"/> decodes it: 8-bit grey, colour, or colour with opacity, not interlaced.</summary>
    public bool IsOwn => Depth == 8 && ColourType is Png.Grey or Png.Colour or Png.ColourWithOpacity && !Interlaced;

    /// <summary>Bytes of all rows, each with its filter, before they are compressed.</summary>
    internal long Length => Interlaced
        ? Passes.Sum(p => Rows((Width - p.X + p.Across - 1) / p.Across, (Height - p.Y + p.Down - 1) / p.Down)) : Rows(Width, Height);

    private long Rows(int width, int height) => width < 1 || height < 1 ? 0 : (((long)width * Channels * Depth + 7) / 8 + 1) * height;
}

/// <summary>PNG: writes 8-bit grey and colour; reads 8-bit grey, colour and colour with opacity, not interlaced.</summary>
public static class Png
{
    private const int LargestImage = 1 << 28;
    /// <summary>Where the contents of the first chunk begin, which is the header.</summary>
    private const int FirstChunk = 16;
    internal const byte Grey = 0, Colour = 2, Palette = 3, GreyWithOpacity = 4, ColourWithOpacity = 6;

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <exception cref="ArgumentException">The sizes do not fit the pixels, or there are neither 1 nor 3 channels.</exception>
    public static byte[] Encode(PngImage image)
    {
        if (image.Channels is not (1 or 3) || image.Width < 1 || image.Height < 1
            || image.Pixels.LongLength != (long)image.Width * image.Height * image.Channels)
            throw new ArgumentException(
                $"png: {image.Pixels.LongLength} bytes for {image.Height} x {image.Width} x {image.Channels}; give [Height, Width, "
                + $"Channels] bytes with 1 or 3 channels");
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

    /// <param name="png">The file's contents.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="mostPixels">A picture that promises more is refused before memory is taken for it.</param>
    /// <exception cref="DataException">The bytes are not a PNG of a kind that is decoded here (<see cref="PngKind.IsOwn"/>), or are
    /// damaged.</exception>
    public static PngImage Decode(ReadOnlyMemory<byte> png, string file, long mostPixels = LargestImage) => DataFile.Guard(file, () =>
    {
        var (kind, compressed) = ReadChunks(png.Span, file, mostPixels);
        if (!kind.IsOwn)
            throw DataException.In(file, $"depth {kind.Depth}, colour type {kind.ColourType}, interlacing {(kind.Interlaced ? 1 : 0)}",
                "8-bit grey or colour without palette or interlacing", "convert the picture");
        var image = new PngImage(kind.Width, kind.Height, kind.Channels, []);
        return image with { Pixels = Decompress(compressed, image, file) };
    });

    /// <summary>
    /// Whether the bytes seem to be a PNG of a kind that <see cref="Decode"/> decodes, by a glance at where the header is.
    /// </summary>
    public static bool IsOwn(ReadOnlySpan<byte> png) =>
        png.Length < FirstChunk + 13 || new PngKind(1, 1, png[FirstChunk + 8], png[FirstChunk + 9], png[FirstChunk + 12] != 0).IsOwn;

    /// <summary>
    /// What kind of PNG the bytes are, after a look at everything that can be wrong with its frame: signature, checksums, sizes, and the
    /// length of its pixels.
    /// </summary>
    /// <exception cref="DataException">The bytes are no PNG, or are damaged.</exception>
    internal static PngKind Check(ReadOnlyMemory<byte> png, string file, long mostPixels = LargestImage) => DataFile.Guard(file, () =>
    {
        var (kind, compressed) = ReadChunks(png.Span, file, mostPixels);
        if (kind.IsOwn)
            return kind;
        using var zlib = new ZLibStream(compressed, CompressionMode.Decompress);
        byte[] buffer = new byte[1 << 14];
        long length = 0;
        for (int read; length <= kind.Length && (read = zlib.Read(buffer)) > 0;)
            length += read;
        return length == kind.Length ? kind
            : throw DataException.In(file, length < kind.Length ? $"only {length} bytes of pixels"
                : $"more than {kind.Length} bytes of pixels", $"{kind.Length} by its header");
    });

    private static (PngKind Kind, MemoryStream Compressed) ReadChunks(ReadOnlySpan<byte> rest, string file, long mostPixels)
    {
        if (!rest.StartsWith(Signature))
            throw DataException.In(file, $"a file that starts with {Convert.ToHexString(rest[..Math.Min(8, rest.Length)])}", "a PNG");
        rest = rest[Signature.Length..];
        PngKind? kind = null;
        var compressed = new MemoryStream();
        while (true)
        {
            var type = ReadChunk(ref rest, file, out var contents);
            if (type.SequenceEqual("IHDR"u8))
                kind = kind is null ? ReadHeader(contents, file, mostPixels) : throw DataException.In(file, "two headers", "one");
            else if (kind is null)
                throw DataException.In(file, "no header", "IHDR as the first chunk");
            else if (type.SequenceEqual("IDAT"u8))
                compressed.Write(contents);
            else if (type.SequenceEqual("IEND"u8))
                break;
        }
        if (!rest.IsEmpty)
            throw DataException.In(file, $"{rest.Length} bytes after the last chunk", "none");
        if (!DataFile.CanInflateTo(compressed.Length, kind.Length))
            throw DataException.In(file, $"a header that promises {kind.Width} x {kind.Height} pixels in {compressed.Length} bytes",
                "no more than deflate can hold");
        compressed.Position = 0;
        return (kind, compressed);
    }

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
                throw DataException.In(file, filter < 0 ? $"only {y} rows" : $"filter {filter} in row {y}", filter < 0 ? $"{image.Height}"
                    : "0 to 4");
            var row = pixels.AsSpan(y * stride, stride);
            zlib.ReadExactly(row);
            var above = y == 0 ? none : pixels.AsSpan((y - 1) * stride, stride);
            for (int x = 0; x < stride; x++)
                row[x] += (byte)Predict(filter, x < image.Channels ? 0 : row[x - image.Channels], above[x], x < image.Channels ? 0
                    : above[x - image.Channels]);
        }
        if (zlib.ReadByte() >= 0)
            throw DataException.In(file, $"more than {image.Height} rows", $"{image.Height} by the header");
        return pixels;
    }

    private static PngKind ReadHeader(ReadOnlySpan<byte> header, string file, long mostPixels)
    {
        if (header.Length != 13)
            throw DataException.In(file, $"a header of {header.Length} bytes", "13");
        uint width = BinaryPrimitives.ReadUInt32BigEndian(header);
        uint height = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        var (depth, type) = (header[8], header[9]);
        bool known = type switch
        {
            Grey => depth is 1 or 2 or 4 or 8 or 16,
            Palette => depth is 1 or 2 or 4 or 8,
            Colour or GreyWithOpacity or ColourWithOpacity => depth is 8 or 16,
            _ => false,
        };
        if (!known || header[10] != 0 || header[11] != 0 || header[12] > 1)
            throw DataException.In(file, $"depth {depth}, colour type {type}, interlacing {header[12]}", "what the format allows",
                "convert the picture");
        if (width == 0 || height == 0 || width > LargestImage || height > LargestImage || (ulong)width * height * 4 > LargestImage)
            throw DataException.In(file, $"{width} x {height} pixels", $"1 or more, and at most {LargestImage / 4} in all");
        if ((long)width * height > mostPixels)
            throw DataException.In(file, $"{width} x {height} pixels", $"at most {mostPixels} pixels", "make the picture smaller");
        return new((int)width, (int)height, depth, type, Interlaced: header[12] == 1);
    }

    private static void WriteChunk(MemoryStream output, ReadOnlySpan<byte> type, ReadOnlySpan<byte> contents)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(word, contents.Length);
        output.Write(word);
        output.Write(type);
        output.Write(contents);
        var checksum = new Crc32();
        checksum.Append(type);
        checksum.Append(contents);
        BinaryPrimitives.WriteUInt32BigEndian(word, checksum.GetCurrentHashAsUInt32());
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
        uint found = Crc32.HashToUInt32(rest.Slice(4, 4 + (int)length));
        if (found != expected)
            throw DataException.In(file, $"a chunk with checksum {found:x8}", $"{expected:x8}");
        rest = rest[(Frame + (int)length)..];
        return type;
    }
}
