using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Streaming;

/// <summary>What a cache file says about itself.</summary>
/// <param name="Name">Of the data set.</param>
/// <param name="Source">Tells the files that it was made from; another value means that it must be made again.</param>
/// <param name="Height">Rows of an image.</param>
/// <param name="Width">Columns of an image.</param>
/// <param name="Channels">1 or 3.</param>
/// <param name="Train">Training images, which come first.</param>
/// <param name="Validation">Validation images, which come next.</param>
/// <param name="Test">Test images, which come last.</param>
/// <param name="Attributes">Names of the 0/1 attributes of every image; empty when there are none.</param>
/// <param name="Notes">What a user should know about how the source was read.</param>
internal sealed record ImageCacheHeader(string Name, string Source, int Height, int Width, int Channels, int Train, int Validation,
    int Test, string[] Attributes, string[] Notes)
{
    /// <summary>How many values each attribute takes; null where all are 0 or 1.</summary>
    public int[]? AttributeSizes { get; init; }

    /// <summary>Attributes whose values have no order; null for none but a shape.</summary>
    public string[]? Unordered { get; init; }

    public int Count => Train + Validation + Test;

    public int PixelsPerImage => Height * Width * Channels;
}

/// <summary>
/// One file of equal images, for sets that do not fit into memory: eight letters, the length and the checksum of a JSON header, the header,
/// then every
/// image's bytes [H, W, C], then every image's attributes. Any run of images is one read; reads may come from several threads.
/// </summary>
internal sealed class ImageCache : IDisposable
{
    private const int FrontBytes = 16;
    private const int LargestHeader = 1 << 16;

    private readonly SafeFileHandle handle;
    private readonly string path;
    private readonly long pixelStart;

    private ImageCache(SafeFileHandle handle, string path, ImageCacheHeader header, long pixelStart) =>
        (this.handle, this.path, Header, this.pixelStart) = (handle, path, header, pixelStart);

    private static ReadOnlySpan<byte> Magic => "VAEIMG1\n"u8;

    public ImageCacheHeader Header { get; }

    public CachedImages Train => new(this, "train", 0, Header.Train);

    public CachedImages Validation => new(this, "validation", Header.Train, Header.Validation);

    public CachedImages Test => new(this, "test", Header.Train + Header.Validation, Header.Test);

    /// <summary>Writes a cache file whole or not at all.</summary>
    /// <param name="writeImages">Writes every image, [Count, H, W, C], training images first.</param>
    /// <param name="attributes">The value of each, [Count, attributes], in the same order.</param>
    public static void Write(string path, ImageCacheHeader header, Action<Stream> writeImages, ReadOnlyMemory<byte> attributes) =>
        AtomicFile.Write(path, stream =>
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        if (json.Length > LargestHeader || attributes.Length != (long)header.Count * header.Attributes.Length)
            throw new ArgumentException(
                $"image cache: a header of {json.Length} bytes and {attributes.Length} attributes for {header.Count} images; give at "
                + $"most {LargestHeader} bytes and {header.Attributes.Length} an image");
        byte[] front = new byte[FrontBytes];
        Magic.CopyTo(front);
        BinaryPrimitives.WriteInt32LittleEndian(front.AsSpan(8), json.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(front.AsSpan(12), Crc32.HashToUInt32(json));
        stream.Write(front);
        stream.Write(json);
        long start = stream.Position;
        writeImages(stream);
        if (stream.Position - start != (long)header.Count * header.PixelsPerImage)
            throw new InvalidOperationException(
                $"image cache: {stream.Position - start} bytes of images for {header.Count} of {header.PixelsPerImage}");
        stream.Write(attributes.Span);
    });

