using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

public sealed class NpyTests
{
    [Test]
    public void The_bytes_are_those_that_numpy_writes()
    {
        using var stream = new MemoryStream();
        Npy.Write(stream, NpyArray.From([2, 3], [1f, 2, 3, 4, 5, 6]));
        string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".PadRight(117) + "\n";
        byte[] expected = [0x93, .. "NUMPY"u8, 1, 0, 118, 0, .. Encoding.ASCII.GetBytes(header),
            .. new[] { 1f, 2, 3, 4, 5, 6 }.SelectMany(BitConverter.GetBytes)];
        Assert.That(stream.ToArray(), Is.EqualTo(expected));
    }

    [TestCase("<f4", "0000C03F000000C0", new[] { 1.5f, -2 })]
    [TestCase("<f8", "000000000000F83F00000000000000C0", new[] { 1.5f, -2 })]
    [TestCase("|u1", "07FF", new[] { 7f, 255 })]
    [TestCase("|i1", "07FF", new[] { 7f, -1 })]
    [TestCase("<i2", "0700FFFF", new[] { 7f, -1 })]
    [TestCase("<i4", "07000000FFFFFFFF", new[] { 7f, -1 })]
    [TestCase("<i8", "0700000000000000FFFFFFFFFFFFFFFF", new[] { 7f, -1 })]
    [TestCase("|b1", "0001", new[] { 0f, 1 })]
    public void Every_type_is_converted(string type, string hex, float[] values)
    {
        var array = Read(File(type, "(2,)", Convert.FromHexString(hex)));
        Assert.That(array.ToFloats(), Is.EqualTo(values));
        if (type[1] != 'f')
            Assert.That(array.ToInts("a"), Is.EqualTo(values.Select(v => (int)v)));
        else
            Assert.That(() => array.ToInts("a"), Throws.TypeOf<DataException>().With.Message.Contains(type));
    }

    [Test]
    public void Integers_beyond_32_bits_are_not_cut_off() =>
        Assert.That(() => Read(File("<i8", "()", BitConverter.GetBytes(1L << 40))).ToInts("a.npy"),
            Throws.TypeOf<DataException>().With.Message.Contains("1099511627776"));

    [Test]
    public void Column_major_arrays_are_turned_into_row_major_ones()
    {
        // Element [i, j, k] of a (2, 3, 2) array is 100 i + 10 j + k; column-major files store i fastest.
        byte[] columnMajor = [.. from k in Enumerable.Range(0, 2) from j in Enumerable.Range(0, 3) from i in Enumerable.Range(0,
            2) select (byte)(100 * i + 10 * j + k)];
        byte[] rowMajor = [.. from i in Enumerable.Range(0, 2) from j in Enumerable.Range(0, 3) from k in Enumerable.Range(0,
            2) select (byte)(100 * i + 10 * j + k)];
        var array = Read(File("|u1", "(2, 3, 2)", columnMajor, fortran: true));
        Assert.That(array.Bytes, Is.EqualTo(rowMajor));
        Assert.That(array.Shape, Is.EqualTo(new[] { 2, 3, 2 }));
    }

