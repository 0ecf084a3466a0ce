using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// What a program that listens learns of training: the meter and the activity source "VaeFromScratch" (docs/telemetry.md). Without a
/// listener nothing is measured, read back or allocated.
/// </summary>
internal static class Telemetry
{
    private const string Name = "VaeFromScratch";

    private static readonly Meter Meter = new(Name);
    private static readonly Gauge<double> Throughput =
        Meter.CreateGauge<double>("vae.training.throughput", "{image}/s", "Training images a second, the epoch's mean so far");
    private static readonly Gauge<double> Term =
        Meter.CreateGauge<double>("vae.training.term", "nat", "Each term and the loss, per image, the epoch's mean so far");
    private static readonly Gauge<double> Variance =
        Meter.CreateGauge<double>("vae.noise.variance", description: "sigma^2 of the noise model, where it has one");
    private static readonly Gauge<long> PoolBytes =
        Meter.CreateGauge<long>("vae.pool.size", "By", "Device memory that the pools hold, in use or kept for reuse");

    /// <summary>Activities "epoch", "evaluation" and "checkpoint"; its StartActivity gives null where nobody listens.</summary>
    public static readonly ActivitySource Source = new(Name);

    /// <summary>Whether somebody listens to any of the numbers.</summary>
    public static bool IsMeasured => Throughput.Enabled || Term.Enabled || Variance.Enabled || PoolBytes.Enabled;

    public static void Record(TrainingProgress progress, long poolBytes)
    {
        Throughput.Record(progress.ImagesPerSecond);
        foreach (var (name, value) in progress.Terms)
            Term.Record(value, new KeyValuePair<string, object?>("term", name));
        if (progress.Variance is { } variance)
            Variance.Record(variance);
        PoolBytes.Record(poolBytes);
    }
}
