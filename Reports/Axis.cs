using System.Globalization;

namespace VaeFromScratch.Reports;

/// <summary>Maps values to positions from 0 to 1 and chooses round ticks.</summary>
/// <param name="Min">The value at 0.</param>
/// <param name="Max">The value at 1.</param>
/// <param name="Log">Logarithmic; both ends are positive then.</param>
internal readonly record struct Axis(double Min, double Max, bool Log = false)
{
    private const int LabelledTicks = 6;

    /// <summary>An axis over the finite (and, if logarithmic, positive) values, widened to round ends.</summary>
    public static Axis Fit(IEnumerable<double> values, bool log = false, bool fromZero = false, bool tight = false)
    {
        double min = double.PositiveInfinity;
        double max = double.NegativeInfinity;
        foreach (double value in values)
            if (double.IsFinite(value) && (!log || value > 0))
                (min, max) = (Math.Min(min, value), Math.Max(max, value));
        if (min > max)
            return log ? new(0.1, 10, Log: true) : new(0, 1);
        if (log)
            return max / min < 1.01 ? new(min / 2, max * 2, Log: true)
                : new(min / Math.Pow(max / min, 0.04), max * Math.Pow(max / min, 0.04), Log: true);
        if (fromZero)
            (min, max) = (Math.Min(min, 0), Math.Max(max, 0));
        if (max - min <= 1e-9 * Math.Max(Math.Abs(min), Math.Abs(max)) || max == min)
            (min, max) = min == 0 ? (0, 1) : (min - Math.Abs(min) * 0.1, max + Math.Abs(max) * 0.1);
        if (tight)
            return new(min, max);
        double step = Step(min, max);
        return new(Math.Floor(min / step + 1e-9) * step, Math.Ceiling(max / step - 1e-9) * step);
    }

    public double Position(double value) => Log ? Math.Log(value / Min) / Math.Log(Max / Min) : (value - Min) / (Max - Min);

    /// <summary>Whether a value has a place on the axis.</summary>
    public bool Shows(double value) => double.IsFinite(value) && (!Log || value > 0);

    /// <summary>Values and labels; a label is empty where only a thin line is drawn.</summary>
    public IReadOnlyList<(double Value, string Label)> Ticks() => Log ? LogTicks() : LinearTicks();

    /// <summary>A value as a label would show it.</summary>
    public static string Format(double value, double step)
    {
        double size = Math.Max(Math.Abs(value), step);
        if (size >= 1e6 || step < 1e-4)
            return value == 0 ? "0" : value.ToString("0.###e0", CultureInfo.InvariantCulture);
        int decimals = Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-9), 0, 6);
        if (decimals < 6 && Math.Abs(step * Math.Pow(10, decimals) - Math.Round(step * Math.Pow(10, decimals))) > 1e-6)
            decimals++;
        return value.ToString((Math.Abs(value) >= 10_000 ? "#,0" : "0") + (decimals > 0 ? "." + new string('0', decimals) : ""),
            CultureInfo.InvariantCulture);
    }

    private List<(double, string)> LinearTicks()
    {
        double step = Step(Min, Max);
        var ticks = new List<(double, string)>();
        for (double i = Math.Ceiling(Min / step - 1e-9); i * step <= Max + step * 1e-9; i++)
        {
            double value = i * step + 0.0; // adding zero turns -0 into 0
            ticks.Add((value, Format(value, step)));
        }
        return ticks;
    }

    private List<(double, string)> LogTicks()
    {
        var ticks = new List<(double, string)>();
        double decades = Math.Log10(Max / Min);
        int every = Math.Max(1, (int)Math.Ceiling(decades / 8));
        int first = (int)Math.Floor(Math.Log10(Min));
        int last = (int)Math.Ceiling(Math.Log10(Max));
        for (int exponent = first; exponent <= last; exponent++)
            for (int digit = 1; digit < (decades <= 4 ? 10 : 2); digit++)
            {
                double value = digit * Math.Pow(10, exponent);
                if (value < Min * (1 - 1e-9) || value > Max * (1 + 1e-9))
                    continue;
                bool labelled = digit == 1 ? exponent % every == 0 : decades < 0.9 || (decades < 2 && digit is 2 or 5);
                ticks.Add((value, labelled ? LogLabel(value, exponent) : ""));
            }
        return ticks.Count(tick => tick.Item2 != "") >= 2 ? ticks : LinearTicks();
    }

    private static string LogLabel(double value, int exponent) =>
        exponent is >= -3 and <= 5 ? Format(value, Math.Pow(10, exponent)) : value.ToString("0e0", CultureInfo.InvariantCulture);

    private static double Step(double min, double max)
    {
        double rough = (max - min) / LabelledTicks;
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double digit = rough / power;
        return power * (digit <= 1.0000001 ? 1 : digit <= 2.0000001 ? 2 : digit <= 5.0000001 ? 5 : 10);
    }
}
