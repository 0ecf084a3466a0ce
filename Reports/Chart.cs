using System.Globalization;

namespace VaeFromScratch.Reports;

/// <summary>Texts and size of a chart; <see cref="ToSvg"/> gives a self-contained SVG element, the same for the same data.</summary>
public abstract record Chart
{
    public string Title { get; init; } = "";

    /// <summary>What the horizontal axis shows, with its unit.</summary>
    public string XLabel { get; init; } = "";

    /// <summary>What the vertical axis shows, with its unit.</summary>
    public string YLabel { get; init; } = "";

    /// <summary>In pixels, when nothing scales the chart.</summary>
    public int Width { get; init; } = 880;
    public int Height { get; init; } = 400;

    public abstract string ToSvg();
}

/// <summary>One line of a chart.</summary>
/// <param name="Name">What the legend says.</param>
/// <param name="X">Where each point stands along x.</param>
/// <param name="Y">What; the line is broken at values that are not finite.</param>
public sealed record Series(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y);

/// <summary>Lines over a common axis: training curves, comparisons.</summary>
public sealed record LineChart(IReadOnlyList<Series> Lines) : Chart
{
    private const int MarkedPoints = 25;

    /// <summary>Logarithmic axes leave out values that are not positive.</summary>
    public bool LogX { get; init; }
    public bool LogY { get; init; }

    /// <summary>Whether the vertical axis must contain 0.</summary>
    public bool FromZero { get; init; }

    /// <summary>Whether the horizontal axis counts something: ticks at whole numbers only.</summary>
    public bool WholeX { get; init; }

    public override string ToSvg()
    {
        var x = Axis.Fit(Lines.SelectMany(line => line.X), LogX, tight: true);
        var y = Axis.Fit(Lines.SelectMany(line => line.Y), LogY, FromZero);
        var frame = new ChartFrame(this, x, y, [.. Lines.Select((line, i) => (line.Name, Palette.Of(i)))], xTicks: WholeX ? WholeTicks(x)
            : null);
        frame.Plot(() =>
        {
            for (int i = 0; i < Lines.Count; i++)
                frame.Canvas.Polyline(frame.Path(Lines[i].X, Lines[i].Y), Palette.Of(i), 2.2);
        });
        for (int i = 0; i < Lines.Count; i++)
            for (int point = 0; Lines[i].X.Count <= MarkedPoints && point < Math.Min(Lines[i].X.Count, Lines[i].Y.Count); point++)
                if (frame.Shows(Lines[i].X[point], Lines[i].Y[point]))
                    frame.Canvas.Circle(frame.X(Lines[i].X[point]), frame.Y(Lines[i].Y[point]), 3.2, Palette.Of(i), Palette.Paper, 1.2);
        return frame.Canvas.Finish();
    }

    private static (double, string)[] WholeTicks(Axis axis) =>
        [.. axis.Ticks().Where(tick => Math.Abs(tick.Value - Math.Round(tick.Value)) < 1e-6)
            .Select(tick => (tick.Value, Axis.Format(tick.Value, 1)))];
}

/// <summary>A second quantity of each bar, drawn as a line against an axis on the right.</summary>
/// <param name="Name">What the legend says.</param>
/// <param name="Label">What the right axis shows, with its unit.</param>
/// <param name="Values">One a bar.</param>
internal sealed record BarOverlay(string Name, string Label, IReadOnlyList<double> Values);

/// <summary>Bars in the order given: a spectrum of factors, with an optional second quantity (paper 1, figure 1).</summary>
public sealed record BarChart(string Name, IReadOnlyList<double> Values) : Chart
{
    private const int LargestLabelCount = 24;

    /// <summary>What stands under each bar; their indices when null. Labels that would touch are left out.</summary>
    public IReadOnlyList<string>? Labels { get; init; }

    internal BarOverlay? Overlay { get; init; }

    /// <summary>A dashed line; bars that do not reach it are pale.</summary>
    public double? Threshold { get; init; }

    /// <summary>What the line means; it stands in the legend, where no bar can cover it.</summary>
    public string ThresholdLabel { get; init; } = "";

    public override string ToSvg()
    {
        var y = Axis.Fit(Threshold is { } t ? [.. Values, t] : Values, fromZero: true);
        var (strong, line) = (Palette.Of(0), Palette.Of(1));
        Axis? right = Overlay is null ? null : Axis.Fit(Overlay.Values, fromZero: true);
        var frame = new ChartFrame(this, new(-0.5, Math.Max(1, Values.Count) - 0.5), y, Legend(strong, line), Ticks(),
            right is { } axis ? (axis, Overlay!.Label, line) : null);
        double slot = frame.Width / Math.Max(1, Values.Count);
        double width = Math.Max(1, Math.Min(slot * 0.78, 64));
        for (int i = 0; i < Values.Count; i++)
        {
            if (!double.IsFinite(Values[i]))
                continue;
            double top = Math.Min(frame.Y(0), frame.Y(Values[i]));
            string colour = Threshold is { } limit && Values[i] < limit ? Palette.Pale : strong;
            frame.Canvas.Rectangle(frame.X(i) - width / 2, top, width, Math.Abs(frame.Y(0) - frame.Y(Values[i])), colour,
                radius: Math.Min(2, width / 4), tooltip: string.Create(CultureInfo.InvariantCulture, $"{LabelOf(i)}: {Values[i]:g4}"));
        }
        if (y.Min < 0)
            frame.Rule(0);
        if (Threshold is { } threshold)
            frame.Threshold(threshold);
        if (right is { } scale)
            DrawOverlay(frame, scale, line, slot);
        return frame.Canvas.Finish();
    }

    private (string, string)[] Legend(string strong, string line) =>
    [
        (Name, strong),
        .. Overlay is null ? [] : ((string, string)[])[(Overlay.Name, line)],
        .. Threshold is null || ThresholdLabel == "" ? [] : ((string, string)[])[(ThresholdLabel, ChartFrame.ThresholdColour)],
    ];

    private void DrawOverlay(ChartFrame frame, Axis scale, string colour, double slot)
    {
        double[] places = [.. Enumerable.Range(0, Overlay!.Values.Count).Select(i => (double)i)];
        frame.Canvas.Polyline(frame.Path(places, Overlay.Values, scale), colour, 1.8);
        for (int i = 0; i < places.Length; i++)
            if (scale.Shows(Overlay.Values[i]))
                frame.Canvas.Circle(frame.X(i), frame.Y(Overlay.Values[i], scale), Math.Clamp(slot / 4, 1.2, 3.2), colour, Palette.Paper,
                    slot > 8 ? 1 : 0.4);
    }

    private List<(double, string)> Ticks()
    {
        int longest = Enumerable.Range(0, Values.Count).Select(i => LabelOf(i).Length).DefaultIfEmpty(1).Max();
        int room = Math.Clamp((int)((Width - 100) / (SvgCanvas.TextWidth("0", 12) * (longest + 1.5))), 1, LargestLabelCount);
        int every = Math.Max(1, (Values.Count + room - 1) / room);
        if (every > 2 && Labels is null)
            every = (every + 4) / 5 * 5;
        return [.. Enumerable.Range(0, Values.Count).Where(i => i % every == 0).Select(i => ((double)i, LabelOf(i)))];
    }

    private string LabelOf(int i) => Labels is not null && i < Labels.Count ? Labels[i] : i.ToString(CultureInfo.InvariantCulture);
}
