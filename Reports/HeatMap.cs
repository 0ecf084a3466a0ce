using System.Globalization;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Reports;

/// <summary>A matrix as colours: correlations, contingency tables, maps over the scalp.</summary>
/// <param name="Rows">Rows, drawn from the top.</param>
/// <param name="Columns">The number of columns.</param>
/// <param name="Values">[Rows, Columns]; values that are not finite are drawn grey.</param>
public sealed record HeatMap(int Rows, int Columns, IReadOnlyList<double> Values) : Chart
{
    private const int LargestNumberedSide = 14;

    /// <summary>From dark to bright for values of one sign.</summary>
    private static readonly (byte R, byte G, byte B)[] Sequential =
        [(247, 250, 253), (207, 224, 242), (141, 184, 222), (72, 135, 195), (29, 84, 151), (12, 41, 89)];
    /// <summary>From negative over 0 to positive.</summary>
    private static readonly (byte R, byte G, byte B)[] Diverging =
        [(33, 82, 156), (122, 168, 214), (247, 247, 247), (232, 150, 120), (170, 30, 45)];
    private static readonly (byte R, byte G, byte B) Missing = (214, 217, 222);

    public IReadOnlyList<string>? RowLabels { get; init; }
    public IReadOnlyList<string>? ColumnLabels { get; init; }

    /// <summary>Ends of the colour scale; the data's own when null.</summary>
    public double? Lowest { get; init; }
    public double? Highest { get; init; }

    public override string ToSvg()
    {
        if (Rows < 1 || Columns < 1 || Values.Count != Rows * Columns)
            throw new ArgumentException($"heat map: {Values.Count} values for {Rows} x {Columns}; pass [Rows, Columns]");
        var canvas = new SvgCanvas(Width, Height, Title);
        double top = 18;
        if (Title != "")
        {
            canvas.Text(18, top + 13, Title, 16, Palette.Ink, bold: true);
            top += 28;
        }
        if (YLabel != "")
        {
            canvas.Text(18, top + 10, YLabel, 12.5, Palette.Muted);
            top += 22;
        }
        var (low, high) = Range();
        bool diverging = low < 0 && high > 0;
        if (diverging)
            (low, high) = (Math.Min(low, -high), Math.Max(high, -low));
        var ramp = diverging ? Diverging : Sequential;
        var scale = new Axis(low, high);
        double left = 18 + 8 + Enumerable.Range(0, Rows).Max(row => SvgCanvas.TextWidth(Label(RowLabels, row), 12));
        double right = Width - 18 - 34 - scale.Ticks().Max(tick => SvgCanvas.TextWidth(tick.Label, 12));
        double bottom = Height - 18 - 20 - (XLabel == "" ? 0 : 19);
        double cell = Math.Min((right - left) / Columns, (bottom - top) / Rows);
        var (cellWidth, cellHeight) = Rows == Columns ? (cell, cell) : ((right - left) / Columns, (bottom - top) / Rows);
        (right, bottom) = (left + Columns * cellWidth, top + Rows * cellHeight);

        canvas.Picture(left, top, right - left, bottom - top,
            Png.Encode(new(Columns, Rows, 3, [.. Values.SelectMany(value => Bytes(Colour(value, scale, ramp)))])));
        DrawLabels(canvas, left, top, right, bottom, cellWidth, cellHeight);
        if (Math.Max(Rows, Columns) <= LargestNumberedSide && cellWidth >= 30 && cellHeight >= 16)
            DrawNumbers(canvas, left, top, cellWidth, cellHeight, scale, ramp);
        DrawScale(canvas, right + 14, top, bottom, scale, ramp);
        return canvas.Finish();
    }

    private (double Low, double High) Range()
    {
        double[] finite = [.. Values.Where(double.IsFinite)];
        double low = Lowest ?? (finite.Length == 0 ? 0 : Math.Min(finite.Min(), finite.Max() > 0 ? 0 : double.MaxValue));
        double high = Highest ?? (finite.Length == 0 ? 1 : finite.Max());
        return high > low ? (low, high) : (low, low + 1);
    }

    private void DrawLabels(SvgCanvas canvas, double left, double top, double right, double bottom, double cellWidth, double cellHeight)
    {
        int everyRow = Math.Max(1, (int)Math.Ceiling(15 / cellHeight));
        int everyColumn = Math.Max(1, (int)Math.Ceiling(
            (Enumerable.Range(0, Columns).Max(column => SvgCanvas.TextWidth(Label(ColumnLabels, column), 12)) + 8) / cellWidth));
        for (int row = 0; row < Rows; row += everyRow)
            canvas.Text(left - 8, top + (row + 0.5) * cellHeight + 4, Label(RowLabels, row), 12, Palette.Muted, "end");
        for (int column = 0; column < Columns; column += everyColumn)
            canvas.Text(left + (column + 0.5) * cellWidth, bottom + 18, Label(ColumnLabels, column), 12, Palette.Muted, "middle");
        if (XLabel != "")
            canvas.Text((left + right) / 2, bottom + 38, XLabel, 12.5, Palette.Muted, "middle");
    }

    private void DrawNumbers(SvgCanvas canvas, double left, double top, double cellWidth, double cellHeight, Axis scale,
        (byte R, byte G, byte B)[] ramp)
    {
        bool whole = Values.All(value => value == Math.Floor(value));
        for (int i = 0; i < Values.Count; i++)
        {
            if (!double.IsFinite(Values[i]))
                continue;
            var (r, g, b) = Colour(Values[i], scale, ramp);
            string ink = 0.3 * r + 0.59 * g + 0.11 * b < 140 ? Palette.Paper : Palette.Ink;
            canvas.Text(left + (i % Columns + 0.5) * cellWidth, top + (i / Columns + 0.5) * cellHeight + 4,
                Axis.Format(Values[i], whole ? 1 : 0.01), 11, ink, "middle");
        }
    }

    private static void DrawScale(SvgCanvas canvas, double left, double top, double bottom, Axis scale, (byte R, byte G, byte B)[] ramp)
    {
        const int steps = 128;
        byte[] strip = [.. Enumerable.Range(0, steps)
            .SelectMany(i => Bytes(Colour(scale.Max + (scale.Min - scale.Max) * i / (steps - 1), scale, ramp)))];
        canvas.Picture(left, top, 12, bottom - top, Png.Encode(new(1, steps, 3, strip)));
        foreach (var (value, label) in scale.Ticks())
            canvas.Text(left + 18, bottom - scale.Position(value) * (bottom - top) + 4, label, 12, Palette.Muted);
    }

    private static string Label(IReadOnlyList<string>? labels, int i) =>
        labels is not null && i < labels.Count ? labels[i] : i.ToString(CultureInfo.InvariantCulture);

    private static byte[] Bytes((byte R, byte G, byte B) colour) => [colour.R, colour.G, colour.B];

    private static (byte R, byte G, byte B) Colour(double value, Axis scale, (byte R, byte G, byte B)[] ramp)
    {
        if (!double.IsFinite(value))
            return Missing;
        double place = Math.Clamp(scale.Position(value), 0, 1) * (ramp.Length - 1);
        int below = Math.Min((int)place, ramp.Length - 2);
        double share = place - below;
        byte Mix(byte a, byte b) => (byte)Math.Round(a + (b - a) * share);
        return (Mix(ramp[below].R, ramp[below + 1].R), Mix(ramp[below].G, ramp[below + 1].G), Mix(ramp[below].B, ramp[below + 1].B));
    }
}
