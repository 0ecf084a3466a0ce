using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace VaeFromScratch.Cli;

/// <summary>Standard output in one of three manners: a terminal with colours, plain lines, or one JSON object.</summary>
public sealed class Output(bool json, bool plain)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public bool IsJson { get; } = json;

    /// <summary>Whether bars and colours may be shown.</summary>
    public bool IsRich { get; } = !json && !plain && !Console.IsOutputRedirected;

    /// <summary>A line for people; nothing when JSON was asked for.</summary>
    public void Line(string text = "")
    {
        if (!IsJson)
            Console.Out.WriteLine(text);
    }

    /// <summary>Something the user should know though nothing failed: to standard error.</summary>
    public static void Warn(string text) => Console.Error.WriteLine($"warning: {text}");

    /// <summary>The command's result, when JSON was asked for.</summary>
    public void Json(JsonNode result)
    {
        if (IsJson)
            Console.Out.WriteLine(result.ToJsonString(Indented));
    }

    /// <summary>A table; columns of numbers are right-aligned.</summary>
    public void Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        if (IsJson)
            return;
        var all = rows.ToList();
        if (IsRich)
        {
            var table = new Table().Border(TableBorder.Rounded);
            foreach (string title in header)
                table.AddColumn(new TableColumn(new Markup($"[bold]{Markup.Escape(title)}[/]")).RightAligned());
            foreach (var row in all)
                table.AddRow([.. row.Select(cell => new Text(cell))]);
            AnsiConsole.Write(table);
            return;
        }
        var widths = header.Select((title, i) => all.Select(r => r[i].Length).Append(title.Length).Max()).ToArray();
        Line(string.Join("  ", header.Select((title, i) => title.PadLeft(widths[i]))));
        foreach (var row in all)
            Line(string.Join("  ", row.Select((cell, i) => cell.PadLeft(widths[i]))));
    }
}
