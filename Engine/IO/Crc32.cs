using System.Buffers.Binary;

namespace VaeFromScratch.Engine.IO;

/// <summary>The checksum of PNG and zip (polynomial EDB88320), eight bytes at a time.</summary>
internal static class Crc32
{
    private const int Slices = 8;
    private static readonly uint[] Tables = MakeTables();

    /// <param name="bytes">More bytes.</param>
    /// <param name="crc">The checksum of the bytes before them, 0 at the start.</param>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        var tables = Tables;
        crc = ~crc;
        for (; bytes.Length >= Slices; bytes = bytes[Slices..])
        {
            uint low = BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ crc;
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = tables[(7 << 8) + (byte)low] ^ tables[(6 << 8) + (byte)(low >> 8)] ^ tables[(5 << 8)
                + (byte)(low >> 16)] ^ tables[(4 << 8) + (low >> 24)]
                ^ tables[(3 << 8) + (byte)high] ^ tables[(2 << 8) + (byte)(high >> 8)] ^ tables[(1 << 8)
                    + (byte)(high >> 16)] ^ tables[high >> 24];
        }
        foreach (byte b in bytes)
            crc = tables[(byte)(crc ^ b)] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[] MakeTables()
    {
        uint[] tables = new uint[Slices * 256];
        for (uint i = 0; i < 256; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++)
                value = (value & 1) != 0 ? (value >> 1) ^ 0xEDB88320 : value >> 1;
            tables[i] = value;
        }
        for (int i = 256; i < tables.Length; i++)
            tables[i] = tables[(byte)tables[i - 256]] ^ (tables[i - 256] >> 8);
        return tables;
    }
}
