using System.Globalization;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Own;

/// <summary>
/// A table of one's own to train on, a CSV file with a header: columns of numbers are standardised by the training rows, columns of texts
/// become one number for each of their values.
/// </summary>
internal static class TableFile
{
    /// <summary>The column that is a class to compare with, and is not trained on.</summary>
    public const string LabelColumn = "label";

    /// <summary>The most values that a category, or the label, may have.</summary>
    public const int MostValues = byte.MaxValue;

    /// <summary>Of a column's cells: with so many numbers the others are taken for mistakes.</summary>
    private const double MostlyNumbers = 0.9;

    /// <summary>So many different numbers that repeat may be codes of a category, beside texts.</summary>
    private const int MostCodes = 10;

    private const int Listed = 3;
    private static readonly string[] Missing = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"];

    /// <summary>Reads a table; a seeded fifth of its rows is tested on.</summary>
    /// <exception cref="DataException">The file is no table, a value is missing, or a column is neither numbers nor categories.</exception>
    public static DatasetSplits Load(string path)
    {
        var table = Read(path);
        var notes = new List<string>(OwnFile.CheckCount(path, table.Rows, "row"));
        if (table.Columns.FirstOrDefault(c => IsNumber(c.Name, out _)) is { } number)
            notes.Add($"{path}: the first line is taken for the names of the columns, though '{number.Name}' in it is a number; "
                + "if it is a row, write a header above it");
        int[] order = new BatchOrder(table.Rows, table.Rows, OwnFile.SplitSeed).Permutation(epoch: 0);
        int tests = Math.Max(1, (int)Math.Round(table.Rows * OwnFile.TestShare));
        int[] train = [.. order[..^tests].Order()], test = [.. order[^tests..].Order()];
        var kept = new List<(TableColumn Column, double[] Cells)>();
        var same = new List<string>();
        foreach (var column in table.Columns.Where(c => !IsLabel(c.Name)))
            if (train.All(row => column.Cells[row].Equals(column.Cells[train[0]])))
                same.Add(column.Name);
            else
                kept.Add((Standardised(path, column, train, table.Lines), column.Cells));
        if (same.Count > 0)
            notes.Add($"{path}: {string.Join(", ", same.Take(Listed))}{(same.Count > Listed ? $" and {same.Count - Listed} more" : "")} "
                + $"{(same.Count == 1 ? "has" : "have")} one value in all training rows and {(same.Count == 1 ? "is" : "are")} left out");
        if (kept.Count == 0)
            throw DataException.In(path, train.Length == 1 ? $"{table.Rows} rows, one of which is left to train on"
                : $"one value in each column of the {train.Length} training rows", "a column that differs among the training rows",
                "add rows, or name another table");
        var columns = new TableColumns([.. kept.Select(k => k.Column)]);
        ArrayFile.RequireMemory(path, (long)table.Rows * columns.Layout.Width);
        var label = table.Columns.FirstOrDefault(c => IsLabel(c.Name));
        return new(Rows("train", train), Rows("test", test)) { Notes = notes };

        ImageDataset Rows(string split, int[] rows)
        {
            int width = columns.Layout.Width;
            float[] values = new float[rows.Length * width];
            for (int i = 0; i < kept.Count; i++)
            {
                var (column, cells) = kept[i];
                for (int n = 0; n < rows.Length; n++)
                {
                    ref float value = ref values[n * width + columns.PlaceOf(i) + (column.IsCategory ? (int)cells[rows[n]] : 0)];
                    value = column.IsCategory ? 1 : (float)((cells[rows[n]] - column.Mean) / column.Scale);
                    if (!float.IsFinite(value))
                        throw TooFar(path, column.Name, cells[rows[n]], table.Lines[rows[n]]);
                }
            }
            return new ImageDataset(OwnFile.ShortName(path), split, rows.Length, 1, width, 1, [],
                label is null ? null : [.. rows.Select(row => (byte)label.Cells[row])], label?.Values.Length ?? 0, 1)
            {
                Values = values,
                Columns = columns,
            }.CheckConsistency(path);
        }
    }

    /// <param name="Cells">A number each, or the place of a text in <paramref name="Values"/>.</param>
    /// <param name="Values">The different texts in ordinal order; empty for numbers.</param>
    private sealed record RawColumn(string Name, double[] Cells, string[] Values);

