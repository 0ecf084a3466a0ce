using BenchmarkDotNet.Attributes;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Bench;

/// <summary>
/// Kernels on a GPU, each beside the CPU. The time that BenchmarkDotNet measures is the host's, of a call that is waited for; the
/// device's own is measured in set-up,
/// after the result was compared with the reference.
/// </summary>
public class GpuBenchmarks
{
    private const string Option = "--device", Cpu = "cpu";

    private static readonly Lazy<string?> First = new(Find);
    private static string? given;

    private IBackend? backend;
    private Ready? ready;
    private Action run = () => { };

    [ParamsSource(nameof(Rows))]
    public KernelWorkload Row { get; set; } = null!;

    [ParamsSource(nameof(Devices))]
    public string On { get; set; } = "";

    public static IEnumerable<KernelWorkload> Rows => WorkloadCatalogue.Gpu;

    public static IEnumerable<string> Devices => DeviceOf(given) is { } device ? [Cpu, device] : [Cpu];

    /// <summary>
    /// The device of these benchmarks is said by an option that BenchmarkDotNet does not have: takes it out of the command line.
    /// </summary>
    public static string[] TakeDevice(string[] args)
    {
        int at = Array.IndexOf(args, Option);
        if (at < 0 || at + 1 == args.Length)
            return args;
        given = args[at + 1];
        return [.. args[..at], .. args[(at + 2)..]];
    }

    /// <summary>
    /// The device to time: the one asked for, else the first GPU, else the first CPU's OpenCL; null where there is nothing.
    /// </summary>
    internal static string? DeviceOf(string? asked) =>
        asked is null or "auto" ? First.Value : asked.Contains(':', StringComparison.Ordinal) ? asked : $"{asked}:0";

    internal static string NameOf(Workload workload, string device) => $"{workload.Name} on {device}";

    private static string? Find() => GpuLoader.List().OrderBy(device => device.IsCpu).FirstOrDefault()?.Name;

    [GlobalSetup]
    public void Prepare()
    {
        if (On == Cpu)
        {
            var cpu = new CpuBackend();
            backend = cpu;
            ready = Row.PrepareOn(cpu);
            BenchConfig.Prepared[NameOf(Row, On)] = new(ready.Cost, Machine.PeakOf(cpu.Threads));
        }
        else
        {
            var gpu = Kernels.Device.OpenTimed(On);
            backend = gpu;
            ready = Row.PrepareOn(gpu);
            BenchConfig.Prepared[NameOf(Row, On)] = new(ready.Cost, Machine.PeakOf(gpu), gpu.DeviceSeconds(_ => ready.Run()));
        }
        run = ready.Run;
    }

    [Benchmark]
    public void Run()
    {
        run();
        backend!.Synchronise();
    }

    [GlobalCleanup]
    public void Release()
    {
        ready?.Dispose();
        backend?.Dispose();
    }
}
