using System.Globalization;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Reports;

/// <summary>A self-contained page: text, tables and figures in the order they are added; it loads nothing and runs nothing.</summary>
/// <param name="title">The page's title, also its first heading.</param>
/// <param name="subtitle">A line under it.</param>
public sealed class HtmlPage(string title, string subtitle = "")
{
    private const int ContentsFromSections = 3;

    private readonly StringBuilder _body = new();
    private readonly List<string> _sections = [];

    /// <summary>Starts a section; pages with three or more get a list of them.</summary>
    public HtmlPage Section(string heading)
    {
        _sections.Add(heading);
        return Add($"<h2 id=\"s{_sections.Count}\">{Text(heading)}</h2>");
    }

    public HtmlPage Paragraph(string text) => Add($"<p>{Text(text)}</p>");

    /// <summary>A paragraph that must not be overlooked.</summary>
    public HtmlPage Note(string text) => Add($"<p class=\"note\">{Text(text)}</p>");

    /// <summary>Text with its line breaks kept, in a fixed-width font.</summary>
    public HtmlPage Code(string text) => Add($"<pre>{Text(text)}</pre>");

    /// <summary>Terms with their values: a configuration, a summary.</summary>
    public HtmlPage Definitions(IEnumerable<(string Term, string Value)> definitions) => AddDefinitions(definitions, "<dl>");

    /// <summary>The numbers that a reader came for.</summary>
    public HtmlPage Headline(IEnumerable<(string Term, string Value)> numbers) => AddDefinitions(numbers, "<dl class=\"headline\">");