    /// <param name="Lines">Of the file, where each row begins.</param>
    private sealed record RawTable(int Rows, long[] Lines, IReadOnlyList<RawColumn> Columns);

    private static bool IsLabel(string name) => name.Equals(LabelColumn, StringComparison.OrdinalIgnoreCase);

    /// <exception cref="DataException">The numbers have no finite mean, or no deviation that is positive and finite.</exception>
    private static TableColumn Standardised(string path, RawColumn column, int[] train, long[] lines)
    {
        if (column.Values.Length > 0)
            return new(column.Name, 0, 1, column.Values);
        double mean = train.Average(row => column.Cells[row]);
        double deviation = Math.Sqrt(train.Average(row => Math.Pow(column.Cells[row] - mean, 2)));
        if (double.IsFinite(mean) && double.IsFinite(deviation) && deviation > 0)
            return new(column.Name, mean, deviation, []);
        int largest = train.MaxBy(row => Math.Abs(column.Cells[row]));
        throw TooFar(path, column.Name, column.Cells[largest], lines[largest]);
    }

    /// <summary>The error of a column that no mean and deviation bring to numbers of about 1.</summary>
    private static DataException TooFar(string path, string column, double value, long line) =>
        DataException.In(path, string.Create(CultureInfo.InvariantCulture, $"the value {value} in line {line}, column {column}, by which ")
            + "the column cannot be standardised", "numbers whose squares and differences are finite and not 0",
            "correct the value, leave out the row, or scale the column");

    /// <summary>Two passes: the first says what each column is and how many rows there are, the second reads them.</summary>
    private static RawTable Read(string path)
    {
        string[] header = [];
        bool[] text = [];
        var example = new (string Cell, long Line)[1];
        (string Cell, long Line)? fraction = null;
        int[] numbers = [];
        HashSet<double>[] codes = [];
        int count = 0;
        foreach (var (line, cells) in Records(path))
        {
            if (line == 1)
            {
                CheckHeader(path, cells);
                (header, text, example) = (cells, new bool[cells.Length], new (string, long)[cells.Length]);
                (numbers, codes) = (new int[cells.Length], [.. cells.Select(_ => new HashSet<double>())]);
                continue;
            }
            count++;
            for (int i = 0; i < cells.Length; i++)
                if (Missing.Contains(cells[i]))
                    throw DataException.In(path, $"no value in line {line}, column {header[i]}", "a value in every row",
                        "leave out the row, or fill in what is missing");
                else if (IsNumber(cells[i], out double number))
                {
                    numbers[i]++;
                    if (codes[i].Count <= MostCodes)
                        codes[i].Add(number);
                    if (IsLabel(header[i]) && number != Math.Floor(number))
                        fraction ??= (cells[i], line);
                }
                else if (!text[i])
                    (text[i], example[i]) = (true, (cells[i], line));
        }
        if (header.Length == 0)
            throw DataException.In(path, "no lines", "a header and rows", "write the table again");
        if (count == 0)
            throw DataException.In(path, "a header without rows", "two or more", "write the table again");
        ArrayFile.RequireMemory(path, 2L * count * header.Length);
        for (int i = 0; i < header.Length; i++)
            if (IsLabel(header[i]))
            {
                if (!text[i] && fraction is { } continuous)
                    throw DataException.In(path, $"'{continuous.Cell}' in line {continuous.Line}, column {header[i]}, which is no class",
                        "whole numbers or texts, each a class to compare with", "rename the column to train on it, or leave it out");
            }
            else if (text[i] && numbers[i] >= MostlyNumbers * count && (codes[i].Count > MostCodes || 2 * codes[i].Count > numbers[i]))
                throw DataException.In(path, $"'{example[i].Cell}' in line {example[i].Line}, column {header[i]}, which is no number where "
                    + $"{numbers[i]} of {count} are", "a column of numbers, or a category",
                    "correct the cell or leave out the row; where the column is a category, write a letter before each number in it");

        double[][] values = [.. header.Select(_ => new double[count])];
        var found = header.Select(_ => new Dictionary<string, int>(StringComparer.Ordinal)).ToArray();
        long[] lines = new long[count];
        int row = 0;
        foreach (var (line, cells) in Records(path))
        {
            if (line == 1)
                continue;
            if (row == count || cells.Length != header.Length)
                throw Changing(path);
            lines[row] = line;
            for (int i = 0; i < cells.Length; i++)
                values[i][row] = text[i] || IsLabel(header[i]) ? Place(path, header[i], found[i], cells[i], example[i])
                    : IsNumber(cells[i], out double number) && double.IsFinite(number) ? number
                    : throw DataException.In(path, $"'{cells[i]}' in line {line}, column {header[i]}", "a finite number",
                        "correct the value or leave out the row");
            row++;
        }
        if (row < count)
            throw Changing(path);
        return new(count, lines, [.. header.Select((name, i) => Ordered(name, values[i], found[i]))]);
    }