    [Test]
    public void Versions_1_to_3_are_read([Values(1, 2, 3)] int version)
    {
        var array = Read(File("|u1", "(3, 1)", [1, 2, 3], version: version));
        Assert.That(array.Shape, Is.EqualTo(new[] { 3, 1 }));
        Assert.That(array.Bytes, Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [TestCase("|O", "()", 8, "Python objects")]
    [TestCase(">f4", "(2,)", 8, "type >f4")]
    [TestCase("<U3", "(2,)", 24, "type <U3")]
    [TestCase("<f4", "(3,)", 8, "cut short")]
    [TestCase("<f4", "(1,)", 8, "after its end")]
    [TestCase("<f4", "(65536, 65536, 65536)", 8, "at most")]
    [TestCase("<f4", "(99999999999,)", 8, "sizes below")]
    [TestCase("<f4", "(-1,)", 8, "cannot be read")]
    public void What_cannot_be_read_is_refused(string type, string shape, int bytes, string says)
    {
        var error = Assert.Throws<DataException>(() => Read(File(type, shape, new byte[bytes])))!;
        Assert.That(error.Message, Does.Contain(says));
        HostileBytes.AssertOneSentence(error.Message);
    }

    [Test]
    public void A_zip_of_arrays_comes_back_and_its_bytes_depend_on_nothing_else()
    {
        var arrays = new[] { ("mu", NpyArray.From([2, 2], [1f, 2, 3, float.NaN])), ("labels", NpyArray.From([3], [7, -1, int.MaxValue])),
            ("pixels", NpyArray.From([1], new byte[] { 9 })) };
        string folder = TestFiles.Folder("npz");
        Npz.Write(Path.Combine(folder, "a.npz"), arrays);
        Npz.Write(Path.Combine(folder, "b.npz"), arrays);
        Assert.That(System.IO.File.ReadAllBytes(Path.Combine(folder, "a.npz")),
            Is.EqualTo(System.IO.File.ReadAllBytes(Path.Combine(folder, "b.npz"))));

        var read = Npz.Read(Path.Combine(folder, "a.npz"));
        Assert.That(read.Keys, Is.EquivalentTo(arrays.Select(a => a.Item1)));
        foreach (var (name, array) in arrays)
        {
            Assert.That((read[name].Type, read[name].Bytes), Is.EqualTo((array.Type, array.Bytes)));
            Assert.That(read[name].Shape, Is.EqualTo(array.Shape));
        }
        Assert.That(Npz.Read(Path.Combine(folder, "a.npz"), ["labels", "absent"]).Keys, Is.EqualTo(new[] { "labels" }));
    }

    [Test]
    public void Pickled_objects_are_skipped_unless_they_are_asked_for()
    {
        byte[] zip = Zip(("metadata.npy", File("|O", "()", [0x80, 0x02, (byte)'.'])), ("x.npy", File("|u1", "(1,)", [4])));
        Assert.That(Npz.Read(new MemoryStream(zip), "f.npz").Keys, Is.EqualTo(new[] { "x" }));
        Assert.That(() => Npz.Read(new MemoryStream(zip), "f.npz", ["metadata"]),
            Throws.TypeOf<DataException>().With.Message.Contains("f.npz/metadata.npy").And.Message.Contains("Python objects"));
    }

    [Test]
    public void A_zip_bomb_is_refused_before_memory_is_taken()
    {
        byte[] bomb = Zip(("x.npy", [.. File("|u1", "(1,)", [4]), .. new byte[1 << 24]]));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => Npz.Read(new MemoryStream(bomb), "f.npz"), Throws.TypeOf<DataException>().With.Message.Contains("by its header"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [Test]
    public void A_name_given_twice_is_refused()
    {
        byte[] zip = Zip(("x.npy", File("|u1", "(1,)", [4])), ("x.npy", File("|u1", "(1,)", [5])));
        Assert.That(() => Npz.Read(new MemoryStream(zip), "f.npz"), Throws.TypeOf<DataException>().With.Message.Contains("'x' twice"));
    }

    [Test]
    public void A_value_changed_inside_a_zip_is_noticed()
    {
        using var stream = new MemoryStream();
        Npz.Write(stream, [("x", NpyArray.From([4], [1, 2, 3, 4]))]);
        byte[] bytes = stream.ToArray();
        int at = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[2, 0, 0, 0, 3, 0, 0, 0]);
        bytes[at] = 9;
        Assert.That(() => Npz.Read(new MemoryStream(bytes), "f.npz"), Throws.TypeOf<DataException>().With.Message.Contains("checksum"));
    }

    [Test]
    public void Damaged_arrays_give_one_sentence() =>
        HostileBytes.Check(File("<f4", "(3, 4)", new byte[48]), bytes => Read(bytes));

    [Test]
    public void Damaged_zips_give_one_sentence([Values] bool compressed)
    {
        byte[] zip = Zip(compressed ? CompressionLevel.Optimal : CompressionLevel.NoCompression,
            ("mu.npy", File("<f4", "(30, 4)", new byte[480])), ("x.npy", File("|u1", "(5,)", [1, 2, 3, 4, 5])));
        HostileBytes.Check(zip, bytes => Npz.Read(new MemoryStream(bytes), "f.npz"), rounds: 4000);
    }

    public static byte[] File(string type, string shape, byte[] values, bool fortran = false, int version = 1)
    {
        byte[] header = Encoding.ASCII.GetBytes($"{{'descr': '{type}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        byte[] length = new byte[version == 1 ? 2 : 4];
        BinaryPrimitives.WriteInt16LittleEndian(length, (short)header.Length);
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. header, .. values];
    }

    public static byte[] Zip(params (string Name, byte[] Contents)[] entries) => Zip(CompressionLevel.Optimal, entries);

    private static byte[] Zip(CompressionLevel level, params (string Name, byte[] Contents)[] entries)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, contents) in entries)
            {
                using var entry = zip.CreateEntry(name, level).Open();
                entry.Write(contents);
            }
        return stream.ToArray();
    }

    private static NpyArray Read(byte[] bytes) => Npy.Read(new MemoryStream(bytes), "a.npy", bytes.Length);
}
