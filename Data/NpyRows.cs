using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>
/// An array of a .npy file read from front to back, some rows at a time, so that it may be larger than memory; one in column-major order is
/// read whole.
/// </summary>
internal sealed class NpyRows : IDisposable
{
    private readonly Stream stream;
    private readonly string file;
    private readonly Npy.NpyHeader header;
    private readonly Action<Stream> atEnd;
    private readonly byte[]? columnMajor;
    private readonly int rowBytes;
    private int next;

    /// <param name="stream">At its start; disposed with the reader.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="length">Bytes in the stream; the header must promise exactly as many.</param>
    /// <param name="mostAtOnce">Bytes that may be held at once: a row, or all of an array in column-major order.</param>
    /// <param name="atEnd">Called once all bytes are read, to check them.</param>
    /// <exception cref="DataException">The array is damaged or of a type that is not read.</exception>
    public NpyRows(Stream stream, string file, long length, long mostAtOnce, Action<Stream> atEnd)
    {
        (this.stream, this.file, this.atEnd) = (stream, file, atEnd);
        header = Npy.ReadHeader(stream, file);
        int width = Npy.CheckedWidth(header, file);
        if (header.Shape.Length == 0)
            throw DataException.In(file, "a single value", "an array with rows");
        long rowValues = HostArray.ElementCount(header.Shape.AsSpan(1));
        if (rowValues < 0 || rowValues * width > Array.MaxLength)
            throw DataException.In(file, $"rows of shape {HostArray.Describe(header.Shape.AsSpan(1))}", "rows that fit in memory",
                "split them into smaller ones");
        rowBytes = (int)(rowValues * width);
        if (header.Length + (long)Rows * rowBytes != length)
            throw DataFile.WrongLength(file, length, header.Length + (long)Rows * rowBytes);
        long atOnce = header.Fortran ? length : rowBytes;
        if (atOnce > mostAtOnce)
            throw Npz.ExpandsTooMuch(file, atOnce, mostAtOnce);
        if (header.Fortran)
            columnMajor = Npy.ToRowMajor(Npy.ReadValues(stream, header, file), header.Shape, width);
    }

    public int[] Shape => header.Shape;

    /// <summary>Entries along the first axis.</summary>
    public int Rows => header.Shape[0];

    /// <summary>The next rows: <paramref name="most"/>, or as many as are left.</summary>
    /// <exception cref="DataException">The array is cut short, or, with the last rows, its check fails.</exception>
    public NpyArray Next(int most)
    {
        int rows = Math.Min(most, Rows - next);
        byte[] bytes = GC.AllocateUninitializedArray<byte>(checked(rows * rowBytes));
        if (columnMajor is not null)
            columnMajor.AsSpan(next * rowBytes, bytes.Length).CopyTo(bytes);
        else
            stream.ReadExactly(bytes);
        next += rows;
        if (next == Rows)
        {
            if (stream.ReadByte() >= 0)
                throw DataException.In(file, "more bytes than its header says", "the array's end");
            atEnd(stream);
        }
        return new(header.Type, [rows, .. header.Shape[1..]], bytes);
    }

    public void Dispose() => stream.Dispose();
}
