using System.Text;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

public sealed class EncodingsFileTests
{
    [Test]
    public void Tables_come_back_bit_by_bit([Values(".csv", ".npz")] string extension, [Values] bool probabilities, [Values] bool labels)
    {
        var table = Table(probabilities, labels);
        string path = Path.Combine(TestFiles.Folder("encodings"), "encodings" + extension);
        EncodingsFile.Write(path, table);
        AssertSame(EncodingsFile.Read(path), table);
    }

    [Test]
    public void A_large_table_is_split_into_blocks_without_a_trace()
    {
        const int points = 3000;
        const int factors = 40;
        var random = new Random(4);
        float[] Values() =>
            [.. Enumerable.Range(0, points * factors).Select(_ => (float)(random.NextDouble() * Math.Pow(10, random.Next(-30, 30))))];
        var table = new EncodingTable(points, factors, Values(), Values(), null, 0, [.. Enumerable.Range(0, points)]);
        string path = Path.Combine(TestFiles.Folder("encodings"), "large.csv");
        EncodingsFile.Write(path, table);
        AssertSame(EncodingsFile.Read(path), table);
    }

    [TestCase(1)]
    [TestCase(6)]
    [TestCase(25)]
    [TestCase(100_000)]
    public void A_block_of_any_size_gives_the_same_rows(int blockValues)
    {
        byte[] csv = Encoding.UTF8.GetBytes("\uFEFFmu_0,logvar_0,label\r\n"
            + string.Concat(Enumerable.Range(0, 50).Select(i => $"{i},{-0.5 * i},{i * i * i}\r\n")) + "\r\n \n\n");
        var blocks = EncodingsCsv.Read(new MemoryStream(csv), "encodings", blockValues).ToList();
        Assert.That(blocks, Has.Count.EqualTo(Math.Ceiling(50.0 / Math.Max(1, blockValues / 3))));
        AssertSame(EncodingTable.Join(blocks), new(50, 1, [.. Enumerable.Range(0, 50).Select(i => (float)i)],
            [.. Enumerable.Range(0, 50).Select(i => -0.5f * i)], null, 0, [.. Enumerable.Range(0, 50).Select(i => i * i * i)]));
    }

    [TestCase("mu_0,logvar_0\n1,2\n3,4\n5,6\n7,8\n9,x\n", "'x' in line 6")]
    [TestCase("mu_0,logvar_0\n1,2\n3,4\n5,6\n\n\n\n7,8\n", "1 field in line 5")]
    public void Lines_are_counted_across_blocks(string csv, string says) =>
        Assert.That(() => EncodingsCsv.Read(new MemoryStream(Encoding.UTF8.GetBytes(csv)), "encodings", blockValues: 4).ToList(),
            Throws.TypeOf<DataException>().With.Message.Contains(says));

    [Test]
    public void An_npz_is_read_in_blocks_and_its_checksum_is_looked_at_last()
    {
        const int points = (1 << 20) + 5;
        string path = Path.Combine(TestFiles.Folder("encodings"), "long.npz");
        float[] mu = new float[points], logVar = new float[points];
        for (int i = 0; i < points; i++)
            (mu[i], logVar[i]) = (i, -i % 7);
        var table = new EncodingTable(points, 1, mu, logVar, null, 0, null);
        EncodingsFile.Write(path, table);
        var blocks = EncodingsFile.ReadBlocks(path).ToList();
        Assert.That(blocks.Select(b => b.Points), Is.EqualTo(new[] { 1 << 20, 5 }));
        AssertSame(EncodingTable.Join(blocks), table);

        byte[] damaged = File.ReadAllBytes(path);
        damaged[4_000_000] ^= 1;
        Assert.That(() => EncodingsFile.ReadBlocks(() => new MemoryStream(damaged), "encodings").Count(),
            Throws.TypeOf<DataException>().With.Message.Contains("checksum"));
    }

