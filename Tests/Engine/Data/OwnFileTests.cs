using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

/// <summary>Arrays and tables of one's own: what is read, what is refused, and the way back to the file's own units.</summary>
public sealed class OwnFileTests
{
    private const int Items = 20, Tested = 4;

    private static readonly string Folder = TestFiles.Folder("own");

    [Test]
    public void Bytes_stay_bytes_and_a_seeded_fifth_is_tested_on()
    {
        byte[] pixels = [.. Enumerable.Range(0, Items * 6).Select(i => (byte)(i * 2))];
        string file = Arrays(("x", NpyArray.From([Items, 2, 3], (ReadOnlySpan<byte>)pixels)));
        var (train, test) = OwnFile.Load(file);
        Assert.That((train.Count, test.Count, train.Height, train.Width, train.Channels), Is.EqualTo((Items - Tested, Tested, 2, 3, 1)));
        Assert.That((train.Values, train.Columns, train.PixelScale), Is.EqualTo(((float[]?)null, (TableColumns?)null, 1f / 255)));
        int[] firsts = [.. new[] { train, test }.SelectMany(s => Enumerable.Range(0, s.Count).Select(i => s.Image(i)[0] / 12))];
        Assert.That(firsts.Order(), Is.EqualTo(Enumerable.Range(0, Items)), "each image in one split");
        Assert.That(firsts[..train.Count], Is.Ordered, "in file order");
        Assert.That(OwnFile.Load(file).Test.Pixels, Is.EqualTo(test.Pixels), "the same every time");
    }

    [Test]
    public void Floating_point_values_keep_their_precision()
    {
        float[] values = [.. Enumerable.Range(0, Items * 4).Select(i => i / 81f)];
        var (train, test) = OwnFile.Load(Arrays(("pictures", NpyArray.From([Items, 2, 2, 1], values))));
        Assert.That(new[] { train, test }.SelectMany(s => s.ToFloats(0, s.Count)).Order(), Is.EqualTo(values));
        float[] loud = Array.ConvertAll(values, v => 255 * v);
        (train, test) = OwnFile.Load(Arrays(("x", NpyArray.From([Items, 2, 2], loud))));
        Assert.That(new[] { train, test }.SelectMany(s => s.ToFloats(0, s.Count)).Order(),
            Is.EqualTo(loud.Select(v => v / 255)).Within(1e-7));
    }

    [Test]
    public void Zeros_and_ones_stay_zeros_and_ones()
    {
        byte[] bits = [.. Enumerable.Range(0, Items * 4).Select(i => (byte)(i % 2))];
        var train = OwnFile.Load(Arrays(("x", NpyArray.From([Items, 2, 2], (ReadOnlySpan<byte>)bits)))).Train;
        Assert.That(train.ToFloats(0, 1), Is.EqualTo(new[] { 0f, 1, 0, 1 }));
    }

    [Test]
    public void Labels_and_test_arrays_are_taken_and_vectors_have_columns()
    {
        int[] values = [.. Enumerable.Range(0, 30).Select(i => i * 8)];
        var (train, test) = OwnFile.Load(Arrays(("x_train", NpyArray.From([10, 3], (ReadOnlySpan<int>)values)),
            ("y_train", NpyArray.From([10], (ReadOnlySpan<int>)[.. Enumerable.Range(0, 10).Select(i => i % 3)])),
            ("x_test", NpyArray.From([2, 3], (ReadOnlySpan<float>)[0, 0.5f, 1, 0, 0, 0])),
            ("y_test", NpyArray.From([2], (ReadOnlySpan<int>)[3, 0]))));
        Assert.That((train.Count, test.Count, train.Classes, test.Classes), Is.EqualTo((10, 2, 4, 4)));
        Assert.That(test.Labels, Is.EqualTo(new byte[] { 3, 0 }));
        Assert.That((train.Height, train.Width), Is.EqualTo((1, 3)));
        Assert.That(train.Columns!.All.Select(c => c.Name), Is.EqualTo(new[] { "x_0", "x_1", "x_2" }));
        Assert.That(train.Columns.Decode(train.ToFloats(1, 1)), Is.EqualTo(new object[] { 24.0, 32.0, 40.0 }).Within(1e-4));
        Assert.That(test.ToFloats(0, 1)[1], Is.EqualTo(0.5f / 255).Within(1e-8), "of one range with what is trained on");
    }

