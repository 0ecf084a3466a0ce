using System.CommandLine;
using System.Diagnostics;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Bench;

/// <summary>check: prepares every workload, which compares it with its reference, and times none.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var filter = new Option<string>("--filter") { DefaultValueFactory = _ => "", Description = "part of the workloads' names" };
        var device = new Option<string>("--device")
        {
            Description = "where those for GPUs are compared too: auto, cuda or opencl; auto is the first GPU, else a CPU's OpenCL",
            DefaultValueFactory = _ => "auto",
        };
        var command = new Command("check", "compare every workload with its reference, without timing it") { filter, device };
        command.SetAction(parsed =>
        {
            string part = parsed.GetValue(filter)!;
            int wrong = 0;
            using (var cpu = new CpuBackend())
                foreach (var workload in WorkloadCatalogue.All.Where(IsWanted))
                    wrong += Check(workload.Name, () => workload.Prepare(cpu));
            if (GpuBenchmarks.DeviceOf(parsed.GetValue(device)) is { } name)
            {
                using var gpu = Device.OpenTimed(name);
                foreach (var workload in WorkloadCatalogue.Gpu.Where(IsWanted))
                    wrong += Check(GpuBenchmarks.NameOf(workload, name), () => workload.PrepareOn(gpu));
            }
            else
                Console.WriteLine("skip   those for GPUs: neither CUDA nor OpenCL finds a device");
            Console.WriteLine(wrong == 0 ? "all right" : $"{wrong} wrong");
            return wrong == 0 ? 0 : 1;

            bool IsWanted(Workload workload) => workload.Name.Contains(part, StringComparison.OrdinalIgnoreCase);
        });
        return command;
    }

    /// <summary>1 where the answer is wrong, else 0.</summary>
    private static int Check(string name, Func<Ready> prepare)
    {
        long start = Stopwatch.GetTimestamp();
        string result = "ok";
        try
        {
            using var ready = prepare();
            ready.Run();
        }
        catch (Exception e) when (e is WrongResultException or DeviceException)
        {
            result = "WRONG " + e.Message;
        }
        Console.WriteLine($"{result,-6} {name} ({Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms)");
        return result == "ok" ? 0 : 1;
    }
}
