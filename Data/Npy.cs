using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>An array as a .npy file holds it.</summary>
/// <param name="Type">NumPy's description: &lt;f4 &lt;f8 |u1 |i1 &lt;i2 &lt;i4 &lt;i8 |b1.</param>
/// <param name="Shape">Sizes of the axes, outermost first; empty for a scalar.</param>
/// <param name="Bytes">The values, row-major, little-endian.</param>
public sealed record NpyArray(string Type, int[] Shape, byte[] Bytes)
{
    /// <summary>Bytes a value.</summary>
    public int Width => Npy.Width(Type);

    /// <summary>Number of values.</summary>
    public int Count => Bytes.Length / Width;

    public static NpyArray From(int[] shape, ReadOnlySpan<float> values) =>
        new("<f4", Checked(shape, values.Length), MemoryMarshal.AsBytes(values).ToArray());

    public static NpyArray From(int[] shape, ReadOnlySpan<int> values) =>
        new("<i4", Checked(shape, values.Length), MemoryMarshal.AsBytes(values).ToArray());

    public static NpyArray From(int[] shape, ReadOnlySpan<byte> values) => new("|u1", Checked(shape, values.Length), values.ToArray());

    /// <summary>The values as floats, rounded to nearest where the type is wider.</summary>
    public float[] ToFloats()
    {
        float[] values = new float[Count];
        CopyFloats(0, values);
        return values;
    }

    /// <summary>As many values as there is room for, from <paramref name="start"/> on, as floats.</summary>
    public void CopyFloats(int start, Span<float> values)
    {
        var bytes = Bytes.AsSpan(start * Width, values.Length * Width);
        switch (Type)
        {
            case "<f4":
                bytes.CopyTo(MemoryMarshal.AsBytes(values));
                break;
            case "<f8":
                var doubles = MemoryMarshal.Cast<byte, double>(bytes);
                for (int i = 0; i < values.Length; i++)
                    values[i] = (float)doubles[i];
                break;
            default:
                for (int i = 0; i < values.Length; i++)
                    values[i] = Integer(start + i);
                break;
        }
    }

    /// <summary>The values as integers.</summary>
    /// <exception cref="DataException">The array is of a floating-point type, or a value is outside the range of an int.</exception>
    /// <param name="file">The name used in errors.</param>
    public int[] ToInts(string file)
    {
        if (Type[1] == 'f')
            throw DataException.In(file, $"an array of type {Type}", "integers", "convert it with astype('int32')");
        int[] values = new int[Count];
        for (int i = 0; i < values.Length; i++)
        {
            long value = Integer(i);
            if (value != (int)value)
                throw DataException.In(file, $"the value {value} at {i}", "integers of 32 bits");
            values[i] = (int)value;
        }
        return values;
    }

    private long Integer(int i) => Type switch
    {
        "|u1" or "|b1" => Bytes[i],
        "|i1" => (sbyte)Bytes[i],
        "<i2" => BinaryPrimitives.ReadInt16LittleEndian(Bytes.AsSpan(2 * i)),
        "<i4" => BinaryPrimitives.ReadInt32LittleEndian(Bytes.AsSpan(4 * i)),
        _ => BinaryPrimitives.ReadInt64LittleEndian(Bytes.AsSpan(8 * i)),
    };

    private static int[] Checked(int[] shape, int length) =>
        HostArray.ElementCount(shape) == length ? shape : throw new ArgumentException(
            $"npy: shape {HostArray.Describe(shape)} does not have {length} values; pass as many values as the product of the sizes");
}

/// <summary>NumPy's .npy format, versions 1 to 3, in either order of axes.</summary>
public static partial class Npy
{
    private const int LargestHeader = 1 << 16;

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <exception cref="DataException">The file is missing, damaged, or of a type that is not read.</exception>
    public static NpyArray Read(string path) => DataFile.Read(path, stream => Read(stream, path, stream.Length));

