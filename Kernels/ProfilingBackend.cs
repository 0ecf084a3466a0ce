using System.Diagnostics;
using System.Globalization;

namespace VaeFromScratch.Kernels;

/// <summary>Times each kernel and reports calls, time, GFLOP/s and GB/s per kernel: VAE_PROFILE=1.</summary>
internal sealed class ProfilingBackend(IBackend inner) : BackendDecorator(inner)
{
    private sealed class Row
    {
        public long Calls;
        public long Ticks;
        public double Flops;
        public double Bytes;
    }

    private readonly Dictionary<string, Row> rows = [];
    private int callsPerStep;

    protected override void Invoke(KernelCost cost, Action<IBackend> call)
    {
        long start = Stopwatch.GetTimestamp();
        call(Inner);
        Inner.Synchronise();
        long ticks = Stopwatch.GetTimestamp() - start;
        if (!rows.TryGetValue(cost.Name, out var row))
            rows.Add(cost.Name, row = new());
        row.Calls++;
        row.Ticks += ticks;
        row.Flops += cost.Flops;
        row.Bytes += cost.Bytes;
    }

    /// <summary>A captured step is replayed call by call through this profiler, not as one.</summary>
    public override ICapturedStep Capture(Action<IBackend> step)
    {
        // Once: a step that is recorded in parts cannot be run through again.
        var recorded = RecordingBackend.Record(this, step);
        callsPerStep = Math.Max(callsPerStep, recorded.Calls);
        return recorded;
    }

    /// <summary>
    /// Writes the table, longest total first. The figures are the least work over the time taken, so cache hits can exceed the memory's
    /// bandwidth.
    /// </summary>
    public void Report(TextWriter to)
    {
        double total = rows.Values.Sum(r => r.Ticks) / (double)Stopwatch.Frequency;
        to.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{"kernel",-64} {"calls",8} {"ms",10} {"us/call",10} {"%",6} {"GFLOP/s",9} {"GB/s",8}"));
        foreach (var (name, row) in rows.OrderByDescending(r => r.Value.Ticks))
        {
            double seconds = row.Ticks / (double)Stopwatch.Frequency;
            to.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-64} {row.Calls,8} {seconds * 1e3,10:F2} {seconds * 1e6 / row.Calls,10:F1} {100 * seconds / total,6:F1} "
                    + $"{row.Flops / seconds * 1e-9,9:F1} {row.Bytes / seconds * 1e-9,8:F1}"));
        }
        if (callsPerStep > 0)
            to.WriteLine($"one captured training step: {callsPerStep} kernel calls");
    }

    public override void Dispose() => Inner.Dispose();
}
