using System.Buffers.Binary;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>An array of bytes as an IDX file holds it.</summary>
/// <param name="Shape">Sizes of the axes, outermost first.</param>
/// <param name="Data">The values, row-major.</param>
internal sealed record IdxArray(int[] Shape, byte[] Data);

/// <summary>
/// The IDX format of MNIST: two zero bytes, a type (8: bytes), the number of axes, the size of each axis as a big-endian integer, the
/// values.
/// </summary>
internal static class Idx
{
    /// <summary>More than any data set of this format holds; a header that asks for more is refused.</summary>
    private const long LargestArray = 1L << 30;
    private const byte UnsignedByte = 8;

    /// <param name="path">The file, plain or with gzip (told apart by its first bytes).</param>
    /// <param name="axes">The number of axes that it must have: 3 for images, 1 for labels.</param>
    /// <exception cref="DataException">The file is missing, damaged, of another kind, or holds more or less than its header
    /// says.</exception>
    public static IdxArray Read(string path, int axes) => DataFile.Read(path, stream => Read(stream, path, axes));

    /// <param name="stream">A stream that knows its length.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="axes">The number of axes that it must have.</param>
    public static IdxArray Read(Stream stream, string file, int axes) => DataFile.Guard(file, () =>
    {
        bool compressed = Gzip.IsCompressed(stream);
        if (!compressed)
            return ReadContents(stream, file, axes, available: stream.Length, stream.Length);
        using var inflated = Gzip.Open(stream, file);
        return ReadContents(inflated, file, axes, available: null, stream.Length);
    });

    private static IdxArray ReadContents(Stream stream, string file, int axes, long? available, long fileLength)
    {
        byte[] header = new byte[4 + 4 * axes];
        int read = stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        if (read < 4 || header[0] != 0 || header[1] != 0 || header[2] != UnsignedByte || header[3] != axes)
            throw DataException.In(file, $"a file that starts with {Convert.ToHexString(header.AsSpan(0, Math.Min(read, 4)))}",
                $"{0x800 + axes:X8}, IDX bytes with {(axes == 1 ? "1 axis" : $"{axes} axes")}",
                "make sure that images and labels are not swapped");
        if (read < header.Length)
            throw DataFile.WrongLength(file, read, header.Length);

        int[] shape = new int[axes];
        long count = 1;
        for (int axis = 0; axis < axes; axis++)
        {
            uint size = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4 + 4 * axis));
            count *= size;
            if (size == 0 || count > LargestArray)
                throw DataException.In(file, $"axis {axis} of size {size}", $"1 or more, and at most {LargestArray} values in all");
            shape[axis] = (int)size;
        }
        if (available is { } length && length != header.Length + count)
            throw DataFile.WrongLength(file, length, header.Length + count);
        if (available is null && !DataFile.CanInflateTo(fileLength, count))
            throw DataException.In(file, $"a header that promises {count} bytes in a compressed file of {fileLength}",
                "no more than gzip can hold");

        byte[] data = GC.AllocateUninitializedArray<byte>((int)count);
        int got = stream.ReadAtLeast(data, data.Length, throwOnEndOfStream: false);
        if (got < data.Length)
            throw DataFile.WrongLength(file, header.Length + got, header.Length + count);
        if (stream.ReadByte() >= 0)
            throw DataException.In(file, $"more than {header.Length + count} bytes", $"{header.Length + count} by its header");
        return new IdxArray(shape, data);
    }
}
