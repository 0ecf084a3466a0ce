using System.Globalization;
using System.Text;

using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>Encodings as CSV.</summary>
internal static class EncodingsCsv
{
    private const string Layout = "mu_0..,logvar_0..[,prob_0..][,label]";

    private enum Kind { Mu, LogVar, Probability, Label }

    private readonly record struct Column(Kind Kind, int Index)
    {
        public override string ToString() =>
            Kind switch { Kind.Mu => $"mu_{Index}", Kind.LogVar => $"logvar_{Index}", Kind.Probability => $"prob_{Index}", _ => "label" };
    }

    /// <summary>The rows in blocks of a few megabytes, in order.</summary>
    /// <param name="blockValues">Fields in memory at a time; at least one row.</param>
    public static IEnumerable<EncodingTable> Read(Stream stream, string file, int blockValues = 1 << 20)
    {
        using var text = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
        using var records = Csv.Read(text, file).GetEnumerator();
        var columns = ReadHeader(records.MoveNext() ? records.Current.Cells : [""], file);
        var block = Block();
        int points = 0;
        bool any = false;
        while (records.MoveNext())
        {
            var (line, cells) = records.Current;
            if (cells.Length != columns.Length)
                throw DataException.In(file, $"{(cells.Length == 1 ? "1 field" : $"{cells.Length} fields")} in line {line}",
                    $"{columns.Length} as in the header", "write the row again");
            for (int i = 0; i < columns.Length; i++)
                if (!Store(cells[i], points, columns[i], block))
                    throw DataException.In(file, $"'{Shorten(cells[i])}' in line {line}, column {columns[i]}", columns[i].Kind == Kind.Label
                        ? "an integer" : "a finite number", "correct the value");
            any = true;
            if (++points < block.Points)
                continue;
            yield return block;
            (block, points) = (Block(), 0);
        }
        if (!any)
            throw DataException.In(file, "a header without rows", "one row an image", "write the encodings again");
        if (points > 0)
            yield return First(points);

        int Of(Kind kind) => columns.Count(column => column.Kind == kind);

        EncodingTable Block()
        {
            var (rows, factors, categories) = (Math.Max(1, blockValues / columns.Length), Of(Kind.Mu), Of(Kind.Probability));
            return new(rows, factors, new float[rows * factors], new float[rows * factors], categories > 0 ? new float[rows * categories]
                : null, categories, Of(Kind.Label) > 0 ? new int[rows] : null);
        }

        EncodingTable First(int rows) => new(rows, block.Factors, block.Mu[..(rows * block.Factors)], block.LogVar[..(rows
            * block.Factors)], block.Probabilities?[..(rows * block.Categories)], block.Categories, block.Labels?[..rows]);
    }

    public static void Write(Stream stream, EncodingTable table)
    {
        using var text = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
        using var csv = Csv.Writer(text);
        IEnumerable<Column> columns =
        [
            .. Enumerable.Range(0, table.Factors).Select(h => new Column(Kind.Mu, h)),
                .. Enumerable.Range(0, table.Factors).Select(h => new Column(Kind.LogVar, h)),
            .. Enumerable.Range(0, table.Categories).Select(k => new Column(Kind.Probability, k)), .. table.Labels is null ? []
                : (Column[])[new(Kind.Label, 0)],
        ];
        foreach (var column in columns)
            csv.WriteField(column.ToString());
        csv.NextRecord();
        for (int point = 0; point < table.Points; point++)
        {
            AddFloats(table.Mu.AsSpan(point * table.Factors, table.Factors));
            AddFloats(table.LogVar.AsSpan(point * table.Factors, table.Factors));
            AddFloats(table.Probabilities.AsSpan(point * table.Categories, table.Categories));
            if (table.Labels is not null)
                csv.WriteField(table.Labels[point].ToString(CultureInfo.InvariantCulture));
            csv.NextRecord();
        }

        void AddFloats(ReadOnlySpan<float> values)
        {
            foreach (float value in values)
                csv.WriteField(value.ToString(CultureInfo.InvariantCulture)); // the shortest text that reads back the same
        }
    }

    private static Column[] ReadHeader(string[] names, string file)
    {
        var columns = new Column[names.Length];
        var seen = new HashSet<Column>();
        for (int i = 0; i < names.Length; i++)
        {
            columns[i] = ParseColumn(names[i])
                ?? throw DataException.In(file, $"column {i + 1} named '{Shorten(names[i])}' in line 1", Layout, "rename or remove it");
            if (!seen.Add(columns[i]))
                throw DataException.In(file, $"column '{names[i]}' twice in line 1", "each column once", "remove one of them");
        }
        foreach (var kind in (Kind[])[Kind.Mu, Kind.LogVar, Kind.Probability])
        {
            int count = columns.Count(column => column.Kind == kind);
            int wanted = kind == Kind.LogVar ? columns.Count(column => column.Kind == Kind.Mu) : Math.Max(count, kind == Kind.Mu ? 1 : 0);
            for (int index = 0; index < Math.Max(count, wanted); index++)
                if (!seen.Contains(new(kind, index)))
                    throw DataException.In(file, $"no column '{new Column(kind, index)}' in line 1", Layout,
                        "number the columns from 0 without gaps");
            if (count != wanted)
                throw DataException.In(file, $"{count} columns logvar_ and {wanted} columns mu_ in line 1", "as many of both",
                    "write both for every factor");
        }
        return columns;
    }

    private static Column? ParseColumn(string name)
    {
        if (name == "label")
            return new(Kind.Label, 0);
        int underscore = name.IndexOf('_');
        Kind? kind = underscore < 0 ? null
            : name[..underscore] switch { "mu" => Kind.Mu, "logvar" => Kind.LogVar, "prob" => Kind.Probability, _ => null };
        return kind is { } known && int.TryParse(name.AsSpan(underscore + 1), NumberStyles.None, CultureInfo.InvariantCulture,
            out int index) ? new(known, index) : null;
    }

    private static bool Store(string field, int row, Column column, EncodingTable table)
    {
        if (column.Kind == Kind.Label)
            return int.TryParse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out table.Labels![row]);
        if (!float.TryParse(field, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out float value) || !float.IsFinite(value))
            return false;
        float[] values = column.Kind switch { Kind.Mu => table.Mu, Kind.LogVar => table.LogVar, _ => table.Probabilities! };
        values[row * (column.Kind == Kind.Probability ? table.Categories : table.Factors) + column.Index] = value;
        return true;
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "...";
}
