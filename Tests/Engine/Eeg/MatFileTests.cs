using System.IO.Compression;
using System.Text;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Eeg;

public sealed class MatFileTests
{
    private static readonly string[] Names = ["data", "labels"];

    [TestCase(false)]
    [TestCase(true)]
    public void Arrays_come_back_row_major(bool compressed)
    {
        double[] values = [.. Enumerable.Range(0, 24).Select(i => i * 0.5)];
        var arrays =
            Read(File(compressed, Matrix("other", [1, 1], [9]), Matrix("data", [2, 3, 4], values), Matrix("labels", [2, 1], [3, 4])));
        Assert.That(arrays.Keys, Is.EquivalentTo(Names));
        Assert.That(arrays["data"].Shape, Is.EqualTo(new[] { 2, 3, 4 }));
        Assert.That(arrays["data"].ToFloats(), Is.EqualTo(values.Select(v => (float)v)));
        Assert.That(arrays["labels"].ToFloats(), Is.EqualTo(new[] { 3f, 4 }));
    }

    [Test]
    public void Doubles_stored_as_small_integers_are_read()
    {
        byte[] matrix = MatrixOf("labels", [1, 3], 6, Element(2, [1, 2, 250]));
        Assert.That(Read(File(true, matrix))["labels"].ToFloats(), Is.EqualTo(new[] { 1f, 2, 250 }));
        matrix = MatrixOf("labels", [1, 2], 6, Element(3, [0xFF, 0xFF, 2, 1]));
        Assert.That(Read(File(false, matrix))["labels"].ToFloats(), Is.EqualTo(new[] { -1f, 258 }));
    }

    [Test]
    public void Other_versions_and_kinds_are_refused_with_advice()
    {
        byte[] newer = [.. Encoding.ASCII.GetBytes("MATLAB 7.3 MAT-file".PadRight(124)), 0, 2, (byte)'I', (byte)'M'];
        Assert.That(() => Read(newer), Throws.TypeOf<DataException>().With.Message.Contains("-v7"));
        Assert.That(() => Read(File(false, MatrixOf("data", [1, 1], 1, []))),
            Throws.TypeOf<DataException>().With.Message.Contains("class 1"));
        Assert.That(() => Read(File(false, MatrixOf("data", [65536, 65536], 6, Element(9, new byte[8])))),
            Throws.TypeOf<DataException>().With.Message.Contains("fits in memory"));
        Assert.That(() => Read(File(false, Matrix("data", [1, 1], [1]), Matrix("data", [1, 1], [1]))),
            Throws.TypeOf<DataException>().With.Message.Contains("twice"));
        Assert.That(() => Read(File(false, MatrixOf("data", [3, 1], 6, Element(9, new byte[16])))),
            Throws.TypeOf<DataException>().With.Message.Contains("16 bytes"));
        Assert.That(() => Read([1, 2, 3]), Throws.TypeOf<DataException>().With.Message.Contains("level 5"));
    }

    [Test]
    public void A_compressed_promise_that_deflate_cannot_keep_is_refused_before_memory_is_taken()
    {
        byte[] header = [.. BitConverter.GetBytes(14), .. BitConverter.GetBytes(2_000_000_000)];
        byte[] file = [.. Header, .. Element(15, Deflate(header))];
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => Read(file), Throws.TypeOf<DataException>().With.Message.Contains("deflate"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Damaged_files_are_refused_whatever_the_damage(bool compressed) =>
        HostileBytes.Check(File(compressed, Matrix("data", [2, 3], [1.5, 2, 3, 4, 5, 6]), Matrix("labels", [2, 1], [3.25, 4])),
            bytes => Read(bytes));

    private static byte[] Header =>
        [.. Encoding.ASCII.GetBytes("MATLAB 5.0 MAT-file".PadRight(116)), .. new byte[8], 0, 1, (byte)'I', (byte)'M'];

    /// <summary>A level-5 file of variables made by <see cref="Matrix"/>.</summary>
    public static byte[] File(bool compressed, params byte[][] matrices) =>
        [.. Header, .. matrices.SelectMany(m => compressed
            ? [.. BitConverter.GetBytes(15), .. BitConverter.GetBytes(Deflate(m).Length), .. Deflate(m)] : m)];

    /// <summary>A variable of doubles given row-major; MATLAB stores them column by column.</summary>
    public static byte[] Matrix(string name, int[] shape, double[] rowMajor)
    {
        double[] columnMajor = new double[rowMajor.Length];
        for (int i = 0; i < rowMajor.Length; i++)
        {
            int rest = i, to = 0;
            for (int axis = shape.Length - 1; axis >= 0; rest /= shape[axis--])
                to += rest % shape[axis] * shape[..axis].Aggregate(1, (a, b) => a * b);
            columnMajor[to] = rowMajor[i];
        }
        return MatrixOf(name, shape, 6, Element(9, [.. columnMajor.SelectMany(BitConverter.GetBytes)]));
    }

    /// <summary>A compressed file of one variable of bytes, column by column.</summary>
    public static byte[] Bytes(string name, int[] shape, byte[] columnMajor) => File(true, MatrixOf(name, shape, 9, Element(2,
        columnMajor)));

    private static byte[] MatrixOf(string name, int[] shape, byte kind, byte[] values) =>
        Element(14, [.. Element(6, [kind, 0, 0, 0, 0, 0, 0, 0]), .. Element(5, [.. shape.SelectMany(BitConverter.GetBytes)]),
            .. Element(1, Encoding.ASCII.GetBytes(name)), .. values]);

    private static byte[] Element(int type, byte[] contents) => contents.Length is > 0 and <= 4
        ? [.. BitConverter.GetBytes(type | (contents.Length << 16)), .. contents, .. new byte[4 - contents.Length]]
        : [.. BitConverter.GetBytes(type), .. BitConverter.GetBytes(contents.Length), .. contents,
            .. new byte[(8 - contents.Length % 8) % 8]];

    private static byte[] Deflate(byte[] bytes)
    {
        using var stream = new MemoryStream();
        using (var zlib = new ZLibStream(stream, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(bytes);
        return stream.ToArray();
    }

    private static IReadOnlyDictionary<string, NpyArray> Read(byte[] bytes) => MatFile.Read(new MemoryStream(bytes), "s01.mat", Names);
}
