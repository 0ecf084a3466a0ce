using System.Globalization;
using System.IO.Compression;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>Columns that a user named: an array of an npz file, or columns of a CSV file.</summary>
/// <param name="Name">As the user wrote it.</param>
/// <param name="Rows">The number of samples, N.</param>
/// <param name="Columns">D; 1 for labels.</param>
/// <param name="Values">[N, D]; null for labels.</param>
/// <param name="Labels">A text a row; null for numbers.</param>
public sealed record SampleColumns(string Name, int Rows, int Columns, float[]? Values, string[]? Labels)
{
    /// <summary>
    /// Reads columns by name from an npz file (arrays [N] or [N, D]) or a CSV file with a header, told apart by the first bytes. A name may
    /// be several, separated by commas; in a CSV file x also stands for the columns x_0, x_1, ... A CSV column of text is labels.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="names">What to read.</param>
    /// <exception cref="DataException">The file is missing or damaged, has no such column, or a value is no finite number.</exception>
    public static IReadOnlyList<SampleColumns> Read(string path, params IReadOnlyList<string> names) => DataFile.Read(path, stream =>
    {
        bool zip = stream.ReadByte() == 'P' && stream.ReadByte() == 'K';
        stream.Position = 0;
        SampleColumns[] found = zip ? FromNpz(stream, path, names) : FromCsv(stream, path, names);
        foreach (var columns in found)
            if (columns.Rows != found[0].Rows)
                throw DataException.In(path, $"{columns.Rows} rows of {columns.Name} and {found[0].Rows} of {found[0].Name}",
                    "as many of both", "write one row of each a sample");
        return found;
    });

    /// <summary>The names of what a file has: its arrays, or its columns.</summary>
    public static IReadOnlyList<string> NamesIn(string path) => DataFile.Read<IReadOnlyList<string>>(path, stream =>
    {
        bool zip = stream.ReadByte() == 'P' && stream.ReadByte() == 'K';
        stream.Position = 0;
        if (zip)
            return NamesIn(stream);
        using var text = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
        return Csv.Read(text, path).Select(record => record.Cells).FirstOrDefault() ?? [];
    });

    private static IReadOnlyList<string> NamesIn(Stream stream)
    {
        using var archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        return [.. archive.Entries.Select(e => Path.GetFileNameWithoutExtension(e.FullName))];
    }

    private static SampleColumns[] FromNpz(Stream stream, string path, IReadOnlyList<string> names)
    {
        var there = NamesIn(stream);
        stream.Position = 0;
        string[][] parts = [.. names.Select(name => there.Contains(name) ? [name] : name.Split(',', StringSplitOptions.TrimEntries))];
        foreach (string part in parts.SelectMany(p => p))
            if (!there.Contains(part))
                throw Missing(path, part, "array", there);
        var arrays = Npz.Read(stream, path, [.. parts.SelectMany(p => p).Distinct()]);
        return [.. names.Select((name, i) => Join(path, name, [.. parts[i].Select(part => FromArray(path, part, arrays[part]))]))];
    }

    private static SampleColumns FromArray(string path, string name, NpyArray array)
    {
        if (array.Shape is not ([> 0] or [> 0, > 0]))
            throw DataException.In(path, $"{name} of shape {HostArray.Describe(array.Shape)}", "[N] or [N, D]", "write one row a sample");
        float[] values = array.ToFloats();
        int columns = array.Shape.Length == 1 ? 1 : array.Shape[1];
        for (int i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw DataException.In(path, $"{values[i]} in row {i / columns}, column {i % columns} of {name}", "a finite number",
                    "leave out rows with missing values");
        return new(name, array.Shape[0], columns, values, null);
    }

    private static SampleColumns[] FromCsv(Stream stream, string path, IReadOnlyList<string> names)
    {
        using var text = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
        using var records = Csv.Read(text, path).GetEnumerator();
        string[] header = records.MoveNext() ? records.Current.Cells : [];
        int[][] wanted = [.. names.Select(name => Places(path, name, header))];
        var cells = wanted.SelectMany(w => w).Distinct().ToDictionary(place => place, _ => new List<string>());
        var lines = new List<long>();
        while (records.MoveNext())
        {
            var (line, row) = records.Current;
            if (row.Length != header.Length)
                throw DataException.In(path, $"{row.Length} field{(row.Length == 1 ? "" : "s")} in line {line}",
                    $"{header.Length} as in the header", "write the row again");
            lines.Add(line);
            foreach (var (place, column) in cells)
                column.Add(row[place]);
        }
        if (lines.Count == 0)
            throw DataException.In(path, "a header without rows", "one row a sample", "write the samples again");
        return [.. names.Select((name, i) => Join(path, name, [.. wanted[i].Select(place => FromCells(path, header[place], cells[place],
            lines))]))];
    }

    private static int[] Places(string path, string name, string[] header)
    {
        if (Array.IndexOf(header, name) is >= 0 and int exact)
            return [exact];
        return [.. name.Split(',', StringSplitOptions.TrimEntries).SelectMany(part =>
        {
            if (Array.IndexOf(header, part) is >= 0 and int place)
                return [place];
            int[] numbered = [.. Enumerable.Range(0, header.Length).Select(i => Array.IndexOf(header, $"{part}_{i}")).TakeWhile(at =>
                at >= 0)];
            return numbered.Length > 0 ? numbered : throw Missing(path, part, "column", header);
        })];
    }

    private static SampleColumns FromCells(string path, string name, List<string> cells, List<long> lines)
    {
        if (!TryNumber(cells[0], out _) && cells[0] != "")
            return new(name, cells.Count, 1, null, [.. cells]);
        var values = new float[cells.Count];
        for (int i = 0; i < values.Length; i++)
            if (!TryNumber(cells[i], out values[i]) || !float.IsFinite(values[i]))
                throw DataException.In(path, $"'{cells[i]}' in line {lines[i]}, column {name}", "a finite number as in the lines before",
                    "correct the value or leave out the row");
        return new(name, cells.Count, 1, values, null);
    }

    private static bool TryNumber(string text, out float value) =>
        float.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out value) || text is "nan" or "NaN" or "inf" or "-inf";

    private static SampleColumns Join(string path, string name, SampleColumns[] parts)
    {
        if (parts.Length == 1)
            return parts[0] with { Name = name };
        foreach (var part in parts)
            if (part.Values is null || part.Rows != parts[0].Rows)
                throw DataException.In(path, part.Values is null ? $"text in {part.Name}, one of the columns {name}"
                    : $"{part.Rows} rows of {part.Name} and {parts[0].Rows} of {parts[0].Name}",
                    "columns of numbers, with as many rows", "name labels alone");
        int rows = parts[0].Rows, columns = parts.Sum(part => part.Columns), at = 0;
        var values = new float[rows * columns];
        foreach (var part in parts)
        {
            for (int i = 0; i < rows; i++)
                part.Values.AsSpan(i * part.Columns, part.Columns).CopyTo(values.AsSpan(i * columns + at));
            at += part.Columns;
        }
        return new(name, rows, columns, values, null);
    }

    private static DataException Missing(string path, string name, string what, IReadOnlyList<string> there) =>
        DataException.In(path, $"no {what} '{name}'", $"one of {string.Join(", ", there.Take(20))}", "name one that is there");
}
