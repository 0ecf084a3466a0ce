using System.Collections.Concurrent;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Bench.Workloads;

/// <summary>What the processor reaches when it does nothing else.</summary>
/// <param name="Flops">Float32 operations per second of independent multiply-adds in registers.</param>
/// <param name="CopyBytes">Bytes read and written per second in a copy that misses every cache.</param>
public readonly record struct Peak(double Flops, double CopyBytes)
{
    /// <summary>Seconds that the work takes at the peak: the longer of computing and moving.</summary>
    internal double LeastSeconds(KernelCost cost) => Math.Max(cost.Flops / Flops, cost.Bytes / CopyBytes);

    /// <summary>Whether computing, not moving, sets <see cref="LeastSeconds"/>.</summary>
    internal bool IsComputeBound(KernelCost cost) => cost.Flops / Flops >= cost.Bytes / CopyBytes;
}

/// <summary>The peaks of this machine, measured once in this process for each number of threads.</summary>
public static class Machine
{
    private static readonly ConcurrentDictionary<int, Peak> Peaks = new();
    private static readonly ConcurrentDictionary<string, Peak> GpuPeaks = new();

    public static Peak PeakOf(int threads) => Peaks.GetOrAdd(threads, Measure);

    /// <summary>The peaks of a GPU, in fp32; tensor cores exceed them.</summary>
    internal static Peak PeakOf(GpuBackend gpu) => GpuPeaks.GetOrAdd(gpu.Name, _ => new(gpu.FmaPeak(), gpu.CopyBandwidth()));

    /// <summary>The peak of multiply-adds now: the clock rate drifts.</summary>
    public static double MeasureFlops(int threads)
    {
        using var team = new ThreadTeam(threads);
        return CpuProbe.FmaPeak(team);
    }

    private static Peak Measure(int threads)
    {
        using var team = new ThreadTeam(threads);
        return new(CpuProbe.FmaPeak(team), CpuProbe.CopyBandwidth(team));
    }
}
