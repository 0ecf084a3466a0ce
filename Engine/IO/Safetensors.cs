using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace VaeFromScratch.Engine.IO;

/// <summary>What a safetensors file holds: arrays by name, and texts by key.</summary>
internal sealed record SafetensorsFile(IReadOnlyDictionary<string, HostArray> Arrays, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The arrays that were passed over, with their types, in the file's order.</summary>
    public IReadOnlyList<(string Name, string Type)> Ignored { get; init; } = [];
}

/// <summary>
/// The safetensors format: eight bytes with the length of a JSON header, the header, then every array's bytes, row-major and little-endian.
/// Writes F32; reads F32, F16, BF16 and F64, all converted to float.
/// </summary>
internal static class Safetensors
{
    private const string MetadataKey = "__metadata__";
    private const int LargestHeader = 100_000_000;
    private static readonly JsonWriterOptions JsonStyle = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes <paramref name="arrays"/> in the order given; the same arguments always give the same bytes.</summary>
    /// <exception cref="ArgumentException">A name is given twice or is reserved.</exception>
    public static void Write(string path, IReadOnlyList<(string Name, HostArray Array)> arrays,
        IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Write(path, stream => Write(stream, arrays, metadata));

    public static void Write(Stream stream, IReadOnlyList<(string Name, HostArray Array)> arrays,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        byte[] header = Header(arrays, metadata);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach (var (_, array) in arrays)
            for (int start = 0; start < array.Data.Length; start += ChunkElements)
                stream.Write(MemoryMarshal.AsBytes(array.Data.AsSpan(start, Math.Min(ChunkElements, array.Data.Length - start))));
    }

    /// <exception cref="DataException">The file is missing, cut short, or not a safetensors file of floating-point arrays.</exception>
    /// <param name="ignore">Names of arrays that are passed over, whatever their type; none when null.</param>
    public static SafetensorsFile Read(string path, Func<string, bool>? ignore = null) =>
        DataFile.Read(path, stream => Read(stream, path, ignore));

    /// <param name="stream">A seekable stream.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="ignore">Names of arrays that are passed over.</param>
    public static SafetensorsFile Read(Stream stream, string file, Func<string, bool>? ignore = null) => DataFile.Guard(file, () =>
    {
        var (entries, metadata, dataLength) = ReadHeader(stream, file, ignore ?? (_ => false));
        long position = 0;
        foreach (var entry in entries.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            if (entry.Begin != position)
                throw Wrong(file, $"the bytes of '{entry.Name}' start at {entry.Begin}", $"{position}, right after the array before it");
            position = entry.End;
        }
        if (position != dataLength)
            throw DataFile.WrongLength(file, stream.Length, stream.Length - dataLength + position);

        var arrays = new Dictionary<string, HostArray>(entries.Count);
        var ignored = new List<(string, string)>();
        foreach (var entry in entries.OrderBy(e => e.Begin).ThenBy(e => e.End))
            if (entry.Ignored)
            {
                ignored.Add((entry.Name, entry.Type));
                stream.Seek(entry.End - entry.Begin, SeekOrigin.Current);
            }
            else
            {
                arrays.Add(entry.Name, new HostArray(entry.Shape, ReadFloats(stream, entry)));
            }
        return new SafetensorsFile(arrays, metadata) { Ignored = ignored };
    });

    private readonly record struct Entry(string Name, string Type, int[] Shape, long Count, long Begin, long End, bool Ignored = false);

    private static byte[] Header(IReadOnlyList<(string Name, HostArray Array)> arrays, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, JsonStyle))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(MetadataKey);
                foreach (var (key, text) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                    json.WriteString(key, text);
                json.WriteEndObject();
            }
            long offset = 0;
            var names = new HashSet<string> { MetadataKey };
            foreach (var (name, array) in arrays)
            {
                if (!names.Add(name))
                    throw new ArgumentException(
                        $"safetensors: the name '{name}' is given twice or reserved; give every array its own name");
                json.WriteStartObject(name);
                json.WriteString("dtype", "F32");
                json.WriteStartArray("shape");
                foreach (int size in array.Shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += (long)array.Data.Length * sizeof(float));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' ');
        if (buffer.Length > LargestHeader)
            throw new ArgumentException(
                $"safetensors: the header would take {buffer.Length} bytes; the format allows {LargestHeader}, so write fewer arrays or "
                + $"less metadata");
        return buffer.ToArray();
    }

    private static (List<Entry> Entries, Dictionary<string, string> Metadata, long DataLength) ReadHeader(Stream stream, string file,
        Func<string, bool> ignore)
    {
        if (stream.Length < 8)
            throw Wrong(file, $"{stream.Length} bytes", "a safetensors file, at least 8 bytes");
        Span<byte> prefix = stackalloc byte[8];
        stream.ReadExactly(prefix);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > LargestHeader)
            throw Wrong(file, $"a header of {headerLength} bytes", $"at most {LargestHeader}", "make sure that it is a safetensors file");
        if ((long)headerLength > stream.Length - 8)
            throw DataFile.WrongLength(file, stream.Length, 8 + (long)headerLength);
        byte[] header = new byte[headerLength];
        stream.ReadExactly(header);

        long dataLength = stream.Length - 8 - header.Length;
        var entries = new List<Entry>();
        var metadata = new Dictionary<string, string>();
        using var document = ParseHeader(header, file);
        var names = new HashSet<string>();
        try
        {
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (!names.Add(property.Name))
                    throw Wrong(file, $"the name '{property.Name}' twice", "each name once");
                if (property.NameEquals(MetadataKey))
                    ReadMetadata(property.Value, metadata, file);
                else
                    entries.Add(ReadEntry(property, dataLength, file, ignore(property.Name)));
            }
        }
        catch (InvalidOperationException e) // how the JSON reader reports a text that is not Unicode
        {
            throw DataException.In(file, "a header with text that is not valid Unicode", "UTF-8", inner: e);
        }
        return (entries, metadata, dataLength);
    }

    private static JsonDocument ParseHeader(byte[] header, string file)
    {
        try
        {
            var document = JsonDocument.Parse(header);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document
                : throw Wrong(file, "a header that is not a JSON object", "names with dtype, shape and data_offsets");
        }
        catch (JsonException e)
        {
            throw DataException.In(file, $"a header that is not JSON at byte {e.BytePositionInLine}", "a JSON object",
                "make sure that it is a safetensors file", e);
        }
    }

    private static void ReadMetadata(JsonElement element, Dictionary<string, string> metadata, string file)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Wrong(file, $"{MetadataKey} that is not an object", "texts by key");
        foreach (var property in element.EnumerateObject())
            if (property.Value.ValueKind != JsonValueKind.String || !metadata.TryAdd(property.Name, property.Value.GetString()!))
                throw Wrong(file, $"metadata '{property.Name}' that is given twice or is not a text", "texts by key");
    }

    private static Entry ReadEntry(JsonProperty property, long dataLength, string file, bool ignored)
    {
        string name = property.Name;
        if (property.Value.ValueKind != JsonValueKind.Object
            || !property.Value.TryGetProperty("dtype", out var type) || type.ValueKind != JsonValueKind.String
            || !property.Value.TryGetProperty("shape", out var shape) || !TryReadIntegers(shape, out long[] sizes)
            || !property.Value.TryGetProperty("data_offsets", out var range) || !TryReadIntegers(range, out long[] offsets)
                || offsets.Length != 2)
            throw Wrong(file, $"the entry '{name}' without a valid dtype, shape or data_offsets", "all three");

        string typeName = type.GetString()!;
        int width = Width(typeName);
        if (width == 0 && !ignored)
            throw Wrong(file, $"'{name}' of type {typeName}", "F32, F16, BF16 or F64", "convert it to F32");
        if (Array.Exists(sizes, size => size > int.MaxValue))
            throw Wrong(file, $"'{name}' of shape [{string.Join(", ", sizes)}]", "sizes below 2^31");
        int[] dimensions = Array.ConvertAll(sizes, size => (int)size);
        var (begin, end) = (offsets[0], offsets[1]);
        if (begin > end || end > dataLength)
            throw Wrong(file, $"'{name}' at bytes {begin} to {end}", $"a range within the {dataLength} bytes after the header");
        if (ignored)
            return new(name, typeName, dimensions, 0, begin, end, Ignored: true);
        long count = HostArray.ElementCount(dimensions);
        if (count < 0 || count * width != end - begin)
            throw Wrong(file, $"'{name}' of type {typeName} and shape {HostArray.Describe(dimensions)} in {end - begin} bytes",
                $"{(count < 0 ? "a shape that fits in memory" : $"{count * width} bytes")}");
        return new(name, typeName, dimensions, count, begin, end);
    }

    private static bool TryReadIntegers(JsonElement element, out long[] values)
    {
        values = [];
        if (element.ValueKind != JsonValueKind.Array)
            return false;
        values = new long[element.GetArrayLength()];
        int i = 0;
        foreach (var item in element.EnumerateArray())
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out values[i]) || values[i++] < 0)
                return false;
        return true;
    }

    private const int ChunkElements = 1 << 16;

    private static int Width(string type) => type switch { "F32" => 4, "F16" or "BF16" => 2, "F64" => 8, _ => 0 };

    private static float[] ReadFloats(Stream stream, Entry entry)
    {
        float[] values = new float[entry.Count];
        byte[] buffer = entry.Type == "F32" ? [] : new byte[Math.Min(entry.Count, ChunkElements) * Width(entry.Type)];
        for (int start = 0; start < values.Length; start += ChunkElements)
        {
            var chunk = values.AsSpan(start, Math.Min(ChunkElements, values.Length - start));
            if (entry.Type == "F32")
            {
                stream.ReadExactly(MemoryMarshal.AsBytes(chunk));
                continue;
            }
            var bytes = buffer.AsSpan(0, chunk.Length * Width(entry.Type));
            stream.ReadExactly(bytes);
            Convert(entry.Type, bytes, chunk);
        }
        return values;
    }

    private static void Convert(string type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = type switch
            {
                "F16" => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]),
                "BF16" => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]) << 16),
                _ => (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes[(8 * i)..]),
            };
    }

    private static DataException Wrong(string file, string found, string expected, string advice = DataException.Replace) =>
        DataException.In(file, found, expected, advice);
}