    /// <exception cref="DataException">The file is missing, damaged, or no cache.</exception>
    public static ImageCache Open(string path) => DataFile.Guard(path, () =>
    {
        var handle = File.OpenHandle(path, options: FileOptions.None);
        try
        {
            var header = ReadHeader(handle, path, out long pixelStart);
            return new ImageCache(handle, path, header, pixelStart);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    });

    /// <summary>Opens the cache when it is there and was made from <paramref name="source"/>, else has it made.</summary>
    public static ImageCache OpenOrMake(string path, string source, Action make)
    {
        if (TryOpen(path, source) is { } cache)
            return cache;
        make();
        return Open(path);
    }

    /// <summary>Reads images <paramref name="first"/> and those after it, as many as fill <paramref name="pixels"/>.</summary>
    public void ReadPixels(int first, Span<byte> pixels) => ReadExactly(pixels, pixelStart + (long)first * Header.PixelsPerImage);

    /// <summary>Reads the attributes of images <paramref name="first"/> and those after it, [images, attributes].</summary>
    public void ReadAttributes(int first, Span<byte> attributes) =>
        ReadExactly(attributes, pixelStart + (long)Header.Count * Header.PixelsPerImage + (long)first * Header.Attributes.Length);

    public void Dispose() => handle.Dispose();

    private static ImageCache? TryOpen(string path, string source)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            var cache = Open(path);
            if (cache.Header.Source == source)
                return cache;
            cache.Dispose();
        }
        catch (DataException)
        {
            // A damaged cache is made again: nothing is lost with it.
        }
        return null;
    }

    private static ImageCacheHeader ReadHeader(SafeFileHandle handle, string path, out long pixelStart)
    {
        byte[] front = new byte[FrontBytes];
        int read = RandomAccess.Read(handle, front, 0);
        int length = BinaryPrimitives.ReadInt32LittleEndian(front.AsSpan(8));
        if (read < FrontBytes || !front.AsSpan().StartsWith(Magic) || length is < 2 or > LargestHeader)
            throw DataException.In(path, $"a file that starts with {Convert.ToHexString(front.AsSpan(0, 8))}", "an image cache",
                "delete it and it is made again");
        byte[] json = new byte[length];
        if (RandomAccess.Read(handle, json, FrontBytes) < length
            || Crc32.HashToUInt32(json) != BinaryPrimitives.ReadUInt32LittleEndian(front.AsSpan(12)))
            throw DataException.In(path, "a damaged header", "an image cache", "delete it and it is made again");
        var header = JsonSerializer.Deserialize<ImageCacheHeader>(json);
        if (header is not
            {
                Height: > 0 and < 1 << 14, Width: > 0 and < 1 << 14, Channels: 1 or 3, Train: > 0, Validation: >= 0, Test: > 0,
                Name: not null, Source: not null, Attributes: not null, Notes: not null
            }
            || (header.AttributeSizes is { } sizes && (sizes.Length != header.Attributes.Length || sizes.Any(n => n is < 1 or > 256)))
            || (long)header.Train + header.Validation + header.Test > int.MaxValue)
            throw DataException.In(path, $"a header that makes no sense: {Encoding.UTF8.GetString(json)}", "an image cache",
                "delete it and it is made again");
        pixelStart = FrontBytes + length;
        long expected = pixelStart + (long)header.Count * (header.PixelsPerImage + header.Attributes.Length);
        if (RandomAccess.GetLength(handle) != expected)
            throw DataException.In(path, $"{RandomAccess.GetLength(handle)} bytes", $"{expected} by its header",
                "delete it and it is made again");
        return header;
    }

    private void ReadExactly(Span<byte> bytes, long position)
    {
        while (bytes.Length > 0)
        {
            int read;
            try
            {
                read = RandomAccess.Read(handle, bytes, position);
            }
            catch (IOException e)
            {
                throw DataException.In(path, "the file cannot be read", "a readable file", "check its permissions and the disk", e);
            }
            if (read == 0)
                throw DataException.In(path, "the file ends early", "a complete image cache", "delete it and it is made again");
            position += read;
            bytes = bytes[read..];
        }
    }
}

/// <summary>One split inside a cache file.</summary>
/// <param name="First">Its first image in the file.</param>
/// <param name="Count">Images of the split.</param>
internal sealed record CachedImages(ImageCache Cache, string Split, int First, int Count)
{
    /// <summary>Sets of more bytes than this are streamed rather than held in memory.</summary>
    public const long MostBytesInMemory = 128L << 20;

    public ImageCacheHeader Header => Cache.Header;

    public long Bytes => (long)Count * Header.PixelsPerImage;

    /// <summary>
    /// The images in memory when they have at most <paramref name="mostBytes"/>, else left in the file, which then has to stay open.
    /// </summary>
    public ImageDataset Open(long mostBytes = MostBytesInMemory) =>
        Bytes <= mostBytes ? ToDataset() : Dataset(Count, []) with { Stored = this };

    /// <summary>The first images, as many as are asked for, as a data set in memory.</summary>
    /// <exception cref="DataException">They do not fit into one array.</exception>
    public ImageDataset ToDataset(int most = int.MaxValue)
    {
        int count = Math.Min(Count, most);
        if ((long)count * Header.PixelsPerImage > Array.MaxLength)
            throw DataException.In(Header.Name, $"{count} images of {Header.PixelsPerImage} bytes in memory",
                $"at most {Array.MaxLength} bytes", "limit the number of images or stream them");
        byte[] pixels = GC.AllocateUninitializedArray<byte>(count * Header.PixelsPerImage);
        Cache.ReadPixels(First, pixels);
        return Dataset(count, pixels).CheckConsistency(Header.Name);
    }

    private ImageDataset Dataset(int count, byte[] pixels) =>
        new(Header.Name, Split, count, Header.Height, Header.Width, Header.Channels, pixels, Labels: null, Classes: 0,
            ImageDataset.ByteScale)
        { Factors = Truth(count) };

    private GroundTruth? Truth(int count)
    {
        if (Header.Attributes.Length == 0)
            return null;
        byte[] attributes = new byte[count * Header.Attributes.Length];
        Cache.ReadAttributes(First, attributes);
        int[] sizes = Header.AttributeSizes ?? [.. Enumerable.Repeat(2, Header.Attributes.Length)];
        var truth = new GroundTruth(Header.Attributes, sizes, Array.ConvertAll(attributes, a => (int)a), Array.ConvertAll(attributes,
            a => (float)a));
        return Header.Unordered is { } unordered ? truth with { Unordered = unordered } : truth;
    }
}
