using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Kernels;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Cli.Commands;

/// <summary>What a device was measured to do at most.</summary>
/// <param name="BytesPerSecond">Read and written, of arrays too large for the caches.</param>
/// <param name="FlopsPerSecond">Independent fused multiply-adds in float32, two operations each.</param>
/// <param name="MatrixFlopsPerSecond">What matrix products and convolutions run on: the tensor cores where tf32 or bf16 is chosen.</param>
internal sealed record MachineCeiling(double BytesPerSecond, double FlopsPerSecond, double MatrixFlopsPerSecond);

/// <summary>
/// vae doctor --selftest: each kernel case against the double-precision reference with its error, its time, and the rate of whatever bounds
/// it: bytes or operations,
/// the longer at the measured ceilings.
/// </summary>
/// <param name="open">Opens the device; again after an error that leaves it useless.</param>
/// <param name="precision">What the device rounds operands of products to.</param>
internal sealed class DoctorSelfTest(Func<IBackend> open, Precision precision, MachineCeiling ceiling, Output output)
{
    private const int MostCalls = 4096;

    private static readonly string[] Header = ["operation", "case", "error", "us", "rate", "% of ceiling", "verdict"];
    private static readonly TimeSpan TimePerCase = TimeSpan.FromMilliseconds(1), ShortestRun = TimeSpan.FromMicroseconds(20);

    private readonly DeviceOnTrial<IBackend> device = new(open);

    private IBackend Backend => device.Backend;

    /// <param name="Seconds">The shortest call.</param>
    /// <param name="Cost">The least work of the call.</param>
    private sealed record Measurement(double Seconds, KernelCost Cost);

    /// <summary>
    /// Writes each case's row when it is done. A case that fails does not keep the others from running; only a device that is lost does.
    /// </summary>
    public JsonObject Run(IReadOnlyList<KernelCase> kernelCases, out bool passed)
    {
        var failures = new List<(KernelCase Case, string Why)>();
        var cases = new JsonArray();
        int[] widths =
            [kernelCases.Max(c => c.Operation.Length), kernelCases.Max(c => c.Label.Length), 7, 9, 14, Header[5].Length, Header[6].Length];
        output.Line();
        output.Row(Header, widths, textColumns: 2);
        string? lost = null;
        foreach (var kernelCase in kernelCases)
        {
            var (error, why, measured) = Evaluate(kernelCase, out lost);
            if (why is not null)
                failures.Add((kernelCase, why));
            var json = new JsonObject
            {
                ["operation"] = kernelCase.Operation,
                ["case"] = kernelCase.Label,
                ["error"] = error,
                ["failure"] = why
            };
            string time = "", rate = "", share = "";
            if (measured is var (seconds, cost))
            {
                bool byBytes = cost.Bytes / ceiling.BytesPerSecond >= cost.Flops / Peak(kernelCase);
                double perSecond = (byBytes ? cost.Bytes : cost.Flops) / seconds,
                    fraction = perSecond / (byBytes ? ceiling.BytesPerSecond : Peak(kernelCase));
                (time, rate, share) = (Number(seconds * 1e6, "F1"), $"{Number(perSecond * 1e-9, "F2")} {(byBytes ? "GB/s" : "GFLOP/s")}",
                    Number(100 * fraction, "F1"));
                (json["microseconds"], json["bytes"], json["flops"], json["bound"], json["fraction_of_ceiling"]) =
                    (seconds * 1e6, cost.Bytes, cost.Flops, byBytes ? "bytes" : "flops", fraction);
            }
            output.Row([kernelCase.Operation, kernelCase.Label, error.ToString("E1", CultureInfo.InvariantCulture), time, rate, share,
                why is null ? "ok" : "FAILED"], widths, textColumns: 2);
            cases.Add(json);
            if (lost is not null)
                break;
        }
        int ran = cases.Count;
        output.Line();
        output.Line($"{ran - failures.Count} of {kernelCases.Count} kernel cases agree with the double-precision reference on "
            + $"{Backend.Name}");
        output.Line("error: the largest, relative to the largest reference value. rate: the least bytes or operations of a call, "
            + "whichever the measured ceilings allow less of, over the");
        output.Line("shortest call's time; small cases are bound by the call itself, and cases that fit the caches can exceed the "
            + "memory's bandwidth.");
        foreach (var (kernelCase, why) in failures)
            Console.Error.WriteLine($"vae: {kernelCase} on {Backend.Name}: {why}");
        if (lost is not null)
            Console.Error.WriteLine($"vae: {kernelCases.Count - ran} cases were not run, as {Backend.Name} does not open again: {lost}");
        device.Dispose();
        passed = failures.Count == 0;
        return new() { ["cases"] = cases, ["failed"] = failures.Count, ["not_run"] = kernelCases.Count - ran };
    }

    private double Peak(KernelCase kernelCase) => kernelCase.IsMatrixWork ? ceiling.MatrixFlopsPerSecond : ceiling.FlopsPerSecond;

    private (double Error, string? Failure, Measurement? Measured) Evaluate(KernelCase kernelCase, out string? lost)
    {
        lost = null;
        try
        {
            using var result = CaseContext.Evaluate(Backend, kernelCase, precision);
            return (result.WorstError, result.Failures.FirstOrDefault(), result.Call is { } call
                ? new(Time(call), CostMeter.Of(Backend, call)) : null);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            lost = device.Recover(e);
            return (0, DeviceOnTrial<IBackend>.Describe(e), null);
        }
    }

    private double Time(Action<IBackend> call)
    {
        // As many calls together as the clock can tell apart.
        int calls = 1;
        double best = double.PositiveInfinity;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimePerCase || double.IsInfinity(best);)
        {
            double seconds = Seconds(call, calls);
            if (seconds * calls >= ShortestRun.TotalSeconds || calls >= MostCalls)
                best = Math.Min(best, seconds);
            else
                (calls, best) = (4 * calls, double.PositiveInfinity);
        }
        return best;
    }

    /// <summary>Of one call, when <paramref name="calls"/> are made one after the other.</summary>
    private double Seconds(Action<IBackend> call, int calls)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
            call(Backend);
        Backend.Synchronise();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