    public static IEnumerable<TestCaseData> BadArrays()
    {
        var good = NpyArray.From([4, 2, 2], new float[16]);
        yield return Bad("a value above 255", "the value 300 in item 2",
            ("x", NpyArray.From([3, 2], (ReadOnlySpan<int>)[0, 1, 2, 3, 300, 5])));
        yield return Bad("a negative value", "the value -0.5 in item 1",
            ("x", NpyArray.From([2, 1, 2], (ReadOnlySpan<float>)[0, 1, -0.5f, 1])));
        yield return Bad("not a number", "the value NaN in item 0",
            ("x", NpyArray.From([2, 2], (ReadOnlySpan<float>)[0, float.NaN, 1, 1])));
        yield return Bad("two channels", "shape [4, 2, 1, 2]", ("x", NpyArray.From([4, 2, 1, 2], new float[16])));
        yield return Bad("one axis", "shape [16]", ("x", NpyArray.From([16], new float[16])));
        yield return Bad("nothing to choose", "arrays a, b", ("a", good), ("b", good));
        yield return Bad("labels of some", "shape [3]", ("x", good), ("y", NpyArray.From([3], (ReadOnlySpan<int>)[0, 1, 2])));
        yield return Bad("a label that is none", "label -1 of item 3", ("x", good),
            ("y", NpyArray.From([4], (ReadOnlySpan<int>)[0, 1, 2, -1])));
        yield return Bad("labels that are no integers", "type <f4", ("x", good), ("y", NpyArray.From([4], new float[4])));
        yield return Bad("test labels alone", "y_test without x_test", ("x", good), ("y_test", NpyArray.From([4], new int[4].AsSpan())));
        yield return Bad("labels of one split", "labels of x alone", ("x", good), ("x_test", good),
            ("y", NpyArray.From([4], new int[4].AsSpan())));
        yield return Bad("other sizes", "x_test of shape [2, 8]", ("x", good), ("x_test", NpyArray.From([2, 8], new float[16])));
        yield return Bad("no items", "no items, shape [0, 4, 4]", ("x", NpyArray.From([0, 4, 4], Array.Empty<float>())));
        yield return Bad("one item", "1 item;", ("x", NpyArray.From([1, 2, 2], new float[4])));

        static TestCaseData Bad(string name, string found, params (string, NpyArray)[] arrays) =>
            new TestCaseData(arrays, found).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(BadArrays))]
    public void Arrays_that_cannot_be_trained_on_are_refused_in_a_sentence((string, NpyArray)[] arrays, string found) =>
        AssertRefused(Arrays(arrays), found);

    [Test]
    public void A_table_is_standardised_by_its_training_rows_and_comes_back_in_its_own_units()
    {
        string[] plans = ["none", "basic", "full, with extras"];
        var random = new Random(1);
        string[][] cells = [.. Enumerable.Range(0, 200).Select(i => new[]
        {
            i.ToString(CultureInfo.InvariantCulture), plans[random.Next(3)],
            (1.6e9 + 40 * random.NextDouble()).ToString("R", CultureInfo.InvariantCulture), random.Next(2) == 0 ? "10" : "9",
        })];
        string file = Table("row,plan,when,label", [.. cells.Select(c => $"{c[0]},\"{c[1]}\",{c[2]},{c[3]}")]);
        var (train, test) = OwnFile.Load(file);
        Assert.That((train.Count, test.Count, train.Width, train.Classes), Is.EqualTo((160, 40, 5, 2)));
        Assert.That(train.Columns!.Layout.Categories, Is.EqualTo(new[] { 3 }));
        Assert.That(train.Columns.All[1].Values, Is.EqualTo(new[] { "basic", "full, with extras", "none" }), "ordinal");
        float[] values = train.ToFloats(0, train.Count);
        for (int column = 0; column < 2; column++)
        {
            double[] own = [.. Enumerable.Range(0, train.Count).Select(n => (double)values[n * 5 + column])];
            Assert.That(own.Average(), Is.Zero.Within(1e-5));
            Assert.That(own.Average(v => v * v), Is.EqualTo(1).Within(1e-5));
        }
        foreach (var split in (ImageDataset[])[train, test])
            for (int n = 0; n < split.Count; n++)
            {
                object[] row = split.Columns!.Decode(split.ToFloats(n, 1));
                string[] expected = cells[(int)Math.Round((double)row[0])];
                Assert.That(row[1], Is.EqualTo(expected[1]));
                // A number of 1.6e9 keeps what tells the rows apart.
                Assert.That((double)row[2], Is.EqualTo(double.Parse(expected[2], CultureInfo.InvariantCulture)).Within(1e-4));
                Assert.That(split.Labels![n], Is.EqualTo(expected[3] == "9" ? 0 : 1), "whole numbers in their own order");
            }
    }

    [Test]
    public void Columns_with_one_value_are_left_out_and_said()
    {
        var splits = OwnFile.Load(Table("a,same,word,b", [.. Enumerable.Range(0, 12).Select(i => $"{i},7,yes,{i % 3}")]));
        Assert.That(splits.Train.Columns!.All.Select(c => c.Name), Is.EqualTo(new[] { "a", "b" }));
        Assert.That(splits.Notes.Single(), Does.Contain("same, word have one value in all training rows"));
    }

    [TestCase("a,b\n1,2\n3,\n", "no value in line 3, column b")]
    [TestCase("a,b\n1,2\nNA,4\n", "no value in line 3, column a")]
    [TestCase("a,b\n1,2\n3,4,5\n", "3 fields in line 3")]
    [TestCase("a,b\n1,2\n\n3,4\n", "line 3 is empty")]
    [TestCase("a,b\n1,2\n1e999,4\n", "line 3, column a")]
    [TestCase("a,a\n1,2\n3,4\n", "two columns a")]
    [TestCase("a,\n1,2\n3,4\n", "no name for column 2")]
    [TestCase("1,2\n3,4\n", "numbers alone in the first line")]
    [TestCase("a,b\n", "a header without rows")]
    [TestCase("", "no lines")]
    [TestCase("a,b\n1,2\n", "1 row;")]
    [TestCase("a,b\n1,2\n1,2\n1,2\n", "one value in each column of the 2 training rows")]
    [TestCase("a,b\n1,2\n3,4\n", "2 rows, one of which is left to train on")]
    [TestCase("a,label,Label\n1,2,3\n3,4,5\n", "columns label and Label")]
    [TestCase("a,Label\n1,1\n3,0.5\n", "'0.5' in line 3, column Label, which is no class")]
    [TestCase("a,b\n1,\"2\n3,4\n", "line")]
    public void Tables_that_cannot_be_trained_on_are_refused_in_a_sentence(string text, string found)
    {
        string file = Path.Combine(Folder, $"{Guid.NewGuid():N}.csv");
        File.WriteAllText(file, text);
        AssertRefused(file, found);
    }

    [Test]
    public void A_column_of_too_many_texts_names_the_first_that_is_no_number()
    {
        string[] rows = [.. Enumerable.Range(0, 400).Select(i => $"{i},{(i >= 17 ? $"x{i}" : i)}")];
        AssertRefused(Table("a,b", rows), "column b, 'x17' in line 19 the first");
    }

    [TestCase("x17")]
    [TestCase("inf")]
    [TestCase("\"1,5\"")]
    [TestCase("?")]
    public void A_few_cells_that_are_no_numbers_make_no_category_of_a_column_of_numbers(string cell)
    {
        foreach (int count in (int[])[10, 100])
            AssertRefused(Table("a,b", [.. Enumerable.Range(0, count).Select(i => $"{i},{(i == 7 ? cell : $"{i}.5")}")]),
                $"'{cell.Trim('"')}' in line 9, column b");
    }

    [Test]
    public void Codes_that_repeat_and_texts_stay_categories()
    {
        var columns = OwnFile.Load(Table("a,code,half", [.. Enumerable.Range(0, 100).Select(i =>
            $"{i},{(i % 20 == 3 ? "other" : i % 4)},{(i % 5 == 0 ? $"t{i % 3}" : i)}")])).Train.Columns!;
        Assert.That(columns.All[1].Values, Is.EqualTo(new[] { "0", "1", "2", "3", "other" }));
        Assert.That(columns.All[2].IsCategory, Is.True, "a fifth are texts");
    }

    [TestCase("1e300")]
    [TestCase("-1e300")]
    public void A_value_by_which_no_column_can_be_standardised_is_named_with_its_line(string value)
    {
        // Each row once, so that it is among those trained on and among those tested on.
        for (int at = 0; at < Items; at++)
            AssertRefused(Table("a,b", [.. Enumerable.Range(0, Items).Select(i => $"{i},{(i == at ? value : $"{i}")}")]),
                $"in line {at + 2}, column b");
        AssertRefused(Table("a,b", [.. Enumerable.Range(0, Items).Select(i => $"{i},{i}e-300")]), "column b");
    }

    [Test]
    public void Text_that_is_not_UTF_8_names_its_line()
    {
        string file = Path.Combine(Folder, $"{Guid.NewGuid():N}.csv");
        string[] rows = [.. Enumerable.Range(0, 3000).Select(i => $"{i},{(i == 2500 ? "caf\u00e9" : "tea")}").Prepend("a,b")];
        File.WriteAllLines(file, rows, System.Text.Encoding.Latin1);
        AssertRefused(file, "line 2502 is not UTF-8");
        File.WriteAllLines(file, rows);
        Assert.That(OwnFile.Load(file).Train.Columns!.All[1].Values, Does.Contain("caf\u00e9").Or.Contain("tea"));
    }

    [Test]
    public void A_number_among_the_names_of_columns_is_noted()
    {
        string[] rows = [.. Enumerable.Range(0, 12).Select(i => $"{i},{i % 2}")];
        Assert.That(OwnFile.Load(Table("a,5.1", rows)).Notes.Single(), Does.Contain("'5.1'").And.Contain("first line"));
        Assert.That(OwnFile.Load(Table("a,b", rows)).Notes, Is.Empty);
    }

    [Test]
    public void A_label_is_one_in_any_case()
    {
        var train = OwnFile.Load(Table("a,LABEL", [.. Enumerable.Range(0, 12).Select(i => $"{i},{i % 2}")])).Train;
        Assert.That((train.Classes, train.Width), Is.EqualTo((2, 1)));
    }

    // Seven digits of the deviation, a whole part in full, nine digits at the least.
    [TestCase(1e9 + 1.25e-6, 1e-6, 1e-9)]
    [TestCase(1_600_000_012.345678, 11.5, 1e-5)]
    [TestCase(1_600_000_012.345678, 5e8, 0.5)]
    [TestCase(45_000.25, 16_000, 1e-3)]
    [TestCase(0, 1, 0)]
    public void A_written_number_has_the_digits_that_its_deviation_needs(double number, double scale, double within)
    {
        string text = VaeFromScratch.Reports.TableRows.Text(number, scale);
        Assert.That(text, Does.Not.Contain("E"));
        Assert.That(double.Parse(text, CultureInfo.InvariantCulture),
            Is.EqualTo(number).Within(Math.Max(within, Math.BitIncrement(Math.Abs(number)) - Math.Abs(number))));
    }

    // A hundredth of the deviation can be seen, and there is no exponent.
    [TestCase(2003.374, 8.5, "2003.37")]
    [TestCase(45_123.25, 16_000, "45123")]
    [TestCase(-0.012345, 0.004, "-0.01235")]
    [TestCase(3.0, 1, "3.00")]
    public void A_report_shows_the_digits_that_a_columns_deviation_needs(double number, double scale, string expected)
    {
        var rows = new VaeFromScratch.Reports.TableRows(null!, null!, new([new("x", 0, scale, []), new("plan", 0, 1, ["none", "full"])]));
        Assert.That(rows.Shown([number, "full"]), Is.EqualTo(new[] { expected, "full" }));
    }

    [Test]
    public void A_missing_file_is_a_sentence_and_its_kind_is_not_known()
    {
        Assert.That(() => DatasetCatalogue.Load(Path.Combine(Folder, "none.csv"), ""), Throws.TypeOf<DataException>());
        Assert.That(OwnFile.KindOf(Path.Combine(Folder, "none.npz")), Is.Null);
        Assert.That(OwnFile.KindOf("mnist"), Is.Null);
        Assert.That(OwnFile.KindOf(Arrays(("x", NpyArray.From([2, 2], new float[4])))), Is.EqualTo(OwnKind.Vectors));
    }

    private static void AssertRefused(string file, string found)
    {
        var refusal = Assert.Throws<DataException>(() => OwnFile.Load(file));
        Assert.That(refusal!.Message, Does.Contain(file).And.Contain(found));
        HostileBytes.AssertOneSentence(refusal.Message);
    }

    private static string Arrays(params (string, NpyArray)[] arrays)
    {
        string file = Path.Combine(Folder, $"{Guid.NewGuid():N}.npz");
        Npz.Write(file, arrays);
        return file;
    }

    private static string Table(string header, string[] rows)
    {
        string file = Path.Combine(Folder, $"{Guid.NewGuid():N}.csv");
        File.WriteAllText(file, $"{header}\n{string.Join('\n', rows)}\n");
        return file;
    }
}
