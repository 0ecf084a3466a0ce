using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli;

/// <summary>Standard output in one of three manners: a terminal with colours, plain lines, or one JSON object.</summary>
public sealed class Output(bool json, bool plain)
{
    private const string Gap = "  ";
    private const int NarrowestText = 20;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public bool IsJson { get; } = json;

    /// <summary>Whether standard output carries a file, so that lines for people would damage it.</summary>
    public bool GivenAway { get; set; }

    /// <summary>Whether bars and colours may be shown.</summary>
    public bool IsRich { get; } = !json && !plain && !Console.IsOutputRedirected;

    /// <summary>Columns of the terminal, or of a page where there is none.</summary>
    public int Width => IsRich ? Math.Max(40, Console.WindowWidth) : 120;

    /// <summary>A line for people; nothing when JSON was asked for or a file goes to standard output.</summary>
    public void Line(string text = "")
    {
        if (!IsJson && !GivenAway)
            Console.Out.WriteLine(Rounded.WithoutSignOfZero(text));
    }

    /// <summary>A bar of a share of <paramref name="width"/> characters.</summary>
    public string Bar(double share, int width) =>
        new string(IsRich ? '\u2588' : '#', (int)Math.Round(width * Math.Clamp(share, 0, 1))).PadRight(width);

    /// <summary>Something the user should know though nothing failed: to standard error.</summary>
    public static void Warn(string text) => Console.Error.WriteLine($"warning: {Rounded.WithoutSignOfZero(text)}");

    /// <summary>Something worth knowing about how the data was read: to standard error.</summary>
    public static void Note(string text) => Console.Error.WriteLine($"note: {Rounded.WithoutSignOfZero(text)}");

    /// <summary>The command's result, when JSON was asked for.</summary>
    public void Json(JsonNode result)
    {
        if (IsJson)
            Console.Out.WriteLine(result.ToJsonString(Indented));
    }

    /// <summary>
    /// A table of numbers, set to the right, behind columns of text. Where it is wider than the page, text in the last column goes on in
    /// further lines.
    /// </summary>
    /// <param name="header">Titles; none are shown when all are empty.</param>
    /// <param name="textColumns">How many columns from the left are text.</param>
    public void Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows, int textColumns = 0)
    {
        if (IsJson)
            return;
        var all = rows.ToList();
        bool titled = header.Any(title => title != "");
        if (IsRich)
        {
            var table = new Table { ShowHeaders = titled }.Border(TableBorder.Rounded);
            for (int i = 0; i < header.Count; i++)
                table.AddColumn(new TableColumn(new Markup($"[bold]{Markup.Escape(header[i])}[/]"))
                {
                    Alignment = i < textColumns
                    ? Justify.Left : Justify.Right
                });
            foreach (var row in all)
                table.AddRow([.. row.Select(cell => new Text(Rounded.WithoutSignOfZero(cell)))]);
            AnsiConsole.Write(table);
            return;
        }
        int[] widths = [.. header.Select((title, i) => all.Select(r => r[i].Length).Append(title.Length).Max())];
        if (textColumns == header.Count)
            widths[^1] = Math.Min(widths[^1], Math.Max(NarrowestText, Width - widths[..^1].Sum(width => width + Gap.Length)));
        foreach (var row in titled ? all.Prepend(header) : all)
        {
            string[] last = textColumns == header.Count ? Lines(row[^1], widths[^1]) : [row[^1]];
            Row([.. row.SkipLast(1), last[0]], widths, textColumns);
            foreach (string more in last[1..])
                Row([.. header.SkipLast(1).Select(_ => ""), more], widths, textColumns);
        }
    }

    /// <summary>A text in lines of at most so many characters, where no word is longer.</summary>
    private static string[] Lines(string text, int width)
    {
        var lines = new List<string> { "" };
        foreach (string word in text.Split(' '))
            if (lines[^1] == "")
                lines[^1] = word;
            else if (lines[^1].Length + 1 + word.Length <= width)
                lines[^1] += " " + word;
            else
                lines.Add(word);
        return [.. lines];
    }

    /// <summary>One row of a table that is written as it comes, in columns of given widths.</summary>
    public void Row(IReadOnlyList<string> cells, IReadOnlyList<int> widths, int textColumns = 0) =>
        Line(string.Join(Gap, cells.Select((cell, i) => i < textColumns ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))).TrimEnd());
}
