using System.Buffers.Binary;
using System.Text;
using NUnit.Framework;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

public sealed class SafetensorsTests
{
    private static readonly (string, HostArray)[] Arrays =
    [
        ("encoder.conv1.weight", new([2, 1, 3], [1, -2, 0.5f, float.Epsilon, float.MaxValue, float.NaN])),
        ("noise.log_sigma", new([], [-0.75f])),
        ("empty", new([0, 4], [])),
    ];

    [Test]
    public void Arrays_and_metadata_come_back_bit_by_bit()
    {
        string path = Path.Combine(TestFiles.Folder("safetensors"), "model.safetensors");
        Safetensors.Write(path, Arrays, new Dictionary<string, string> { ["step"] = "12", ["note"] = "\"quoted\" ψ\n" });
        var file = Safetensors.Read(path);
        Assert.That(file.Arrays.Keys, Is.EquivalentTo(Arrays.Select(a => a.Item1)));
        foreach (var (name, array) in Arrays)
        {
            Assert.That(file.Arrays[name].Shape, Is.EqualTo(array.Shape));
            Assert.That(file.Arrays[name].Data.Select(BitConverter.SingleToInt32Bits),
                Is.EqualTo(array.Data.Select(BitConverter.SingleToInt32Bits)));
        }
        Assert.That(file.Metadata, Is.EquivalentTo(new Dictionary<string, string> { ["step"] = "12", ["note"] = "\"quoted\" ψ\n" }));
    }

    [Test]
    public void The_bytes_are_those_of_the_format()
    {
        byte[] bytes =
            Bytes([("b", new([2], [1, 2])), ("a", new([1, 1], [3]))], new Dictionary<string, string> { ["z"] = "1", ["format"] = "pt" });
        const string header =
            """{"__metadata__":{"format":"pt","z":"1"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}}""";
        int padded = (header.Length + 7) / 8 * 8;
        byte[] expected = [.. BitConverter.GetBytes((long)padded), .. Encoding.ASCII.GetBytes(header.PadRight(padded)),
            .. BitConverter.GetBytes(1f), .. BitConverter.GetBytes(2f), .. BitConverter.GetBytes(3f)];
        Assert.That(bytes, Is.EqualTo(expected));
    }

    [Test]
    public void Half_bfloat_and_double_are_converted_wherever_they_lie_in_the_file()
    {
        byte[] data = new byte[4 + 4 + 16];
        BinaryPrimitives.WriteDoubleLittleEndian(data, 0.1);
        BinaryPrimitives.WriteDoubleLittleEndian(data.AsSpan(8), -3);
        BinaryPrimitives.WriteHalfLittleEndian(data.AsSpan(16), (Half)1.5);
        BinaryPrimitives.WriteHalfLittleEndian(data.AsSpan(18), Half.Epsilon);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(20), 0x3FC0);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(22), 0xC000);
        var file = Read(
            """{"h":{"dtype":"F16","shape":[2],"data_offsets":[16,20]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[20,24]},"d":{"dtype":"F64","shape":[2,1],"data_offsets":[0,16]}}""", data);
        Assert.Multiple(() =>
        {
            Assert.That(file.Arrays["d"].Data, Is.EqualTo(new[] { 0.1f, -3 }));
            Assert.That(file.Arrays["h"].Data, Is.EqualTo(new[] { 1.5f, (float)Half.Epsilon }));
            Assert.That(file.Arrays["b"].Data, Is.EqualTo(new[] { 1.5f, -2 }));
        });
    }

    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 8,
        "start at 0", TestName = "Overlapping arrays are refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "start at 4", TestName = "A hole is refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 8, "bytes after its end",
        TestName = "Trailing bytes are refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", 8, "within the 8 bytes",
        TestName = "Offsets beyond the end are refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 8, "at bytes 4 to 0",
        TestName = "Offsets the wrong way round are refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "expected 12 bytes",
        TestName = "A shape that does not fill its bytes is refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[65536,65536,65536],"data_offsets":[0,8]}}""", 8, "fits in memory",
        TestName = "A shape whose product overflows is refused")]
    [TestCase("""{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}""", 8, "of type I64", TestName = "An integer array is refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "twice",
        TestName = "A name given twice is refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "without a valid", TestName = "A negative size is refused")]
    [TestCase("""{"a":{"dtype":"F32","data_offsets":[0,8]}}""", 8, "without a valid", TestName = "A missing shape is refused")]
    [TestCase("""{"a":""", 0, "not JSON", TestName = "Broken JSON is refused")]
    [TestCase("""[1]""", 0, "not a JSON object", TestName = "JSON that is no object is refused")]
    [TestCase("""{"__metadata__":{"a":1}}""", 0, "not a text", TestName = "Metadata that is no text is refused")]
    [TestCase("""{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "Unicode",
        TestName = "A name that is not Unicode is refused")]
    public void Wrong_headers(string header, int dataBytes, string says)
    {
        var error = Assert.Throws<DataException>(() => Read(header, new byte[dataBytes]))!;
        Assert.That(error.Message, Does.StartWith("weights.safetensors: ").And.Contain(says));
        HostileBytes.AssertOneSentence(error.Message);
    }

    [Test]
    public void An_oversized_header_is_refused_before_memory_is_taken()
    {
        byte[] bytes = [.. BitConverter.GetBytes(100_000_001L), .. new byte[64]];
        Assert.That(() => Safetensors.Read(new MemoryStream(bytes), "w"),
            Throws.TypeOf<DataException>().With.Message.Contains("at most 100000000"));
    }

    [Test]
    public void A_missing_file_is_named()
    {
        string path = Path.Combine(TestFiles.Folder("safetensors"), "absent.safetensors");
        Assert.That(() => Safetensors.Read(path), Throws.TypeOf<DataException>().With.Message.StartsWith(path));
    }

    [Test]
    public void Names_given_twice_and_wrong_shapes_cannot_be_written()
    {
        Assert.That(() => Bytes([("a", new([1], [1])), ("a", new([1], [1]))]), Throws.ArgumentException.With.Message.Contains("twice"));
        Assert.That(() => new HostArray([2, 3], new float[5]), Throws.ArgumentException.With.Message.Contains("[2, 3]"));
        Assert.That(() => new HostArray([-1], []), Throws.ArgumentException);
    }

    [Test]
    public void Damaged_files_give_one_sentence() =>
        HostileBytes.Check(Bytes(Arrays, new Dictionary<string, string> { ["step"] = "12" }),
            bytes => Safetensors.Read(new MemoryStream(bytes), "weights.safetensors"), rounds: 4000);

    private static byte[] Bytes(IReadOnlyList<(string, HostArray)> arrays, Dictionary<string, string>? metadata = null)
    {
        using var stream = new MemoryStream();
        Safetensors.Write(stream, arrays, metadata);
        return stream.ToArray();
    }

    private static SafetensorsFile Read(string header, byte[] data) =>
        Safetensors.Read(new MemoryStream([.. BitConverter.GetBytes((long)header.Length), .. Encoding.ASCII.GetBytes(header), .. data]),
            "weights.safetensors");
}
