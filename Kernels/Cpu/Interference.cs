using System.Diagnostics;
using System.Globalization;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>How many cores others used, or the hypervisor took, since this object was made: from /proc/stat, so on Linux only.</summary>
internal sealed class Interference
{
    /// <summary>Cores of others from which on a measured time says little.</summary>
    public const double QuietCores = 0.1;

    private const double TicksPerSecond = 100;

    private readonly long start = Stopwatch.GetTimestamp();
    private readonly (double Busy, double Stolen) machine = Cpu();
    private readonly TimeSpan own = Process.GetCurrentProcess().TotalProcessorTime;

    /// <summary>
    /// Seconds since the start, and cores on average: of other processes, and stolen by the hypervisor; zeros where there is no /proc.
    /// </summary>
    public (double Seconds, double Foreign, double Stolen) Read()
    {
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (machine == default)
            return (seconds, 0, 0);
        var (busy, stolen) = Cpu();
        double ownSeconds = (Process.GetCurrentProcess().TotalProcessorTime - own).TotalSeconds;
        return (seconds, (busy - machine.Busy - ownSeconds) / seconds, (stolen - machine.Stolen) / seconds);
    }

    /// <summary>Cores that others had, and what to say below a table of times that were taken meanwhile; null where it was quiet.</summary>
    public (double Others, string? Remark) Tell()
    {
        var (_, foreign, stolen) = Read();
        double others = Math.Round(Math.Max(0, foreign) + Math.Max(0, stolen), 2);
        return (others, others <= QuietCores ? null : string.Create(CultureInfo.InvariantCulture,
            $"the machine was busy: others used {others:F1} of {Environment.ProcessorCount} processors, so that times are longer and "
                + $"rates lower than it can do"));
    }

    /// <summary>Seconds that all cores were busy and that were stolen.</summary>
    private static (double Busy, double Stolen) Cpu()
    {
        if (!File.Exists("/proc/stat"))
            return default;
        double[] t = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(v => double.Parse(v, CultureInfo.InvariantCulture) / TicksPerSecond)];
        // user, nice, system, idle, iowait, irq, softirq, steal
        return (t[0] + t[1] + t[2] + t[5] + t[6], t[7]);
    }
}
