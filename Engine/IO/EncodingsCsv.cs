using System.Globalization;
using System.Text;

namespace VaeFromScratch.Engine.IO;

/// <summary>Encodings as CSV; a parser on bytes, since a general one spends most of its time on strings that nobody keeps.</summary>
internal static class EncodingsCsv
{
    private const int BlockBytes = 1 << 20;
    private const string Layout = "mu_0..,logvar_0..[,prob_0..][,label]";

    private enum Kind { Mu, LogVar, Probability, Label }

    private readonly record struct Column(Kind Kind, int Index)
    {
        public override string ToString() => Kind switch { Kind.Mu => $"mu_{Index}", Kind.LogVar => $"logvar_{Index}", Kind.Probability => $"prob_{Index}", _ => "label" };
    }

    /// <summary>The rows in blocks of a few megabytes of text.</summary>
    /// <param name="bufferBytes">Text in memory at a time; it grows for lines that are longer.</param>
    public static IEnumerable<EncodingTable> Read(Stream stream, string file, int bufferBytes = 1 << 24)
    {
        var lines = new WholeLines(stream, file, bufferBytes);
        var columns = ReadHeader(lines.First().Span, file);
        long row = 0;
        while (lines.Next() is { IsEmpty: false } rows)
        {
            var table = ReadRows(rows, columns, row, file);
            yield return table;
            row += table.Points;
        }
        if (row == 0)
            throw DataException.In(file, "a header without rows", "one row an image", "write the encodings again");
    }

    private static EncodingTable ReadRows(ReadOnlyMemory<byte> rows, Column[] columns, long firstRow, string file)
    {
        int points = rows.Span.Count((byte)'\n') + 1;
        int Of(Kind kind) => columns.Count(column => column.Kind == kind);
        var (factors, categories) = (Of(Kind.Mu), Of(Kind.Probability));
        // Every field takes at least its separator, so rows that are too short are refused before memory is taken for them.
        if ((long)points * columns.Length > rows.Length + 1L)
            throw TooFewFields(rows.Span, firstRow, columns, file);
        var table = new EncodingTable(points, factors, new float[points * factors], new float[points * factors],
            categories > 0 ? new float[points * categories] : null, categories, Of(Kind.Label) > 0 ? new int[points] : null);
        ParseRows(rows, firstRow, columns, table, file);
        return table;
    }

    public static void Write(Stream stream, EncodingTable table)
    {
        var columns = new List<Column>();
        columns.AddRange(Enumerable.Range(0, table.Factors).Select(h => new Column(Kind.Mu, h)));
        columns.AddRange(Enumerable.Range(0, table.Factors).Select(h => new Column(Kind.LogVar, h)));
        columns.AddRange(Enumerable.Range(0, table.Categories).Select(k => new Column(Kind.Probability, k)));
        if (table.Labels is not null)
            columns.Add(new(Kind.Label, 0));
        stream.Write(Encoding.UTF8.GetBytes(string.Join(',', columns) + "\n"));

        byte[] line = new byte[columns.Count * 17 + 1];
        for (int point = 0; point < table.Points; point++)
        {
            int length = 0;
            void Separate() => line[length++] = (byte)',';
            void AddFloats(ReadOnlySpan<float> values)
            {
                foreach (float value in values)
                {
                    value.TryFormat(line.AsSpan(length), out int written, default, CultureInfo.InvariantCulture); // the shortest text that reads back the same
                    length += written;
                    Separate();
                }
            }
            AddFloats(table.Mu.AsSpan(point * table.Factors, table.Factors));
            AddFloats(table.LogVar.AsSpan(point * table.Factors, table.Factors));
            AddFloats(table.Probabilities.AsSpan(point * table.Categories, table.Categories));
            if (table.Labels is not null)
            {
                table.Labels[point].TryFormat(line.AsSpan(length), out int written, default, CultureInfo.InvariantCulture);
                length += written;
                Separate();
            }
            line[length - 1] = (byte)'\n';
            stream.Write(line, 0, length);
        }
    }

