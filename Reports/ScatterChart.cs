using System.Globalization;
using System.Text;

namespace VaeFromScratch.Reports;

/// <summary>A circle in the units of the axes: a component of a prior.</summary>
/// <param name="Class">The class that gives the circle its colour.</param>
internal sealed record ScatterCircle(double X, double Y, double Radius, int Class);

/// <summary>Points coloured by class: encodings in a plane.</summary>
/// <param name="X">One a point.</param>
/// <param name="Y">One a point.</param>
/// <param name="Classes">One a point, from 0; null for a single colour.</param>
public sealed record ScatterChart(IReadOnlyList<double> X, IReadOnlyList<double> Y, IReadOnlyList<int>? Classes = null) : Chart
{
    /// <summary>Names of the classes for the legend; their numbers when null.</summary>
    public IReadOnlyList<string>? ClassNames { get; init; }

    internal IReadOnlyList<ScatterCircle> Circles { get; init; } = [];

    /// <summary>Whether a unit is as long on both axes.</summary>
    public bool SameScale { get; init; } = true;

    public override string ToSvg()
    {
        var x = Axis.Fit([.. X, .. Circles.SelectMany(c => (double[])[c.X - c.Radius, c.X + c.Radius])]);
        var y = Axis.Fit([.. Y, .. Circles.SelectMany(c => (double[])[c.Y - c.Radius, c.Y + c.Radius])]);
        int[] classes = [.. (Classes ?? []).Concat(Circles.Select(c => c.Class)).Distinct().Order()];
        var frame = new ChartFrame(this, x, y, [.. classes.Select(c => (NameOf(c), Palette.Of(c)))], sameScale: SameScale);
        double diameter = Math.Clamp(160 / Math.Sqrt(X.Count + 1), 2.4, 7);
        frame.Plot(() =>
        {
            if (Classes is null)
                frame.Canvas.Dots(Path(frame, wanted: null), Palette.Of(0), diameter, 0.6);
            foreach (int c in Classes is null ? [] : classes)
                frame.Canvas.Dots(Path(frame, c), Palette.Of(c), diameter, 0.6);
            foreach (var circle in Circles)
                DrawCircle(frame, circle);
        });
        return frame.Canvas.Finish();
    }

    private string NameOf(int c) =>
        ClassNames is not null && c >= 0 && c < ClassNames.Count ? ClassNames[c] : c.ToString(CultureInfo.InvariantCulture);

    private string Path(ChartFrame frame, int? wanted)
    {
        var path = new StringBuilder();
        for (int i = 0; i < Math.Min(X.Count, Y.Count); i++)
            if (double.IsFinite(X[i]) && double.IsFinite(Y[i]) && (wanted is null || Classes![i] == wanted))
                path.Append('M').Append(SvgCanvas.Number(frame.X(X[i]))).Append(' ').Append(SvgCanvas.Number(frame.Y(Y[i]))).Append("h0");
        return path.ToString();
    }

    private static void DrawCircle(ChartFrame frame, ScatterCircle circle)
    {
        // A polygon, so that the circle is right on axes of different scales too.
        const int corners = 72;
        double[] angles = [.. Enumerable.Range(0, corners + 1).Select(i => 2 * Math.PI * i / corners)];
        string path = frame.Path([.. angles.Select(a => circle.X + circle.Radius * Math.Cos(a))],
            [.. angles.Select(a => circle.Y + circle.Radius * Math.Sin(a))]);
        frame.Canvas.Polyline(path, Palette.Paper, 3.4);
        frame.Canvas.Polyline(path, Palette.Of(circle.Class), 1.8);
    }
}
