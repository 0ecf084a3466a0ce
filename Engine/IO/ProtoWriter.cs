using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace VaeFromScratch.Engine.IO;

/// <summary>
/// Writes one message of Protocol Buffers, field by field: what ONNX and TensorBoard keep their files in. Each method appends and returns
/// the writer.
/// </summary>
/// <remarks>
/// Why not generated classes: Engine/README.md. The field numbers stand in one table beside each format.
/// </remarks>
internal sealed class ProtoWriter
{
    private enum Wire { Varint, Fixed64, Delimited, Fixed32 = 5 }

    private readonly MemoryStream bytes = new();

    public ReadOnlySpan<byte> Written => bytes.GetBuffer().AsSpan(0, (int)bytes.Length);

    /// <summary>int32, int64, bool or an enumeration.</summary>
    public ProtoWriter Integer(int field, long value)
    {
        Tag(field, Wire.Varint);
        Varint((ulong)value);
        return this;
    }

    public ProtoWriter Single(int field, float value)
    {
        Span<byte> four = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(four, value);
        Tag(field, Wire.Fixed32);
        bytes.Write(four);
        return this;
    }

    public ProtoWriter Double(int field, double value)
    {
        Span<byte> eight = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(eight, value);
        Tag(field, Wire.Fixed64);
        bytes.Write(eight);
        return this;
    }

    public ProtoWriter Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, Wire.Delimited);
        Varint((ulong)value.Length);
        bytes.Write(value);
        return this;
    }

    public ProtoWriter Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    public ProtoWriter Message(int field, ProtoWriter message) => Bytes(field, message.Written);

    /// <summary>A packed field of doubles.</summary>
    public ProtoWriter Doubles(int field, ReadOnlySpan<double> values) => Bytes(field, MemoryMarshal.AsBytes(values));

    /// <summary>A repeated field, one entry after the other.</summary>
    public ProtoWriter Each<T>(IEnumerable<T> values, Action<ProtoWriter, T> write)
    {
        foreach (var value in values)
            write(this, value);
        return this;
    }

    public byte[] ToArray() => bytes.ToArray();

    private void Tag(int field, Wire wire) => Varint((ulong)field << 3 | (uint)wire);

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            bytes.WriteByte((byte)(value | 0x80));
        bytes.WriteByte((byte)value);
    }
}
