using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Eeg;

/// <summary>Arrays of a MATLAB file, level 5 (what save writes with -v6 or -v7), plain or compressed.</summary>
internal static class MatFile
{
    private const int HeaderBytes = 128;
    private const int Matrix = 14, Compressed = 15;
    private const int DoubleClass = 6, SingleClass = 7, ByteClass = 9;
    private const byte ComplexFlag = 8;

    /// <summary>Reads real arrays of floating-point numbers or bytes as doubles, row-major; variables of other names are skipped.</summary>
    /// <exception cref="DataException">The file is missing, damaged, of another version, or a named variable is no real array.</exception>
    public static IReadOnlyDictionary<string, NpyArray> Read(string path, IReadOnlyCollection<string> names) =>
        DataFile.Read(path, stream => Read(stream, path, names));

    /// <param name="stream">A stream that knows its length, at its start.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="names">The variables to read where they are there.</param>
    public static IReadOnlyDictionary<string, NpyArray> Read(Stream stream, string file, IReadOnlyCollection<string> names) =>
        DataFile.Guard(file, () =>
    {
        CheckHeader(stream, file);
        var arrays = new Dictionary<string, NpyArray>();
        var elements = new Elements(stream, stream.Length - HeaderBytes, file);
        while (elements.Left > 0)
        {
            var (type, size) = elements.ReadTag(out _);
            var variable = type == Matrix ? ReadMatrix(elements.Inside(size), names) : type == Compressed
                ? ReadCompressed(elements, size, file, names) : null;
            if (variable is var (name, array) && !arrays.TryAdd(name, array))
                throw DataException.In(file, $"the variable '{name}' twice", "each name once");
            elements.SkipTo(type == Compressed ? size : Padded(size));
        }
        return arrays;
    });

