using System.CommandLine;
using System.Diagnostics;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Bench;

/// <summary>check: prepares every workload, which compares it with its reference, and times none.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var filter = new Option<string>("--filter") { Description = "only workloads whose name contains this", DefaultValueFactory = _ => "" };
        var command = new Command("check", "compare every workload with its reference, without timing it") { filter };
        command.SetAction(parsed =>
        {
            using var backend = new CpuBackend();
            int wrong = 0;
            foreach (var workload in WorkloadCatalogue.All.Where(w => w.Name.Contains(parsed.GetValue(filter)!, StringComparison.OrdinalIgnoreCase)))
            {
                long start = Stopwatch.GetTimestamp();
                string result = "ok";
                try
                {
                    using var ready = workload.Prepare(backend);
                    ready.Run();
                }
                catch (WrongResultException e)
                {
                    result = "WRONG " + e.Message;
                    wrong++;
                }
                Console.WriteLine($"{result,-6} {workload.Name} ({Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms)");
            }
            Console.WriteLine(wrong == 0 ? "all right" : $"{wrong} wrong");
            return wrong == 0 ? 0 : 1;
        });
        return command;
    }
}
