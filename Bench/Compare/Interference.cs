using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace VaeFromScratch.Bench.Compare;

/// <summary>How many cores others used, or the hypervisor took, since this object was made: from /proc/stat.</summary>
internal sealed class Interference
{
    private const double TicksPerSecond = 100;

    private readonly long start = Stopwatch.GetTimestamp();
    private readonly (double Busy, double Stolen) machine = Cpu();
    private readonly TimeSpan own = Process.GetCurrentProcess().TotalProcessorTime;

    public JsonObject ToJson()
    {
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var (busy, stolen) = Cpu();
        double ownSeconds = (Process.GetCurrentProcess().TotalProcessorTime - own).TotalSeconds;
        return new()
        {
            ["seconds"] = Math.Round(seconds, 1),
            ["foreign_cores"] = Math.Round((busy - machine.Busy - ownSeconds) / seconds, 3),
            ["steal_cores"] = Math.Round((stolen - machine.Stolen) / seconds, 3),
        };
    }

    /// <summary>Seconds that all cores were busy and that were stolen; zeros where there is no /proc.</summary>
    private static (double Busy, double Stolen) Cpu()
    {
        if (!File.Exists("/proc/stat"))
            return default;
        double[] t = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(v => double.Parse(v, CultureInfo.InvariantCulture) / TicksPerSecond)];
        // user, nice, system, idle, iowait, irq, softirq, steal
        return (t[0] + t[1] + t[2] + t[5] + t[6], t[7]);
    }
}