    private static void CheckHeader(Stream stream, string file)
    {
        byte[] header = new byte[HeaderBytes];
        int read = stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false);
        if (header.AsSpan().StartsWith("MATLAB 7.3"u8) || header.AsSpan(0, 4).SequenceEqual("\x89HDF"u8[..4]))
            throw DataException.In(file, "a MATLAB 7.3 file", "level 5", "save it in MATLAB with the option -v7");
        if (read < HeaderBytes || !header.AsSpan().StartsWith("MATLAB 5.0"u8) || header[124] != 0 || header[125] != 1 || header[126] != 'I'
            || header[127] != 'M')
            throw DataException.In(file, $"a file that starts with {Convert.ToHexString(header.AsSpan(0, Math.Min(read, 10)))}",
                "a little-endian MATLAB file of level 5", "save it in MATLAB with the option -v7");
    }

    private static (string, NpyArray)? ReadCompressed(Elements elements, long size, string file, IReadOnlyCollection<string> names)
    {
        using var inflated = new ZLibStream(elements.Contents(size), CompressionMode.Decompress, leaveOpen: true);
        // The element inside says how long it is; it cannot be more than deflate can hold.
        var inner = new Elements(inflated, long.MaxValue, file);
        var (type, innerSize) = inner.ReadTag(out _);
        if (type != Matrix)
            throw DataException.In(file, $"compressed data of type {type}", $"a matrix, type {Matrix}");
        if (!DataFile.CanInflateTo(size, innerSize))
            throw DataException.In(file, $"{size} compressed bytes that promise {innerSize}", "no more than deflate can hold");
        return ReadMatrix(inner.Inside(innerSize), names);
    }

    private static (string, NpyArray)? ReadMatrix(Elements parts, IReadOnlyCollection<string> names)
    {
        byte[] flags = parts.ReadSmall(8, 8, "array flags");
        byte[] dimensions = parts.ReadSmall(8, 8 * sizeof(int), "dimensions");
        string name = Encoding.Latin1.GetString(parts.ReadSmall(0, 200, "name"));
        if (!names.Contains(name))
            return null;
        if (flags[0] is not (DoubleClass or SingleClass or ByteClass) || (flags[1] & ComplexFlag) != 0)
            throw DataException.In(parts.File, $"'{name}' of class {flags[0]}", "a real array of doubles, singles or bytes",
                "convert it in MATLAB with double(...)");
        int[] shape = MemoryMarshal.Cast<byte, int>(dimensions).ToArray();
        long count = Array.Exists(shape, s => s < 0) ? -1 : HostArray.ElementCount(shape);
        if (count < 0 || count > Array.MaxLength / sizeof(double))
            throw DataException.In(parts.File, $"'{name}' of shape {HostArray.Describe(shape)}", "an array that fits in memory");
        var (type, size) = parts.ReadTag(out bool isSmall);
        int width = Width(type);
        if (width == 0 || size != count * width)
            throw DataException.In(parts.File, $"'{name}' of shape {HostArray.Describe(shape)} in {size} bytes of type {type}",
                "as many numbers as its shape says");
        byte[] values = GC.AllocateUninitializedArray<byte>((int)size);
        parts.ReadExactly(values);
        parts.SkipPadding(size, isSmall);
        return (name, new("<f8", shape, Npy.ToRowMajor(type == 9 ? values : ToDoubles(values, type, width), shape, sizeof(double))));
    }

    /// <summary>Bytes of a number; 0 for what is no number. MATLAB stores doubles that happen to be integers in fewer bytes.</summary>
    private static int Width(int type) => type switch { 1 or 2 => 1, 3 or 4 => 2, 5 or 6 or 7 => 4, 9 or 12 or 13 => 8, _ => 0 };

    private static byte[] ToDoubles(byte[] bytes, int type, int width)
    {
        byte[] result = GC.AllocateUninitializedArray<byte>(checked(bytes.Length / width * sizeof(double)));
        var doubles = MemoryMarshal.Cast<byte, double>(result.AsSpan());
        for (int i = 0; i < doubles.Length; i++)
        {
            var at = bytes.AsSpan(i * width);
            doubles[i] = type switch
            {
                1 => (sbyte)at[0],
                2 => at[0],
                3 => BinaryPrimitives.ReadInt16LittleEndian(at),
                4 => BinaryPrimitives.ReadUInt16LittleEndian(at),
                5 => BinaryPrimitives.ReadInt32LittleEndian(at),
                6 => BinaryPrimitives.ReadUInt32LittleEndian(at),
                7 => BinaryPrimitives.ReadSingleLittleEndian(at),
                12 => BinaryPrimitives.ReadInt64LittleEndian(at),
                _ => BinaryPrimitives.ReadUInt64LittleEndian(at),
            };
        }
        return result;
    }

    private static long Padded(long size) => (size + 7) & ~7L;

    /// <summary>A run of tagged elements inside a stream, that never reads beyond its end.</summary>
    private sealed class Elements(Stream stream, long length, string file)
    {
        private long start;

        public string File => file;

        public long Position { get; private set; }

        public long Left => length - Position;

        /// <summary>Type and size of the next element; a small one has both in four bytes and its data in the next four.</summary>
        public (int Type, long Size) ReadTag(out bool isSmall)
        {
            Span<byte> tag = stackalloc byte[8];
            ReadExactly(tag[..4]);
            uint first = BinaryPrimitives.ReadUInt32LittleEndian(tag);
            isSmall = first >> 16 != 0;
            long size = first >> 16;
            if (!isSmall)
            {
                ReadExactly(tag[4..]);
                size = BinaryPrimitives.ReadUInt32LittleEndian(tag[4..]);
            }
            if (size > Left || (isSmall && size > 4))
                throw DataException.In(file, $"an element of {size} bytes with {Left} left", "a complete file");
            start = Position;
            return ((int)(first & 0xFFFF), size);
        }

        /// <summary>The next element whole, between <paramref name="least"/> and <paramref name="most"/> bytes.</summary>
        public byte[] ReadSmall(int least, int most, string what)
        {
            var (_, size) = ReadTag(out bool isSmall);
            if (size < least || size > most)
                throw DataException.In(file, $"{what} of {size} bytes", $"{least} to {most}");
            byte[] bytes = new byte[size];
            ReadExactly(bytes);
            SkipPadding(size, isSmall);
            return bytes;
        }

        public void SkipPadding(long size, bool isSmall) => Skip(Math.Min(Left, (isSmall ? 4 : Padded(size)) - size));

        /// <summary>The elements inside the current one.</summary>
        public Elements Inside(long size) => new(new Window(this, size), size, file);

        public Stream Contents(long size) => new Window(this, size);

        /// <summary>Moves to the end of the current element.</summary>
        public void SkipTo(long size) => Skip(Math.Max(0, Math.Min(length, start + size) - Position));

        public void ReadExactly(Span<byte> bytes)
        {
            if (bytes.Length > Left)
                throw new EndOfStreamException();
            stream.ReadExactly(bytes);
            Position += bytes.Length;
        }

        private int ReadSome(Span<byte> bytes)
        {
            int read = stream.Read(bytes[..(int)Math.Min(bytes.Length, Left)]);
            Position += read;
            return read;
        }

        private void Skip(long count)
        {
            Span<byte> waste = stackalloc byte[512];
            for (; count > 0; count -= Math.Min(count, waste.Length))
                ReadExactly(waste[..(int)Math.Min(count, waste.Length)]);
        }

        /// <summary>The next bytes of a run as a stream of their own.</summary>
        private sealed class Window(Elements elements, long size) : ReadOnlyStream
        {
            private long left = size;

            public override int Read(Span<byte> buffer)
            {
                int read = elements.ReadSome(buffer[..(int)Math.Min(buffer.Length, left)]);
                left -= read;
                return read;
            }
        }
    }
}
