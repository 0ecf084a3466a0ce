using System.Globalization;
using CsvHelper;
using CsvHelper.Configuration;

namespace VaeFromScratch.Engine.IO;

/// <summary>Tables as comma-separated text (RFC 4180), the same in every culture.</summary>
internal static class Csv
{
    // No number needs as many characters; a quote that is never closed would otherwise take the rest of the file into memory.
    private const int LongestField = 4096;

    /// <summary>Writes a table whole or not at all, lines ended by a line feed.</summary>
    /// <param name="rows">Cells may be null (empty), text, whole numbers, true or false, or real numbers, which get nine digits.</param>
    public static void Save(string path, IEnumerable<string> header, IEnumerable<IEnumerable<object?>> rows) =>
        AtomicFile.WriteText(path, to => Write(to, header, rows));

    /// <summary>Writes a table to where its text goes, as <see cref="Save"/> does to a file.</summary>
    /// <inheritdoc cref="Save"/>
    /// <param name="to">Kept open.</param>
    public static void Write(TextWriter to, IEnumerable<string> header, IEnumerable<IEnumerable<object?>> rows)
    {
        using var csv = Writer(to);
        foreach (var row in rows.Prepend(header))
        {
            foreach (object? cell in row)
                csv.WriteField(Text(cell));
            csv.NextRecord();
        }
    }

    /// <summary>The records of a table with the lines they begin in, the header first.</summary>
    /// <param name="file">The name used in errors.</param>
    /// <remarks>
    /// Blanks and quotes around fields are taken off. A blank line is a record of one empty field; blank lines that end the file are none.
    /// </remarks>
    /// <exception cref="DataException">The text is no table.</exception>
    public static IEnumerable<(long Line, string[] Cells)> Read(TextReader text, string file)
    {
        var configuration = new CsvConfiguration(CultureInfo.InvariantCulture)
        {
            IgnoreBlankLines = false,
            TrimOptions = TrimOptions.Trim,
            MaxFieldSize = LongestField
        };
        using var parser = new CsvParser(text, configuration, leaveOpen: true);
        var blank = new Queue<long>();
        for (long line = 1; Next(line) is { } cells; line = parser.RawRow + 1L)
        {
            if (cells is [""])
            {
                blank.Enqueue(line);
                continue;
            }
            while (blank.TryDequeue(out long earlier))
                yield return (earlier, [""]);
            yield return (line, cells);
        }

        string[]? Next(long line)
        {
            try
            {
                return parser.Read() ? parser.Record : null;
            }
            catch (CsvHelperException e)
            {
                throw DataException.In(file, $"what is no row of a table in line {line}", "fields separated by commas, quotes in pairs",
                    "correct the line", e);
            }
        }
    }

    internal static CsvWriter Writer(TextWriter to) =>
        new(to, new CsvConfiguration(CultureInfo.InvariantCulture) { NewLine = "\n" }, leaveOpen: true);

    private static string Text(object? cell) => cell switch
    {
        null => "",
        bool value => value ? "true" : "false",
        double value => double.IsNaN(value) ? "" : value.ToString("G9", CultureInfo.InvariantCulture),
        IFormattable value => value.ToString(null, CultureInfo.InvariantCulture),
        _ => cell.ToString()!,
    };
}