    [Test]
    public void Arrays_in_column_major_order_and_deflated_are_read_too()
    {
        byte[] values = [.. new[] { 1f, 2, 3, 4, 5, 6 }.SelectMany(BitConverter.GetBytes)];
        var table = Read(NpyTests.Zip(("mu.npy", NpyTests.File("<f4", "(2, 3)", values, fortran: true)),
            ("logvar.npy", NpyTests.File("<f4", "(2, 3)", values))));
        Assert.That(table.Mu, Is.EqualTo(new float[] { 1, 3, 5, 2, 4, 6 }));
        Assert.That(table.LogVar, Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6 }));
    }

    [Test]
    public void Columns_may_come_in_any_order_with_quotes_blanks_a_byte_order_mark_and_either_line_end()
    {
        var table = Read("\uFEFF\"label\",logvar_1, mu_1 ,\"logvar_0\",mu_0\r\n3,-1.5,2,-0.25,1e-3\r\n-4, 0 ,+5,\"1\",6\r\n\r\n");
        Assert.Multiple(() =>
        {
            Assert.That((table.Points, table.Factors, table.Categories), Is.EqualTo((2, 2, 0)));
            Assert.That(table.Mu, Is.EqualTo(new[] { 1e-3f, 2, 6, 5 }));
            Assert.That(table.LogVar, Is.EqualTo(new[] { -0.25f, -1.5f, 1, 0 }));
            Assert.That(table.Labels, Is.EqualTo(new[] { 3, -4 }));
            Assert.That(table.Probabilities, Is.Null);
        });
    }

    [TestCase("mu_0,logvar_0\n1,2\n3,x\n", "'x' in line 3, column logvar_0")]
    [TestCase("mu_0,logvar_0\n1,2\n3,\n", "'' in line 3, column logvar_0")]
    [TestCase("mu_0,logvar_0\n1,NaN\n", "'NaN' in line 2, column logvar_0")]
    [TestCase("mu_0,logvar_0\n1e99,2\n", "'1e99' in line 2, column mu_0")]
    [TestCase("mu_0,logvar_0,label\n1,2,a\n", "'a' in line 2, column label")]
    [TestCase("mu_0,logvar_0\n1,2,3\n", "3 fields in line 2")]
    [TestCase("mu_0,logvar_0\n1,2\n3\n4,5\n", "1 field in line 3")]
    [TestCase("mu_0,logvar_0\n1,2\n\n4,5\n", "1 field in line 3")]
    [TestCase("mu_0,logvar_0\n1,\"2\n3,4\n", "line 2")]
    [TestCase("mu_0;logvar_0\n1;2\n", "named 'mu_0;logvar_0'")]
    [TestCase(",mu_0,logvar_0\n0,1,2\n", "column 1 named ''")]
    [TestCase("mu_0,logvar_0,mu_0\n1,2,3\n", "'mu_0' twice")]
    [TestCase("mu_0,logvar_0,mu_2,logvar_1\n1,2,3,4\n", "no column 'mu_1'")]
    [TestCase("mu_0,mu_1,logvar_0\n1,2,3\n", "no column 'logvar_1'")]
    [TestCase("mu_0,logvar_0,logvar_1\n1,2,3\n", "2 columns logvar_ and 1 columns mu_")]
    [TestCase("label\n1\n", "no column 'mu_0'")]
    [TestCase("mu_0,logvar_0\n", "without rows")]
    [TestCase("", "column 1 named ''")]
    [TestCase("mu_0,logvar_0,prob_0,prob_1\n1,2,0.5,0.5\n1,2,0.9,0.5\n", "sum to 1.4 in line 3")]
    [TestCase("mu_0,logvar_0,prob_0,prob_1\n1,2,-0.5,1.5\n", "negative in line 2")]
    public void What_is_wrong_with_a_table_is_said_with_line_and_column(string csv, string says)
    {
        var error = Assert.Throws<DataException>(() => Read(csv))!;
        Assert.That(error.Message, Does.StartWith("encodings: ").And.Contain(says));
        HostileBytes.AssertOneSentence(error.Message);
    }

    [Test]
    public void The_first_of_several_errors_is_reported()
    {
        var csv = new StringBuilder("mu_0,logvar_0\n");
        for (int line = 2; line < 400_000; line++)
            csv.Append(line is 180_000 or 360_000 ? "bad,0\n" : "0.125,0.5\n");
        Assert.That(() => Read(csv.ToString()), Throws.TypeOf<DataException>().With.Message.Contains("line 180000"));
    }

    [Test]
    public void Arrays_of_other_types_are_read_from_npz()
    {
        byte[] doubles = [.. new[] { 0.5, -1 }.SelectMany(BitConverter.GetBytes)];
        byte[] zip =
            NpyTests.Zip(("logvar.npy", NpyTests.File("<f8", "(1, 2)", doubles)), ("mu.npy", NpyTests.File("<f8", "(1, 2)", doubles)),
            ("labels.npy", NpyTests.File("<i8", "(1,)", BitConverter.GetBytes(7L))), ("extra.npy", NpyTests.File("|O", "()", [])));
        var table = Read(zip);
        Assert.That(table.Mu, Is.EqualTo(new[] { 0.5f, -1 }));
        Assert.That(table.Labels, Is.EqualTo(new[] { 7 }));
    }

    [TestCase("(2, 1)", "(1, 2)", "logvar of shape [1, 2]; expected [2, 1]")]
    [TestCase("(2,)", "(2,)", "mu of shape [2]; expected [points, factors]")]
    public void Shapes_that_do_not_fit_are_refused(string mu, string logVar, string says)
    {
        byte[] zip = NpyTests.Zip(("mu.npy", NpyTests.File("|u1", mu, [1, 2])), ("logvar.npy", NpyTests.File("|u1", logVar, [1, 2])));
        Assert.That(() => Read(zip), Throws.TypeOf<DataException>().With.Message.Contains(says));
    }

    [Test]
    public void A_missing_array_and_a_value_that_is_no_number_are_named()
    {
        byte[] one = NpyTests.Zip(("mu.npy", NpyTests.File("|u1", "(1, 1)", [1])));
        Assert.That(() => Read(one), Throws.TypeOf<DataException>().With.Message.Contains("no array 'logvar'"));
        byte[] nan = NpyTests.Zip(("mu.npy", NpyTests.File("<f4", "(2, 1)", [0, 0, 0, 0, 0, 0, 0xC0, 0x7F])),
            ("logvar.npy", NpyTests.File("|u1", "(2, 1)", [1, 2])));
        Assert.That(() => Read(nan), Throws.TypeOf<DataException>().With.Message.Contains("NaN in row 1, column 0 of mu"));
    }

    [Test]
    public void Only_csv_and_npz_are_written_and_only_tables_that_fit()
    {
        string folder = TestFiles.Folder("encodings");
        Assert.That(() => EncodingsFile.Write(Path.Combine(folder, "e.txt"), Table(false, false)),
            Throws.ArgumentException.With.Message.Contains(".csv or .npz"));
        Assert.That(() => EncodingsFile.Write(Path.Combine(folder, "e.csv"), Table(false, false) with { Points = 4 }),
            Throws.ArgumentException.With.Message.Contains("Mu has 6 values"));
        Assert.That(Directory.GetFileSystemEntries(folder), Is.Empty);
    }

    [Test]
    public void Damaged_tables_give_one_sentence() =>
        HostileBytes.Check(
            Encoding.UTF8.GetBytes("mu_0,mu_1,logvar_0,logvar_1,prob_0,prob_1,label\n0.5,1.5,-2,3,0.25,0.75,4\n1,2,3,4,0.5,0.5,6\n"),
            bytes => Read(bytes), rounds: 4000);

    private static EncodingTable Table(bool probabilities, bool labels) => new(
        3, 2, [0, -1.5f, float.Epsilon, float.MaxValue, 0.1f, 1 / 3f], [1e-10f, -2, 3, 16777216, -0f, MathF.PI],
        probabilities ? [0.25f, 0.75f, 1, 0, 0.1f, 0.9f] : null, probabilities ? 2 : 0, labels ? [3, -1, int.MaxValue] : null);

    private static void AssertSame(EncodingTable read, EncodingTable written)
    {
        static int[]? Bits(float[]? values) => values?.Select(BitConverter.SingleToInt32Bits).ToArray();
        Assert.Multiple(() =>
        {
            Assert.That((read.Points, read.Factors, read.Categories), Is.EqualTo((written.Points, written.Factors, written.Categories)));
            Assert.That(Bits(read.Mu), Is.EqualTo(Bits(written.Mu)));
            Assert.That(Bits(read.LogVar), Is.EqualTo(Bits(written.LogVar)));
            Assert.That(Bits(read.Probabilities), Is.EqualTo(Bits(written.Probabilities)));
            Assert.That(read.Labels, Is.EqualTo(written.Labels));
        });
    }

    private static EncodingTable Read(string csv) => Read(Encoding.UTF8.GetBytes(csv));

    private static EncodingTable Read(byte[] file) =>
        EncodingTable.Join([.. EncodingsFile.ReadBlocks(() => new MemoryStream(file), "encodings")]);
}
