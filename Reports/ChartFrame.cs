using System.Text;

namespace VaeFromScratch.Reports;

/// <summary>What every chart has: a title, a legend, axes with a grid, and the mapping from values to places.</summary>
internal sealed class ChartFrame
{
    private const double Margin = 18;
    private const double TitleSize = 16;
    private const double LabelSize = 12.5;
    private const double TickSize = 12;
    private const double LegendHeight = 20;

    private readonly double _left;
    private readonly double _top;
    private readonly double _right;
    private readonly double _bottom;
    private readonly Axis _x;
    private readonly Axis _y;

    /// <param name="chart">Texts and size.</param>
    /// <param name="x">The horizontal axis.</param>
    /// <param name="y">The vertical axis.</param>
    /// <param name="legend">Names and colours; drawn when there are two or more.</param>
    /// <param name="xTicks">Ticks of the horizontal axis in place of its own.</param>
    /// <param name="second">An axis on the right with its label and colour.</param>
    /// <param name="sameScale">Whether a unit is as long on both axes.</param>
    public ChartFrame(Chart chart, Axis x, Axis y, IReadOnlyList<(string Name, string Colour)> legend,
        IReadOnlyList<(double Value, string Label)>? xTicks = null,
        (Axis Axis, string Label, string Colour)? second = null, bool sameScale = false)
    {
        Canvas = new(chart.Width, chart.Height, chart.Title);
        (_x, _y) = (x, y);
        var yTicks = y.Ticks();
        _left = Margin + Math.Max(24, yTicks.Max(tick => SvgCanvas.TextWidth(tick.Label, TickSize)) + 8);
        _right = chart.Width - Margin - (second is { } s ? s.Axis.Ticks().Max(tick => SvgCanvas.TextWidth(tick.Label, TickSize)) + 8 : 4);
        _bottom = chart.Height - Margin - TickSize - 8 - (chart.XLabel == "" ? 0 : LabelSize + 6);
        _top = DrawHeading(chart, legend, second);
        if (sameScale)
            (_x, _y) = Equalise(x, y, (_right - _left) / (_bottom - _top));
        DrawGrid(xTicks ?? _x.Ticks(), _y.Ticks(), second?.Axis, ownXTicks: xTicks is null);
        if (chart.XLabel != "")
            Canvas.Text((_left + _right) / 2, chart.Height - Margin, chart.XLabel, LabelSize, Palette.Muted, "middle");
    }

    public SvgCanvas Canvas { get; }
    public double Width => _right - _left;

    public double X(double value) => _left + _x.Position(value) * (_right - _left);
    public double Y(double value) => Y(value, _y);
    public double Y(double value, Axis axis) => _bottom - axis.Position(value) * (_bottom - _top);
    public bool Shows(double x, double y) => _x.Shows(x) && _y.Shows(y);

    /// <summary>Draws inside the axes only.</summary>
    public void Plot(Action draw) => Canvas.Clip(_left, _top - 4, _right - _left, _bottom - _top + 8, draw);

    /// <summary>A horizontal line, such as where bars of both signs start.</summary>
    public void Rule(double value) => Canvas.Line(_left, Y(value), _right, Y(value), Palette.Rule, 1.2);

    /// <summary>Of the line that <see cref="Threshold"/> draws.</summary>
    public static string ThresholdColour => Palette.Of(3);

    /// <summary>A dashed horizontal line.</summary>
    public void Threshold(double value) => Canvas.Line(_left, Y(value), _right, Y(value), ThresholdColour, 1.2, "5 4");

    /// <summary>A line through the points of the series that have a place; it is broken where one has none.</summary>
    public string Path(IReadOnlyList<double> x, IReadOnlyList<double> y, Axis? axis = null)
    {
        var path = new StringBuilder();
        bool pen = false;
        for (int i = 0; i < Math.Min(x.Count, y.Count); i++)
        {
            if (!_x.Shows(x[i]) || !(axis ?? _y).Shows(y[i]))
            {
                pen = false;
                continue;
            }
            path.Append(pen ? 'L' : 'M').Append(SvgCanvas.Number(X(x[i]))).Append(' ').Append(SvgCanvas.Number(Y(y[i], axis ?? _y)));
            pen = true;
        }
        return path.ToString();
    }

    /// <summary>Title, legend and the names of the vertical axes, which stand above them so that nobody has to tilt the head.</summary>
    /// <returns>Where the plot starts.</returns>
    private double DrawHeading(Chart chart, IReadOnlyList<(string Name, string Colour)> legend,
        (Axis Axis, string Label, string Colour)? second)
    {
        double y = Margin;
        if (chart.Title != "")
        {
            Canvas.Text(Margin, y + TitleSize - 3, chart.Title, TitleSize, Palette.Ink, bold: true);
            y += TitleSize + 12;
        }
        if (legend.Count > 1)
        {
            double x = Margin;
            foreach (var (name, colour) in legend)
            {
                double width = 18 + SvgCanvas.TextWidth(name, LabelSize) + 16;
                if (x + width > chart.Width - Margin && x > Margin)
                    (x, y) = (Margin, y + LegendHeight);
                Canvas.Rectangle(x, y, 12, 12, colour, radius: 3);
                Canvas.Text(x + 18, y + 10.5, name, LabelSize, Palette.Ink);
                x += width;
            }
            y += LegendHeight + 4;
        }
        if (chart.YLabel != "" || second is not null)
        {
            Canvas.Text(Margin, y + 10, chart.YLabel, LabelSize, Palette.Muted);
            if (second is { } s)
                Canvas.Text(chart.Width - Margin, y + 10, s.Label, LabelSize, s.Colour, "end");
            y += 22;
        }
        return y + 4;
    }

    private void DrawGrid(IReadOnlyList<(double Value, string Label)> xTicks, IReadOnlyList<(double Value, string Label)> yTicks,
        Axis? second, bool ownXTicks)
    {
        foreach (var (value, label) in yTicks)
        {
            Canvas.Line(_left, Y(value), _right, Y(value), Palette.Grid, label == "" ? 0.5 : 1);
            Canvas.Text(_left - 8, Y(value) + 4, label, TickSize, Palette.Muted, "end");
        }
        foreach (var (value, label) in xTicks)
        {
            if (ownXTicks)
                Canvas.Line(X(value), _top, X(value), _bottom, Palette.Grid, label == "" ? 0.5 : 1);
            Canvas.Text(X(value), _bottom + TickSize + 7, label, TickSize, Palette.Muted, "middle");
        }
        if (second is { } axis)
            foreach (var (value, label) in axis.Ticks())
                Canvas.Text(_right + 8, Y(value, axis) + 4, label, TickSize, Palette.Muted);
        Canvas.Line(_left, _bottom, _right, _bottom, Palette.Rule, 1.2);
    }

    private static (Axis X, Axis Y) Equalise(Axis x, Axis y, double aspect)
    {
        double perHeight = Math.Max(y.Max - y.Min, (x.Max - x.Min) / aspect);
        Axis Widen(Axis axis, double length) => new((axis.Min + axis.Max - length) / 2, (axis.Min + axis.Max + length) / 2);
        return (Widen(x, perHeight * aspect), Widen(y, perHeight));
    }
}