    private static Column[] ReadHeader(ReadOnlySpan<byte> line, string file)
    {
        string[] names = Encoding.UTF8.GetString(line).Split(',');
        var columns = new Column[names.Length];
        var seen = new HashSet<Column>();
        for (int i = 0; i < names.Length; i++)
        {
            string name = names[i].Trim().Trim('"');
            columns[i] = ParseColumn(name) ?? throw DataException.In(file, $"column {i + 1} named '{Shorten(name)}' in line 1", Layout, "rename or remove it");
            if (!seen.Add(columns[i]))
                throw DataException.In(file, $"column '{name}' twice in line 1", "each column once", "remove one of them");
        }
        foreach (var kind in (Kind[])[Kind.Mu, Kind.LogVar, Kind.Probability])
        {
            int count = columns.Count(column => column.Kind == kind);
            int wanted = kind == Kind.LogVar ? columns.Count(column => column.Kind == Kind.Mu) : Math.Max(count, kind == Kind.Mu ? 1 : 0);
            for (int index = 0; index < Math.Max(count, wanted); index++)
                if (!seen.Contains(new(kind, index)))
                    throw DataException.In(file, $"no column '{new Column(kind, index)}' in line 1", Layout, "number the columns from 0 without gaps");
            if (count != wanted)
                throw DataException.In(file, $"{count} columns logvar_ and {wanted} columns mu_ in line 1", "as many of both", "write both for every factor");
        }
        return columns;
    }

