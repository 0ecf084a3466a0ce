namespace VaeFromScratch;

/// <summary>A value that depends on the progress of training: a learning rate, a weight, a temperature.</summary>
/// <param name="epoch">Epochs done, fractional inside an epoch.</param>
public delegate double Schedule(double epoch);

/// <summary>Schedules of learning rates and of weights, in epochs.</summary>
public static class Schedules
{
    public static Schedule Constant(double value) => _ => value;

    /// <summary>start * factor^floor(epoch).</summary>
    public static Schedule PerEpoch(double start, double factor) => epoch => start * Math.Pow(factor, Math.Floor(epoch));

    /// <summary>Linear from start to end over the first epochs, then constant.</summary>
    public static Schedule Linear(double start, double end, double epochs) => epoch =>
        start + (end - start) * Math.Min(1, epochs <= 0 ? 1 : epoch / epochs);

    /// <summary>
    /// As another schedule for a share of the epochs, then times exp(-5 t^2), where t grows linearly from 0 to 1 at the last epoch.
    /// </summary>
    public static Schedule RampDown(Schedule schedule, double epochs, double hold) => epoch =>
    {
        double t = hold >= 1 ? 0 : Math.Clamp((epoch / epochs - hold) / (1 - hold), 0, 1);
        return schedule(epoch) * Math.Exp(-5 * t * t);
    };

    /// <summary>
    /// end exp(-5 (1 - t)^2), where t grows linearly from 0 to 1 over the first epochs; end from the start where there are none.
    /// </summary>
    public static Schedule RampUp(double end, double epochs) => epoch =>
    {
        double t = epochs <= 0 ? 1 : Math.Min(1, epoch / epochs);
        return end * Math.Exp(-5 * (1 - t) * (1 - t));
    };
}
