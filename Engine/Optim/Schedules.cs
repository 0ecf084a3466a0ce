namespace VaeFromScratch.Engine.Optim;

/// <summary>A value that depends on the progress of training: a learning rate, a weight, a temperature.</summary>
/// <param name="epoch">Epochs done, fractional inside an epoch.</param>
public delegate double Schedule(double epoch);

public static class Schedules
{
    public static Schedule Constant(double value) => _ => value;

    /// <summary>start * factor^floor(epoch).</summary>
    public static Schedule PerEpoch(double start, double factor) => epoch => start * Math.Pow(factor, Math.Floor(epoch));

    /// <summary>Linear from start to end over the first epochs, then constant.</summary>
    public static Schedule Linear(double start, double end, double epochs) => epoch => start + (end - start) * Math.Min(1, epochs <= 0 ? 1 : epoch / epochs);
}