    /// <param name="stream">Read to its end.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="length">Bytes in the stream; the header must promise exactly as many.</param>
    public static NpyArray Read(Stream stream, string file, long length) => DataFile.Guard(file, () =>
    {
        var header = ReadHeader(stream, file);
        int width = CheckedWidth(header, file);
        long count = HostArray.ElementCount(header.Shape);
        if (count >= 0 && count * width <= Array.MaxLength && header.Length + count * width != length)
            throw DataFile.WrongLength(file, length, header.Length + count * width);

        byte[] bytes = ReadValues(stream, header, file);
        if (stream.ReadByte() >= 0)
            throw DataException.In(file, $"more than {length} bytes", $"{length} by its header");
        return new NpyArray(header.Type, header.Shape, header.Fortran ? ToRowMajor(bytes, header.Shape, width) : bytes);
    });

    /// <summary>Reads some rows of an array that may be larger than memory: entries along the first axis.</summary>
    /// <param name="stream">Read to its end.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="length">Bytes in the stream.</param>
    /// <param name="rows">Which, ascending.</param>
    internal static NpyArray ReadRows(Stream stream, string file, long length, ReadOnlySpan<int> rows)
    {
        var header = ReadHeader(stream, file);
        int width = Width(header.Type);
        if (header.Shape is not [var rowCount, ..] || header.Fortran || width == 0)
            throw DataException.In(file, $"an array of type {header.Type} and shape {HostArray.Describe(header.Shape)}",
                "numbers in row-major order", "save it with numpy.ascontiguousarray");
        long rowValues = HostArray.ElementCount(header.Shape.AsSpan(1));
        if (rowValues < 0 || rowValues * width * Math.Max(1, rows.Length) > Array.MaxLength)
            throw DataException.In(file, $"rows of shape {HostArray.Describe(header.Shape.AsSpan(1))}", "rows that fit in memory",
                "ask for fewer images");
        int rowBytes = (int)(rowValues * width);
        if (header.Length + (long)rowCount * rowBytes != length)
            throw DataFile.WrongLength(file, length, header.Length + (long)rowCount * rowBytes);
        if (rows.Length > 0 && rows[^1] >= rowCount)
            throw DataException.In(file, $"{rowCount} rows", $"more than {rows[^1]}");

        byte[] bytes = GC.AllocateUninitializedArray<byte>(rowBytes * rows.Length);
        byte[] skipped = new byte[rowBytes];
        for (int row = 0, next = 0; row < rowCount; row++)
        {
            bool wanted = next < rows.Length && rows[next] == row;
            stream.ReadExactly(wanted ? bytes.AsSpan(next++ * rowBytes, rowBytes) : skipped);
        }
        return new NpyArray(header.Type, [rows.Length, .. header.Shape[1..]], bytes);
    }

    public static void Write(string path, NpyArray array) => AtomicFile.Write(path, stream => Write(stream, array));

    public static void Write(Stream stream, NpyArray array)
    {
        string shape = array.Shape.Length == 1 ? $"({array.Shape[0]},)" : $"({string.Join(", ", array.Shape)})";
        string header = $"{{'descr': '{array.Type}', 'fortran_order': False, 'shape': {shape}, }}";
        int preamble = Magic.Length + 4;
        int padded = (preamble + header.Length + 1 + 63) / 64 * 64 - preamble;
        stream.Write(Magic);
        stream.Write([1, 0, (byte)padded, (byte)(padded >> 8)]);
        stream.Write(Encoding.ASCII.GetBytes(header.PadRight(padded - 1) + "\n"));
        stream.Write(array.Bytes);
    }

    internal readonly record struct NpyHeader(string Type, bool Fortran, int[] Shape, long Length)
    {
        public bool IsObject => Type.AsSpan().TrimStart("|<>=").StartsWith("O");
    }

    internal static int Width(string type) => type switch
    {
        "|u1" or "|i1" or "|b1" => 1,
        "<i2" => 2,
        "<f4" or "<i4" => 4,
        "<f8" or "<i8" => 8,
        _ => 0,
    };