    /// <summary>The records, the header with line 1, each with as many fields as the header.</summary>
    private static IEnumerable<(long Line, string[] Cells)> Records(string path) => DataFile.GuardEach(path, () => OfStream(path));

    private static IEnumerable<(long Line, string[] Cells)> OfStream(string path)
    {
        using var stream = DataFile.Open(path);
        using var text = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: true));
        int columns = -1;
        foreach (var (line, cells) in Csv.Read(text, path))
        {
            if (cells is [""])
                throw DataException.In(path, $"line {line} is empty", "a header, and a row in every line", "delete the line");
            if (columns < 0)
            {
                columns = cells.Length;
                yield return (1, cells);
                continue;
            }
            if (cells.Length != columns)
                throw DataException.In(path, $"{cells.Length} field{(cells.Length == 1 ? "" : "s")} in line {line}",
                    $"{columns} as in the header", "write the row again");
            yield return (line, cells);
        }
    }

    /// <summary>The error of a file to which someone writes between the two passes.</summary>
    private static DataException Changing(string path) =>
        DataException.In(path, "a file that changes while it is read", "one that stays", "train when it is written");

    private static void CheckHeader(string path, string[] header)
    {
        if (header.All(cell => IsNumber(cell, out _)))
            throw DataException.In(path, "numbers alone in the first line", "the names of the columns", "write a header above the rows");
        if (Array.IndexOf(header, "") is >= 0 and var empty)
            throw DataException.In(path, $"no name for column {empty + 1}", "a name for each", "name it in the first line");
        if (header.Count(IsLabel) > 1)
            throw DataException.In(path, $"columns {string.Join(" and ", header.Where(IsLabel))}", "one column of classes",
                "rename the others in the first line");
        if (header.GroupBy(name => name).FirstOrDefault(g => g.Count() > 1) is { Key: var twice })
            throw DataException.In(path, $"two columns {twice}", "a name of its own for each", "rename one of them in the first line");
    }

    private static int Place(string path, string column, Dictionary<string, int> found, string cell, (string Cell, long Line) example)
    {
        if (found.TryGetValue(cell, out int place))
            return place;
        if (found.Count == MostValues)
            throw DataException.In(path, $"more than {MostValues} texts in column {column}"
                + (example.Cell is null ? "" : $", '{example.Cell}' in line {example.Line} the first"),
                $"numbers, or a category of at most {MostValues} values",
                "leave the column out, as one of identifiers, or correct what is no number");
        found.Add(cell, found.Count);
        return found.Count - 1;
    }

    /// <summary>A column whose texts are in order: of whole numbers by their size, else ordinal.</summary>
    private static RawColumn Ordered(string name, double[] cells, Dictionary<string, int> found)
    {
        if (found.Count == 0)
            return new(name, cells, []);
        bool whole = found.Keys.All(key => long.TryParse(key, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _));
        string[] ordered = whole ? [.. found.Keys.OrderBy(key => long.Parse(key, CultureInfo.InvariantCulture))]
            : [.. found.Keys.Order(StringComparer.Ordinal)];
        int[] place = new int[ordered.Length];
        for (int i = 0; i < ordered.Length; i++)
            place[found[ordered[i]]] = i;
        return new(name, Array.ConvertAll(cells, cell => (double)place[(int)cell]), ordered);
    }

    private static bool IsNumber(string cell, out double value) => double.TryParse(cell, NumberStyles.AllowLeadingSign
        | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out value);
}
