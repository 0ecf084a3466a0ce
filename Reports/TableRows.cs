using System.Globalization;
using System.Text;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Reports;

/// <summary>What a model has learned of a table or of vectors: rows in the file's own units, where <see cref="Pictures"/> draws.</summary>
internal sealed class TableRows(VaeModel model, RunConfiguration configuration, TableColumns columns)
{
    /// <summary>Keeps these draws apart from those of training, evaluation and pictures ("rows" in ASCII).</summary>
    private const uint Stream = 0x726f7773;

    private const int BatchSize = 250;

    /// <summary>Names of the columns.</summary>
    public IEnumerable<string> Header => columns.All.Select(c => c.Name);

    /// <summary>Rows x ~ p(x|z) of codes of the prior.</summary>
    public object[][] Samples(int count)
    {
        using var rng = new Rng(model.Compute, configuration.Training.Seed, Stream);
        using var tape = model.Compute.Tape(gradients: false);
        return Drawn(model.PriorCodes(count, rng).ToArray(), rng);
    }

    /// <summary>Rows x ~ p(x|z) of codes, [n, <see cref="VaeModel.CodeLength"/>].</summary>
    public object[][] Drawn(float[] codes)
    {
        using var rng = new Rng(model.Compute, configuration.Training.Seed, Stream);
        return Drawn(codes, rng);
    }

    /// <summary>Decoded means of codes, of a category its most probable value.</summary>
    public object[][] Means(float[] codes)
    {
        int h = model.CodeLength;
        return [.. Enumerable.Range(0, (codes.Length / h + BatchSize - 1) / BatchSize).SelectMany(b => Decoded(
            Evaluator.Decode(model, codes[(b * BatchSize * h)..Math.Min(codes.Length, (b + 1) * BatchSize * h)])))];
    }

    /// <summary>The first rows of a set, and the codes that stand for them.</summary>
    public (object[][] Rows, float[] Codes) First(ImageDataset dataset, int count)
    {
        var (rows, codes) = new Pictures(model, configuration).First(dataset, count);
        return ([.. Decoded(rows)], codes);
    }

    /// <summary>One code with one factor set to values, one after the other.</summary>
    public object[][] Traversal(ReadOnlySpan<float> code, int factor, IReadOnlyList<double> values)
    {
        float[] moved = new float[values.Count * code.Length];
        for (int i = 0; i < values.Count; i++)
        {
            code.CopyTo(moved.AsSpan(i * code.Length));
            moved[i * code.Length + factor] = (float)values[i];
        }
        return Means(moved);
    }

    /// <summary>How a column is reconstructed from the means of q(z|x), against what a guess without the code achieves.</summary>
    /// <param name="Spread">Of numbers their standard deviation; of a category the share of rows that have not its commonest value.</param>
    /// <param name="Error">Of numbers the root mean square error; of a category the share of rows that are taken for another value.</param>
    public sealed record ColumnError(TableColumn Column, double Spread, double Error);

    /// <summary>Over all rows of a set, in the columns' own units.</summary>
    public IReadOnlyList<ColumnError> Errors(ImageDataset dataset)
    {
        var (rows, codes) = First(dataset, dataset.Count);
        var means = Means(codes);
        return [.. columns.All.Select((column, i) => column.IsCategory
            ? new ColumnError(column, 1 - rows.GroupBy(row => row[i]).Max(g => g.Count()) / (double)rows.Length,
                rows.Where((row, n) => !row[i].Equals(means[n][i])).Count() / (double)rows.Length)
            : new ColumnError(column, Deviation([.. rows.Select(row => (double)row[i])]),
                Math.Sqrt(rows.Select((row, n) => Math.Pow((double)row[i] - (double)means[n][i], 2)).Average())))];
    }

    /// <summary>Writes rows as CSV, under a header.</summary>
    /// <param name="first">Columns before those of the table, and what stands in them in each row.</param>
    public void Write(Stream to, object[][] rows, IReadOnlyList<string>? first = null, Func<int, object?[]>? before = null)
    {
        using var text = new StreamWriter(to, new UTF8Encoding(false), leaveOpen: true);
        Csv.Write(text, [.. first ?? [], .. Header], rows.Select((row, n) => (IEnumerable<object?>)[.. before?.Invoke(n) ?? [],
            .. row.Select((cell, i) => cell is double number ? Text(number, columns.All[i].Scale) : cell)]));
    }

    /// <summary>
    /// A number with the digits that its column needs: seven of the deviation, as many as a standardised value has, all of a whole part
    /// that a double holds, and nine in any case.
    /// </summary>
    internal static string Text(double number, double scale)
    {
        const int least = 9, ofDeviation = 7, exact = 15, most = 17;
        double size = Math.Abs(number);
        int whole = size < 1 ? 1 : (int)Math.Log10(size) + 1;
        int needed = size > scale ? (int)Math.Ceiling(Math.Min(Math.Log10(size / scale), most)) + ofDeviation : least;
        int digits = Math.Clamp(Math.Max(needed, whole <= exact ? whole : least), least, most);
        return number.ToString(string.Create(CultureInfo.InvariantCulture, $"G{digits}"), CultureInfo.InvariantCulture);
    }

    /// <summary>The cells of a row as a report shows them: of a number what a hundredth of its column's deviation can be seen in.</summary>
    public IReadOnlyList<string> Shown(object[] row) =>
        [.. row.Zip(columns.All, (cell, column) => cell is double number ? Rounded(number, column.Scale / 100) : (string)cell)];

    /// <summary>An error of a column as a report shows it: of a number with a digit more than its values, of a category as a
    /// share.</summary>
    public static string Error(double error, TableColumn column) => Rounded(error, column.IsCategory ? 1e-3 : column.Scale / 1000);

    /// <summary>A number in decimals that show a difference of so much; none where that is more than 1.</summary>
    private static string Rounded(double number, double difference)
    {
        const int most = 15;
        int decimals = (int)Math.Clamp(-Math.Floor(Math.Log10(difference)), 0, most);
        return number.ToString(string.Create(CultureInfo.InvariantCulture, $"F{decimals}"), CultureInfo.InvariantCulture);
    }

    private object[][] Drawn(float[] codes, Rng rng)
    {
        int h = model.CodeLength;
        var rows = new List<object[]>();
        for (int start = 0; start < codes.Length; start += BatchSize * h)
        {
            float[] some = codes[start..Math.Min(codes.Length, start + BatchSize * h)];
            using var tape = model.Compute.Tape(gradients: false);
            var decoded = model.Decode(tape.Constant(new(some.Length / h, h), some));
            rows.AddRange(Decoded(model.Noise.Sample(decoded, rng).ToArray()));
        }
        return [.. rows];
    }

    private IEnumerable<object[]> Decoded(float[] values)
    {
        int width = columns.Layout.Width;
        for (int start = 0; start < values.Length; start += width)
            yield return columns.Decode(values.AsSpan(start, width));
    }

    private static double Deviation(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }
}
