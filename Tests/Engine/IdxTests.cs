using System.Buffers.Binary;
using System.IO.Compression;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

public sealed class IdxTests
{
    [Test]
    public void Plain_and_compressed_files_hold_the_same_array([Values] bool compressed)
    {
        byte[] values = [.. Enumerable.Range(0, 24).Select(i => (byte)(i * 7))];
        var array = Read(File([2, 3, 4], values, compressed), axes: 3);
        Assert.That(array.Shape, Is.EqualTo(new[] { 2, 3, 4 }));
        Assert.That(array.Data, Is.EqualTo(values));
    }

    [TestCase(23, "cut short", TestName = "Too few values are refused")]
    [TestCase(25, "after its end", TestName = "Trailing values are refused")]
    public void Wrong_lengths(int count, string says) =>
        Assert.That(() => Read(File([2, 3, 4], new byte[count]), axes: 3), Throws.TypeOf<DataException>().With.Message.Contains(says));

    [TestCase(23, "cut short", TestName = "Too few compressed values are refused")]
    [TestCase(25, "more than", TestName = "Trailing compressed values are refused")]
    public void Wrong_compressed_lengths(int count, string says) =>
        Assert.That(() => Read(File([2, 3, 4], new byte[count], compressed: true), axes: 3),
            Throws.TypeOf<DataException>().With.Message.Contains(says));

    [Test]
    public void Labels_in_place_of_images_are_refused() =>
        Assert.That(() => Read(File([4], [1, 2, 3, 4]), axes: 3),
            Throws.TypeOf<DataException>().With.Message.Contains("00000801").And.Message.Contains("swapped"));

    [TestCase(new[] { int.MaxValue, int.MaxValue, int.MaxValue })]
    [TestCase(new[] { 0, 28, 28 })]
    [TestCase(new[] { -1, 28, 28 })]
    public void Absurd_sizes_are_refused(int[] shape) =>
        Assert.That(() => Read(File(shape, []), axes: 3), Throws.TypeOf<DataException>().With.Message.Contains("axis"));

    [Test]
    public void A_compressed_header_that_promises_more_than_gzip_can_hold_is_refused() =>
        Assert.That(() => Read(File([1000, 1000, 1000], [], compressed: true), axes: 3),
            Throws.TypeOf<DataException>().With.Message.Contains("promises 1000000000"));

    [Test]
    public void A_gzip_bomb_is_read_no_further_than_its_header_says()
    {
        byte[] bomb = File([1, 1, 1], new byte[1 << 26], compressed: true);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => Read(bomb, axes: 3), Throws.TypeOf<DataException>());
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [Test]
    public void Damaged_files_give_one_sentence([Values] bool compressed) =>
        HostileBytes.Check(File([5, 4, 3], [.. Enumerable.Range(0, 60).Select(i => (byte)(i * 37))], compressed),
            bytes => Read(bytes, axes: 3));

    [Test]
    public void A_gzip_file_is_complete_or_refused([Values(1, 2)] int members)
    {
        byte[] plain = File([5, 4, 3], [.. Enumerable.Range(0, 60).Select(i => (byte)(i * 37))]);
        byte[] whole = members == 1 ? Compress(plain) : [.. Compress(plain[..20]), .. Compress(plain[20..])];
        Assert.That(Read(whole, axes: 3).Data, Is.EqualTo(plain[16..]));
        for (int missing = 1; missing <= 8; missing++)
            Assert.That(() => Read(whole[..^missing], axes: 3), Throws.TypeOf<DataException>().With.Message.Contains("file.idx: "),
                $"{missing} bytes of the last 8 missing");
    }

    public static byte[] File(int[] shape, byte[] values, bool compressed = false)
    {
        byte[] file = new byte[4 + 4 * shape.Length + values.Length];
        file[2] = 8;
        file[3] = (byte)shape.Length;
        for (int axis = 0; axis < shape.Length; axis++)
            BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(4 + 4 * axis), shape[axis]);
        values.CopyTo(file, 4 + 4 * shape.Length);
        return compressed ? Compress(file) : file;
    }

    public static byte[] Compress(byte[] bytes)
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Optimal))
            gzip.Write(bytes);
        return buffer.ToArray();
    }

    private static IdxArray Read(byte[] bytes, int axes) => Idx.Read(new MemoryStream(bytes), "file.idx", axes);
}
