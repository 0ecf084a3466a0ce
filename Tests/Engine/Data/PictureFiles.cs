using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

/// <summary>Makes picture files of every kind for tests, by the formats' definitions.</summary>
internal static class PictureFiles
{
    private static readonly (int X, int Y, int Across, int Down)[] Passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
        (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    /// <param name="sample">The sample of a column, row and channel, below 2^depth.</param>
    /// <param name="palette">Red, green and blue of each colour, for type 3.</param>
    public static byte[] Png(int width, int height, int depth, int type, bool interlaced, Func<int, int, int, int> sample,
        byte[]? palette = null)
    {
        int channels = type switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        using var raw = new MemoryStream();
        using (var zlib = new ZLibStream(raw, CompressionLevel.Optimal, leaveOpen: true))
            foreach (var (x0, y0, across, down) in interlaced ? Passes : [(0, 0, 1, 1)])
                for (int y = y0; y < height && x0 < width; y += down)
                {
                    zlib.WriteByte(0);
                    var bits = new List<int>();
                    for (int x = x0; x < width; x += across)
                        for (int c = 0; c < channels; c++)
                            for (int bit = depth - 1; bit >= 0; bit--)
                                bits.Add(sample(x, y, c) >> bit & 1);
                    for (int at = 0; at < bits.Count; at += 8)
                        zlib.WriteByte((byte)Enumerable.Range(0, 8).Sum(b => at + b < bits.Count ? bits[at + b] << (7 - b) : 0));
                }
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)type, (byte)(interlaced ? 1 : 0));
        return [0x89, .. "PNG\r\n\x1a\n"u8, .. Chunk("IHDR", header), .. palette is null ? [] : Chunk("PLTE", palette),
            .. Chunk("IDAT", raw.ToArray()), .. Chunk("IEND", [])];
    }

    /// <summary>24 bits a pixel, rows from below.</summary>
    /// <param name="pixels">[height, width, 3], red first.</param>
    public static byte[] Bmp(int width, int height, byte[] pixels)
    {
        int stride = (3 * width + 3) / 4 * 4;
        byte[] file = new byte[54 + stride * height];
        "BM"u8.CopyTo(file);
        foreach (var (at, value) in ((int, int)[])[(2, file.Length), (10, 54), (14, 40), (18, width), (22, height), (26, 1 | 24 << 16),
            (34, stride * height)])
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < 3; c++)
                    file[54 + (height - 1 - y) * stride + 3 * x + c] = pixels[3 * (y * width + x) + 2 - c];
        return file;
    }

    /// <summary>
    /// One picture of grey levels below 128; codes of eight bits throughout, because the table is cleared before it grows.
    /// </summary>
    /// <param name="pixels">[height, width].</param>
    public static byte[] Gif(int width, int height, byte[] pixels)
    {
        const int Clear = 128, End = 129, Run = 100;
        var codes = new List<byte>();
        for (int i = 0; i < pixels.Length; i++)
            codes.AddRange(i % Run == 0 ? [Clear, pixels[i]] : (byte[])[pixels[i]]);
        codes.Add(End);
        byte[] colours = [.. Enumerable.Range(0, 128).SelectMany(i => new byte[] { (byte)(2 * i), (byte)(2 * i), (byte)i })];
        byte[] size = [(byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8)];
        return [.. "GIF89a"u8, .. size, 0xF6, 0, 0, .. colours, (byte)',', 0, 0, 0, 0, .. size, 0, 7,
            .. codes.Chunk(255).SelectMany(block => (byte[])[(byte)block.Length, .. block]), 0, (byte)';'];
    }

    private static byte[] Chunk(string type, byte[] contents)
    {
        byte[] body = [.. Encoding.ASCII.GetBytes(type), .. contents], word = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(word, contents.Length);
        BinaryPrimitives.WriteUInt32BigEndian(word.AsSpan(4), Crc32.HashToUInt32(body));
        return [.. word[..4], .. body, .. word[4..]];
    }
}
