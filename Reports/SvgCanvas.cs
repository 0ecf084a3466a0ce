using System.Globalization;
using System.Text;

namespace VaeFromScratch.Reports;

/// <summary>Writes SVG elements; lengths are in user units with the origin at the top left.</summary>
internal sealed class SvgCanvas
{
    private const double GlyphWidth = 0.56; // of the font size, on average for the sans-serif fonts below

    private readonly StringBuilder _text = new();

    public SvgCanvas(int width, int height, string title)
    {
        (Width, Height) = (width, height);
        _text.Append(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" "
            + $"role=\"img\" ");
        _text.Append("font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\">\n");
        _text.Append("<title>").Append(Escape(title)).Append("</title>\n");
        Rectangle(0, 0, width, height, Palette.Paper);
    }

    public int Width { get; }
    public int Height { get; }

    /// <summary>About how wide a text will be.</summary>
    public static double TextWidth(string text, double size) => text.Length * size * GlyphWidth;

    /// <summary>
    /// Text that is safe inside XML and HTML elements and quoted attributes; characters that XML forbids become question marks.
    /// </summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            bool pair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            if (pair)
                escaped.Append(c).Append(text[++i]);
            else
                escaped.Append(c switch
                {
                    '&' => "&amp;",
                    '<' => "&lt;",
                    '>' => "&gt;",
                    '"' => "&quot;",
                    '\'' => "&#39;",
                    '\t' or '\n' or '\r' => c.ToString(),
                    < ' ' or '\uFFFE' or '\uFFFF' => "?",
                    _ => char.IsSurrogate(c) ? "?" : c.ToString(),
                });
        }
        return escaped.ToString();
    }

    /// <summary>A coordinate, to a hundredth.</summary>
    public static string Number(double value) => Math.Round(value, 2).ToString("0.##", CultureInfo.InvariantCulture);

    public void Line(double x1, double y1, double x2, double y2, string stroke, double width = 1, string? dash = null) =>
        Element($"<line x1=\"{Number(x1)}\" y1=\"{Number(y1)}\" x2=\"{Number(x2)}\" y2=\"{Number(y2)}\" stroke=\"{stroke}\" "
            + $"stroke-width=\"{Number(width)}\"{(dash is null ? "" : $" stroke-dasharray=\"{dash}\"")}/>");

    public void Rectangle(double x, double y, double width, double height, string fill, double radius = 0, string? tooltip = null) =>
        Element($"<rect x=\"{Number(x)}\" y=\"{Number(y)}\" width=\"{Number(width)}\" height=\"{Number(height)}\" "
            + $"fill=\"{fill}\"{(radius > 0 ? $" rx=\"{Number(radius)}\"" : "")}{(tooltip is null ? "/>" : $"><title>{Escape(tooltip)}</title></rect>")}");

    public void Circle(double x, double y, double radius, string fill, string? stroke = null, double width = 1) =>
        Element($"<circle cx=\"{Number(x)}\" cy=\"{Number(y)}\" r=\"{Number(radius)}\" "
            + $"fill=\"{fill}\"{(stroke is null ? "" : $" stroke=\"{stroke}\" stroke-width=\"{Number(width)}\"")}/>");

    public void Polyline(string path, string stroke, double width) =>
        Element($"<path d=\"{path}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{Number(width)}\" stroke-linejoin=\"round\" "
            + $"stroke-linecap=\"round\"/>");

    /// <summary>Dots as the round ends of lines without length: a tenth of the size of as many circle elements.</summary>
    public void Dots(string path, string colour, double diameter, double opacity) =>
        Element($"<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{Number(diameter)}\" stroke-linecap=\"round\" "
            + $"stroke-opacity=\"{Number(opacity)}\"/>");

    /// <param name="anchor">start, middle or end.</param>
    public void Text(double x, double y, string text, double size, string colour, string anchor = "start", bool bold = false) =>
        Element($"<text x=\"{Number(x)}\" y=\"{Number(y)}\" font-size=\"{Number(size)}\" "
            + $"fill=\"{colour}\"{(anchor == "start" ? "" : $" text-anchor=\"{anchor}\"")}{(bold ? " font-weight=\"600\"" : "")}>{Escape(text)}</text>");

    /// <summary>A picture stretched over a rectangle, its pixels kept sharp.</summary>
    public void Picture(double x, double y, double width, double height, byte[] png) =>
        Element($"<image x=\"{Number(x)}\" y=\"{Number(y)}\" width=\"{Number(width)}\" height=\"{Number(height)}\" "
            + $"preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" "
            + $"href=\"data:image/png;base64,{Convert.ToBase64String(png)}\"/>");

    /// <summary>Hides what the elements inside draw beyond a rectangle.</summary>
    public void Clip(double x, double y, double width, double height, Action draw)
    {
        // A nested svg element clips without an id, which would clash when several charts share a page.
        Element($"<svg x=\"{Number(x)}\" y=\"{Number(y)}\" width=\"{Number(width)}\" height=\"{Number(height)}\" viewBox=\"{Number(x)} "
            + $"{Number(y)} {Number(width)} {Number(height)}\" overflow=\"hidden\">");
        draw();
        Element("</svg>");
    }

    public string Finish() => _text.Append("</svg>\n").ToString();

    private void Element(string element) => _text.Append(element).Append('\n');
}

/// <summary>The colours of charts and pages.</summary>
internal static class Palette
{
    public const string Paper = "#ffffff";
    public const string Ink = "#1b2430";
    public const string Muted = "#5a6675";
    public const string Rule = "#9aa5b1";
    public const string Grid = "#e7ebf0";
    public const string Pale = "#c3d0e8";

    private static readonly string[] Series =
        ["#3a66c8", "#e8871e", "#2f9e62", "#d1495b", "#7c5cc4", "#17a2b8", "#a0673f", "#d86fb1", "#8a9a1f", "#6b7684"];

    /// <summary>The colour of series or class <paramref name="index"/>; repeats after ten.</summary>
    public static string Of(int index) => Series[(index % Series.Length + Series.Length) % Series.Length];
}