    private static Column? ParseColumn(string name)
    {
        if (name == "label")
            return new(Kind.Label, 0);
        int underscore = name.IndexOf('_');
        Kind? kind = underscore < 0 ? null : name[..underscore] switch { "mu" => Kind.Mu, "logvar" => Kind.LogVar, "prob" => Kind.Probability, _ => null };
        return kind is { } known && int.TryParse(name.AsSpan(underscore + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? new(known, index) : null;
    }

    /// <summary>Blocks of whole lines are parsed side by side; of several errors the one that comes first in the file is reported.</summary>
    private static void ParseRows(ReadOnlyMemory<byte> rows, long firstRow, Column[] columns, EncodingTable table, string file)
    {
        var blocks = new List<(ReadOnlyMemory<byte> Text, int FirstRow)>();
        for (int row = 0; rows.Length > 0;)
        {
            int end = Math.Min(rows.Length, BlockBytes);
            int lineEnd = rows.Span[(end - 1)..].IndexOf((byte)'\n');
            end = lineEnd < 0 ? rows.Length : end + lineEnd;
            blocks.Add((rows[..end], row));
            row += rows.Span[..end].Count((byte)'\n');
            rows = rows[end..];
        }
        var errors = new DataException?[blocks.Count];
        Parallel.For(0, blocks.Count, i =>
        {
            try
            {
                ParseBlock(blocks[i].Text.Span, blocks[i].FirstRow, firstRow, columns, table, file);
            }
            catch (DataException e)
            {
                errors[i] = e;
            }
        });
        if (Array.Find(errors, error => error is not null) is { } first)
            throw first;
    }

    private static void ParseBlock(ReadOnlySpan<byte> text, int row, long firstRow, Column[] columns, EncodingTable table, string file)
    {
        for (; !text.IsEmpty; row++)
        {
            var line = NextLine(text, out int consumed);
            text = text[consumed..];
            for (int i = 0; i < columns.Length; i++)
            {
                int comma = line.IndexOf((byte)',');
                if (comma < 0 != (i == columns.Length - 1))
                    throw WrongFieldCount(firstRow + row, i + 1 + (comma < 0 ? 0 : line.Count((byte)',')), columns, file);
                var field = comma < 0 ? line : line[..comma];
                line = line[(comma + 1)..];
                if (!Store(field, row, columns[i], table) && !Store(Unwrap(field), row, columns[i], table))
                    throw DataException.In(file, $"'{Shorten(Encoding.UTF8.GetString(field))}' in line {firstRow + row + 2}, column {columns[i]}", columns[i].Kind == Kind.Label ? "an integer" : "a finite number", "correct the value");
            }
        }
    }

    private static bool Store(ReadOnlySpan<byte> field, int row, Column column, EncodingTable table)
    {
        if (column.Kind == Kind.Label)
            return int.TryParse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out table.Labels![row]);
        if (!float.TryParse(field, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out float value) || !float.IsFinite(value))
            return false;
        float[] values = column.Kind switch { Kind.Mu => table.Mu, Kind.LogVar => table.LogVar, _ => table.Probabilities! };
        values[row * (column.Kind == Kind.Probability ? table.Categories : table.Factors) + column.Index] = value;
        return true;
    }

    /// <summary>A field without the blanks and quotes that some programs put around it.</summary>
    private static ReadOnlySpan<byte> Unwrap(ReadOnlySpan<byte> field)
    {
        field = field.Trim(" \t"u8);
        return field.Length >= 2 && field[0] == '"' && field[^1] == '"' ? field[1..^1] : field;
    }

    private static ReadOnlySpan<byte> NextLine(ReadOnlySpan<byte> text, out int consumed)
    {
        int end = text.IndexOf((byte)'\n');
        var line = end < 0 ? text : text[..end];
        consumed = end < 0 ? text.Length : end + 1;
        return line.EndsWith((byte)'\r') ? line[..^1] : line;
    }

    private static DataException TooFewFields(ReadOnlySpan<byte> rows, long firstRow, Column[] columns, string file)
    {
        for (long row = firstRow; ; row++)
        {
            int fields = NextLine(rows, out int consumed).Count((byte)',') + 1;
            if (fields < columns.Length)
                return WrongFieldCount(row, fields, columns, file);
            rows = rows[consumed..];
        }
    }

    private static DataException WrongFieldCount(long row, int fields, Column[] columns, string file) =>
        DataException.In(file, $"{(fields == 1 ? "1 field" : $"{fields} fields")} in line {row + 2}", $"{columns.Length} as in the header", "write the row again");

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "...";

    /// <summary>Text cut between lines, so that a file of any length passes through a buffer of a few megabytes.</summary>
    private sealed class WholeLines(Stream stream, string file, int bufferBytes)
    {
        private byte[] buffer = new byte[Math.Clamp(stream.Length, 1, bufferBytes)];
        private int start, end;
        private bool ended;

        /// <summary>The first line, without a byte order mark.</summary>
        public ReadOnlyMemory<byte> First()
        {
            Fill();
            while (!ended && !Waiting.Span.Contains((byte)'\n'))
                FillMore();
            if (Waiting.Span.StartsWith(Encoding.UTF8.Preamble))
                start += Encoding.UTF8.Preamble.Length;
            var line = Waiting[..NextLine(Waiting.Span, out int consumed).Length];
            start += consumed;
            return line;
        }

        /// <summary>The next lines, without the end of the last one and without blank lines that end the file; empty at its end. Valid until the next call.</summary>
        public ReadOnlyMemory<byte> Next()
        {
            Fill();
            while (true)
            {
                var text = Waiting;
                int whole = ended ? text.Length : text.Span.LastIndexOf((byte)'\n') + 1;
                int content = text.Span[..whole].LastIndexOfAnyExcept("\r\n "u8) + 1;
                if (content == 0 && !ended)
                {
                    FillMore();
                    continue;
                }
                // Blank lines behind these wait: they are an error if anything follows, and nothing otherwise.
                int lineEnd = text.Span[content..].IndexOf((byte)'\n');
                start += lineEnd < 0 ? text.Length : content + lineEnd + 1;
                return text[..content];
            }
        }

        private ReadOnlyMemory<byte> Waiting => buffer.AsMemory(start, end - start);

        /// <summary>Moves what is left to the front and reads until the buffer is full or the stream ends.</summary>
        private void Fill()
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            end += stream.ReadAtLeast(buffer.AsSpan(end), buffer.Length - end, throwOnEndOfStream: false);
            // A buffer that is full exactly at the end needs one more look.
            ended = end < buffer.Length || stream.Position == stream.Length;
        }

        /// <summary>Makes room for a line that is longer than the buffer.</summary>
        private void FillMore()
        {
            if (buffer.Length == Array.MaxLength)
                throw DataException.In(file, $"a line of more than {buffer.Length} bytes", "shorter lines", "write the encodings as npz");
            Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, Array.MaxLength));
            Fill();
        }
    }
}
