using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Bench.Compare;

/// <summary>What every section works with.</summary>
/// <param name="ImagesPerBlock">Of a training loop.</param>
/// <param name="DataDir">The folder that holds mnist/.</param>
internal sealed record Session(CpuBackend Backend, Stopclock Clock, int ImagesPerBlock, string DataDir);

/// <summary>compare: our side of the comparison with PyTorch, under the row names of peers/torch_cpu.py.</summary>
internal static class CompareCommand
{
    private static readonly Dictionary<string, Func<Session, JsonObject>> Sections = new()
    {
        ["gemm"] = KernelSections.Gemm,
        ["conv"] = KernelSections.Convolutions,
        ["elementwise"] = KernelSections.Elementwise,
        ["mi"] = KernelSections.MutualInformation,
        ["mnist"] = TrainingSections.Mnist,
        ["celeba"] = TrainingSections.CelebA,
        ["imae"] = TrainingSections.Imae,
        ["growth"] = TrainingSections.Growth,
        ["memory"] = TrainingSections.Memory,
    };

    public static Command Create()
    {
        var sections = new Option<string>("--sections")
        {
            Description = "comma-separated: " + string.Join(", ", Sections.Keys),
            DefaultValueFactory = _ => string.Join(',', Sections.Keys)
        };
        var json = new Option<bool>("--json") { Description = "print one JSON object (the only format there is)" };
        var repeats = new Option<int>("--repeats") { Description = "blocks whose median counts", DefaultValueFactory = _ => 3 };
        var minTime = new Option<double>("--min-time") { Description = "seconds in a block", DefaultValueFactory = _ => 0.05 };
        var block = new Option<int>("--images-per-block")
        {
            Description = "of a training loop, at least 1000",
            DefaultValueFactory = _ => 6000
        };
        var threads = new Option<int>("--threads") { Description = "threads of the backend", DefaultValueFactory = _ => 2 };
        var data = new Option<string>("--data") { Description = "the folder that holds mnist/", DefaultValueFactory = _ => "datasets" };
        var command = new Command("compare", "time our side of the comparison with PyTorch and print JSON") { sections, json, repeats,
            minTime, block, threads, data };
        command.SetAction(parsed =>
        {
            string[] names = parsed.GetValue(sections)!.Split(',');
            if (Array.Find(names, n => !Sections.ContainsKey(n)) is { } unknown)
            {
                Console.Error.WriteLine(
                    $"compare --sections {unknown}: there is no such section; sections are {string.Join(", ", Sections.Keys)}");
                return 2;
            }
            using var backend = new CpuBackend(parsed.GetValue(threads));
            var session = new Session(backend, new(parsed.GetValue(repeats), parsed.GetValue(minTime)), parsed.GetValue(block),
                parsed.GetValue(data)!);
            Console.WriteLine(Run(names, session).ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
            return 0;
        });
        return command;
    }

    private static JsonObject Run(string[] names, Session session)
    {
        JsonObject result = [], interference = [], peaks = [];
        int threads = session.Backend.Threads;
        foreach (string name in names)
        {
            var watch = new Interference();
            double before = Machine.MeasureFlops(threads);
            result[name] = Sections[name](session);
            peaks[name] = new JsonObject { ["gflops"] = Math.Max(before, Machine.MeasureFlops(threads)) * 1e-9 };
            // How much memory is resident does not depend on who else computes.
            if (name != "memory")
                interference[name] = ToJson(watch);
        }
        result["peak"] = peaks;
        result["interference"] = interference;
        result["config"] = new JsonObject
        {
            ["dotnet"] = Environment.Version.ToString(),
            ["threads"] = threads,
            ["vector_bits"] = CpuBackend.VectorBits,
            ["peak_rss_mib"] = PeakMemoryMib(),
        };
        return result;
    }

    private static JsonObject ToJson(Interference watch)
    {
        var (seconds, foreign, stolen) = watch.Read();
        return new()
        {
            ["seconds"] = Math.Round(seconds, 1),
            ["foreign_cores"] = Math.Round(foreign, 3),
            ["steal_cores"] = Math.Round(stolen, 3),
        };
    }

    /// <summary>The most memory this process has had resident: VmHWM.</summary>
    public static double PeakMemoryMib()
    {
        const string status = "/proc/self/status";
        if (!File.Exists(status))
            return Process.GetCurrentProcess().PeakWorkingSet64 / 1048576.0;
        string line = File.ReadLines(status).First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture)
            / 1024;
    }
}
