using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace VaeFromScratch.Data.Eeg;

/// <summary>Writes a dictionary of float64 arrays as Python 2's cPickle does at protocol 2: the bytes of DEAP's .dat files.</summary>
internal static class PickleWriter
{
    // Numbers of the memo: names are written once and recalled afterwards.
    private const byte Reconstruct = 0, NdArray = 1, DType = 2;

    /// <param name="stream">Written from where it stands.</param>
    /// <param name="arrays">Name, shape, and values, row-major.</param>
    public static void Write(Stream stream, IReadOnlyList<(string Name, int[] Shape, double[] Values)> arrays)
    {
        stream.Write([0x80, 2, (byte)'}', (byte)'(']);
        for (int i = 0; i < arrays.Count; i++)
        {
            WriteText(stream, arrays[i].Name);
            WriteArray(stream, arrays[i].Shape, arrays[i].Values, first: i == 0);
        }
        stream.Write("u."u8);
    }

    private static void WriteArray(Stream stream, int[] shape, double[] values, bool first)
    {
        WriteName(stream, "numpy.core.multiarray", "_reconstruct", Reconstruct, first);
        WriteName(stream, "numpy", "ndarray", NdArray, first);
        stream.Write([(byte)'K', 0, 0x85]);
        WriteText(stream, "b");
        stream.Write([0x87, (byte)'R', (byte)'(', (byte)'K', 1, (byte)'(']);
        foreach (int size in shape)
            WriteInteger(stream, size);
        stream.WriteByte((byte)'t');

        WriteName(stream, "numpy", "dtype", DType, first);
        WriteText(stream, "f8");
        stream.Write([(byte)'K', 0, (byte)'K', 1, 0x87, (byte)'R', (byte)'(', (byte)'K', 3]);
        WriteText(stream, "<");
        stream.Write("NNN"u8);
        WriteInteger(stream, -1);
        WriteInteger(stream, -1);
        stream.Write([(byte)'K', 0, (byte)'t', (byte)'b', 0x89]);

        stream.WriteByte((byte)'T');
        WriteInt32(stream, checked(values.Length * sizeof(double)));
        stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        stream.Write("tb"u8);
    }

    private static void WriteName(Stream stream, string module, string name, byte memo, bool first)
    {
        if (first)
            stream.Write([(byte)'c', .. Encoding.ASCII.GetBytes($"{module}\n{name}\n"), (byte)'q', memo]);
        else
            stream.Write([(byte)'h', memo]);
    }

    private static void WriteText(Stream stream, string text) =>
        stream.Write([(byte)'U', (byte)text.Length, .. Encoding.ASCII.GetBytes(text)]);

    private static void WriteInteger(Stream stream, int value)
    {
        if (value is >= 0 and < 256)
        {
            stream.Write([(byte)'K', (byte)value]);
            return;
        }
        stream.WriteByte((byte)'J');
        WriteInt32(stream, value);
    }

    private static void WriteInt32(Stream stream, int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }
}