    /// <summary>A table; columns whose every cell is a number or empty are set to the right.</summary>
    /// <exception cref="ArgumentException">A row does not have as many cells as the header.</exception>
    public HtmlPage Table(IReadOnlyList<string> header, IReadOnlyList<IReadOnlyList<string>> rows, string caption = "")
    {
        if (rows.FirstOrDefault(row => row.Count != header.Count) is { } wrong)
            throw new ArgumentException(
                $"html table: a row of {wrong.Count} cells under a header of {header.Count}; give every row as many cells as the header");
        bool[] numeric = [.. Enumerable.Range(0, header.Count).Select(column => rows.Any(row => IsNumber(row[column]))
            && rows.All(row => row[column] is "" or "-" || IsNumber(row[column])))];
        string Cell(string tag, string text, int column) => $"<{tag}{(numeric[column] ? " class=\"n\"" : "")}>{Text(text)}</{tag}>";
        Add("<div class=\"wide\"><table>");
        if (caption != "")
            Add($"<caption>{Text(caption)}</caption>");
        Add($"<thead><tr>{string.Concat(header.Select((text, column) => Cell("th", text, column)))}</tr></thead><tbody>");
        foreach (var row in rows)
            Add($"<tr>{string.Concat(row.Select((text, column) => Cell("td", text, column)))}</tr>");
        return Add("</tbody></table></div>");
    }

    /// <summary>A chart with its caption.</summary>
    public HtmlPage Figure(Chart chart, string caption = "") => Figure(chart.ToSvg(), caption);

    /// <param name="svg">An SVG element, put into the page as it is: it must come from a trusted place such as
    /// <see cref="Chart.ToSvg"/>.</param>
    /// <param name="caption">What it shows.</param>
    public HtmlPage Figure(string svg, string caption = "") => AddFigure(svg, caption);

    /// <param name="png">A picture's bytes, such as <see cref="ImageGrid.ToPng"/> gives them.</param>
    /// <param name="caption">What it shows; also the picture's alternative text.</param>
    public HtmlPage Figure(byte[] png, string caption = "") =>
        AddFigure($"<img alt=\"{Text(caption)}\" src=\"data:image/png;base64,{Convert.ToBase64String(png)}\">", caption);

    /// <summary>Charts beside each other where the page is wide enough.</summary>
    public HtmlPage Charts(IEnumerable<Chart> charts) =>
        Add($"<div class=\"charts\">{string.Concat(charts.Select(chart => $"<figure>{chart.ToSvg()}</figure>"))}</div>");

    /// <summary>Pictures below each other, each with a label before it; nothing where there are none.</summary>
    public HtmlPage Strips(IEnumerable<(string Label, byte[] Png)> rows, string caption = "")
    {
        string cells =
            string.Concat(
            rows.Select(row =>
            $"<tr><th>{Text(row.Label)}</th><td><img alt=\"{Text(row.Label)}\" "
            + $"src=\"data:image/png;base64,{Convert.ToBase64String(row.Png)}\"></td></tr>"));
        return cells == "" ? this : AddFigure($"<div class=\"wide\"><table class=\"strips\">{cells}</table></div>", caption);
    }

    public void Save(string path) => AtomicFile.WriteText(path, ToString());

    public override string ToString()
    {
        var page = new StringBuilder();
        page.Append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
            + "content=\"width=device-width, initial-scale=1\">\n");
        page.Append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
            + "'unsafe-inline'\">\n");
        page.Append($"<title>{Text(title)}</title>\n<style>{StyleSheet}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{Text(title)}</h1>\n");
        if (subtitle != "")
            page.Append($"<p>{Text(subtitle)}</p>\n");
        page.Append("</header>\n");
        if (_sections.Count >= ContentsFromSections)
            page.Append($"<nav>{string.Concat(_sections.Select((heading, i) => $"<a href=\"#s{i + 1}\">{Text(heading)}</a>"))}</nav>\n");
        return page.Append(_body).Append("</main>\n</body>\n</html>\n").ToString();
    }

    private HtmlPage AddDefinitions(IEnumerable<(string Term, string Value)> definitions, string start)
    {
        Add(start);
        foreach (var (term, value) in definitions)
            Add($"<div><dt>{Text(term)}</dt><dd>{Text(value)}</dd></div>");
        return Add("</dl>");
    }

    private HtmlPage AddFigure(string content, string caption) =>
        Add($"<figure>{content}{(caption == "" ? "" : $"<figcaption>{Text(caption)}</figcaption>")}</figure>");

    private HtmlPage Add(string html)
    {
        _body.Append(html).Append('\n');
        return this;
    }

    private static string Text(string text) => SvgCanvas.Escape(Rounded.WithoutSignOfZero(text));

    private static bool IsNumber(string text) =>
        double.TryParse(text.AsSpan().TrimEnd("% "), NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out _);

    private const string StyleSheet = """

        :root { --ink: #1b2430; --muted: #5a6675; --rule: #dfe4ea; --accent: #3a66c8; }
        * { box-sizing: border-box; }
        body { margin: 0; background: #f4f6f9; color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 2.5rem 4rem; background: #fff; min-height: 100vh; box-shadow: 0 0 2px rgba(27, 36, 48, .12); }
        header { border-bottom: 3px solid var(--accent); margin-bottom: 1.5rem; }
        header p { margin: .25rem 0 1rem; color: var(--muted); }
        h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
        h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--rule); }
        nav { display: flex; flex-wrap: wrap; gap: .35rem 1.25rem; margin-bottom: 1rem; font-size: .95rem; }
        a { color: var(--accent); text-decoration: none; }
        a:hover { text-decoration: underline; }
        .note { border-left: 4px solid #e8871e; background: #fdf5ea; padding: .6rem .9rem; border-radius: 0 4px 4px 0; }
        pre { overflow-x: auto; background: #f4f6f9; border: 1px solid var(--rule); border-radius: 6px; padding: .8rem 1rem; font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
        dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .75rem 1.5rem; margin: 1rem 0; }
        dt { color: var(--muted); font-size: .85rem; }
        dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
        .headline { grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; }
        .headline div { background: #f4f6f9; border-radius: 8px; padding: .6rem .8rem .7rem; }
        .headline dd { font-size: 1.35rem; line-height: 1.3; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; margin: 1rem 0; min-width: 50%; font-size: .93rem; font-variant-numeric: tabular-nums; }
        caption { caption-side: top; text-align: left; color: var(--muted); padding-bottom: .4rem; }
        th, td { text-align: left; padding: .4rem .9rem .4rem .5rem; border-bottom: 1px solid var(--rule); }
        th { font-weight: 600; border-bottom: 2px solid var(--rule); vertical-align: bottom; }
        .n { text-align: right; }
        tbody tr:hover { background: #f4f6f9; }
        figure { margin: 1.25rem 0; }
        figure > svg, figure > img { display: block; max-width: 100%; height: auto; }
        figure > svg { border: 1px solid var(--rule); border-radius: 8px; }
        figure img { image-rendering: pixelated; border: 1px solid var(--rule); }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: .5rem 1.25rem; }
        .charts figure { margin: .5rem 0; }
        .strips { margin: 0; }
        .strips th, .strips td { border: 0; padding: 1px .75rem 1px 0; white-space: pre; font-weight: 400; font-size: .88rem; line-height: 1.35; }
        .strips img { border: 0; max-width: none; }
        figcaption { color: var(--muted); font-size: .9rem; margin-top: .4rem; }
        @media (max-width: 40rem) { main { padding: 1.25rem 1rem 3rem; } h1 { font-size: 1.5rem; } }
        @media print { body { background: #fff; } main { max-width: none; padding: 0; box-shadow: none; } figure, tr { break-inside: avoid; } nav { display: none; } }

        """;
}