    /// <summary>Bytes a value of an array that can be read.</summary>
    /// <exception cref="DataException">It is of another type.</exception>
    internal static int CheckedWidth(NpyHeader header, string file)
    {
        if (header.IsObject)
            throw DataException.In(file, "an array of Python objects", "numbers", "save it without objects, which could run code");
        return Width(header.Type) is > 0 and var width ? width : throw DataException.In(file, $"values of type {header.Type}",
            "one of <f4 <f8 |u1 |i1 <i2 <i4 <i8 |b1", "convert them with astype");
    }

    /// <summary>All values, in the file's order.</summary>
    internal static byte[] ReadValues(Stream stream, NpyHeader header, string file)
    {
        long count = HostArray.ElementCount(header.Shape);
        int width = Width(header.Type);
        if (count < 0 || count * width > Array.MaxLength)
            throw DataException.In(file, $"an array of shape {HostArray.Describe(header.Shape)} and type {header.Type}",
                $"at most {Array.MaxLength} bytes", "split it into smaller arrays");
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)(count * width));
        stream.ReadExactly(bytes);
        return bytes;
    }

    internal static NpyHeader ReadHeader(Stream stream, string file)
    {
        Span<byte> start = stackalloc byte[8];
        int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (read < start.Length || !start.StartsWith(Magic) || start[6] is < 1 or > 3)
            throw DataException.In(file, $"a file that starts with {Convert.ToHexString(start[..read])}", "a .npy of version 1 to 3");
        int lengthBytes = start[6] == 1 ? 2 : 4;
        Span<byte> lengthField = stackalloc byte[4];
        lengthField.Clear();
        stream.ReadExactly(lengthField[..lengthBytes]);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(lengthField);
        if (length > LargestHeader)
            throw DataException.In(file, $"a header of {length} bytes", $"at most {LargestHeader}");
        byte[] text = new byte[length];
        stream.ReadExactly(text);

        var match = HeaderPattern().Match(Encoding.UTF8.GetString(text));
        var (descr, fortran, sizesGroup) = (match.Groups["descr"], match.Groups["fortran"], match.Groups["shape"]);
        if (descr.Captures.Count != 1 || fortran.Captures.Count != 1 || sizesGroup.Captures.Count != 1)
            throw DataException.In(file, "a header that cannot be read", "descr, fortran_order and shape", "write it with numpy.save");
        string[] sizes = sizesGroup.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        int[] shape = new int[sizes.Length];
        for (int i = 0; i < sizes.Length; i++)
            if (!int.TryParse(sizes[i], NumberStyles.None, CultureInfo.InvariantCulture, out shape[i]))
                throw DataException.In(file, $"a size of {sizes[i]} in the shape", "sizes below 2^31");
        return new(descr.Value, fortran.Value == "True", shape, start.Length + lengthBytes + length);
    }

    /// <summary>The three keys in any order; whether each is there once is for the captures to tell.</summary>
    [GeneratedRegex(
        @"^\{\s*(?:(?:'descr':\s*'(?<descr>[^']{1,16})'|'fortran_order':\s*(?<fortran>True|False)|'shape':\s*\((?<shape>[0-9, ]*)\))\s*(?:,\s*|(?=\})))+\}\s*$",
        RegexOptions.CultureInvariant)]
    private static partial Regex HeaderPattern();

    internal static byte[] ToRowMajor(byte[] columnMajor, int[] shape, int width)
    {
        if (shape.Length < 2 || columnMajor.Length == 0)
            return columnMajor;
        byte[] rowMajor = GC.AllocateUninitializedArray<byte>(columnMajor.Length);
        Span<int> index = stackalloc int[Math.Min(shape.Length, 64)];
        index.Clear();
        int count = columnMajor.Length / width;
        int[] strides = new int[shape.Length];
        int stride = 1;
        for (int axis = 0; axis < shape.Length; axis++)
            (strides[axis], stride) = (stride, stride * shape[axis]);
        int from = 0;
        for (int to = 0; to < count; to++)
        {
            columnMajor.AsSpan(from * width, width).CopyTo(rowMajor.AsSpan(to * width));
            for (int axis = shape.Length - 1; axis >= 0; axis--)
            {
                from += strides[axis];
                if (++index[axis] < shape[axis])
                    break;
                from -= strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }
        return rowMajor;
    }
}
