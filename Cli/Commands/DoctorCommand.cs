using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Models;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae doctor: what this machine is and can do; with --selftest, whether every kernel computes what it should on it.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var command = new Command("doctor", "device, instruction sets, threads, memory, measured copy bandwidth and peak of fused multiply-adds");
        var selfTest = new Option<bool>("--selftest") { Description = "run every kernel against the double-precision reference on the chosen device, with its time, rate and share of the measured ceiling" };
        var bench = new Option<bool>("--bench") { Description = "time kernels and whole training steps on a GPU with CUDA events; training steps also with launches that overlap and in chains, where it can, and with branches" };
        command.Options.Add(selfTest);
        var tune = new Option<string?>("--tune") { Description = "measure which kernel of a GPU is fastest for each product and convolution of --bench and write the table to this file" };
        command.Options.Add(bench);
        command.Options.Add(tune);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var table = parsed.GetValue(tune) is { } path ? OutputFile.Named("--tune", path, [".csv"]) : null;
            using var backend = context.OpenBackend();
            var json = Machine(context, backend, out var ceiling);
            bool passed = true;
            if (parsed.GetValue(selfTest))
                json["selftest"] = new DoctorSelfTest(backend, ceiling, quick: IsAnotherDriver && backend is CudaBackend).Run(KernelCases.All(), context.Output, out passed);
            if (parsed.GetValue(selfTest) && backend is CudaBackend { HasWarpgroupKernels: true } hopper)
            {
                using var byWarpgroups = new CudaBackend(hopper.Ordinal, hopper.Precision, tiles: TileTable.PreferringWarpgroups);
                context.Output.Line("\nmatrix work by wgmma, in bf16 with the copy engine where that can bring the operands; used where a table of measurements says so:");
                json["selftest_wgmma"] = new DoctorSelfTest(byWarpgroups, ceiling, quick: IsAnotherDriver).Run(KernelCases.All().Where(c => c.IsMatrixWork), context.Output, out bool alsoPassed);
                passed &= alsoPassed;
            }
            if (parsed.GetValue(selfTest) && backend is CudaBackend { CanChain: true } card)
            {
                using var byLinks = new CudaBackend(card.Ordinal, card.Precision) { Chains = ChainShape.Usual with { LeastLinks = 1 } };
                string[] links = ["MatMul", "LinearPair", "LinearPairBackwardData", "Reparameterise", "ReparameteriseGradient"];
                context.Output.Line("\ndense layers of few rows as links of chains, which are used when VAE_CUDA_CHAIN=1 says so:");
                json["selftest_chain"] = new DoctorSelfTest(byLinks, ceiling, quick: IsAnotherDriver).Run(KernelCases.All().Where(c => links.Contains(c.Operation)), context.Output, out bool alsoPassed);
                passed &= alsoPassed;
            }
            if (table is not null)
            {
                json["tune"] = Bench("--tune").Tune(context.Output, table.Path, out bool agreed);
                passed &= agreed;
            }
            if (parsed.GetValue(bench))
                json["bench"] = Bench("--bench").Run(context.Output);
            context.Output.Json(json);

            DoctorBench Bench(string option) =>
                new(backend as CudaBackend ?? throw new OptionException($"{option}: it times a GPU and the device is {backend.Name}; for the CPU use the Bench project, or name --device cuda"), tiny: IsAnotherDriver);

            return passed ? ExitCode.Done : ExitCode.Failure;
        });
        return command;
    }

    private static JsonObject Machine(CommandContext context, IBackend backend, out MachineCeiling ceiling)
    {
        using var team = new ThreadTeam(context.Threads);
        double bandwidth = CpuProbe.CopyBandwidth(team), peak = CpuProbe.FmaPeak(team);
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var facts = new List<Fact>
        {
            new("vae", "version", BuildInfo.Version),
            new("commit", "commit", BuildInfo.Commit),
            new("device", "device", backend.Name),
            new("runtime", "runtime", RuntimeInformation.FrameworkDescription),
            new("system", "system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}"),
            new("processor", "processor", ProcessorName()),
            new("instruction sets", "instruction_sets", string.Join(", ", CpuProbe.InstructionSets)),
            new("vectors used", "vector_bits", CpuBackend.VectorBits, $"{CpuBackend.VectorBits} bits"),
            new("threads", "threads", team.Threads),
            new("memory", "memory_bytes", memory, Giga(memory, "GB")),
            new("copy bandwidth", "copy_bytes_per_second", Math.Round(bandwidth), $"{Giga(bandwidth, "GB/s")}, read and written, {team.Threads} threads"),
            new("multiply-add peak", "fma_flops_per_second", Math.Round(peak), $"{Giga(peak, "GFLOP/s")} in float32, {team.Threads} threads"),
        };
        ceiling = new(bandwidth, peak, peak);
        if (backend is CudaBackend cuda)
        {
            var info = CudaDeviceInfo.Measure(cuda, quick: IsAnotherDriver);
            ceiling = new(info.CopyBytesPerSecond, info.FmaFlops, cuda.Precision == Precision.Fp32 ? info.FmaFlops : info.TensorFlops ?? info.FmaFlops);
            facts.AddRange(Gpu(info, cuda));
        }
        context.Output.Table(["", ""], facts.Where(f => f.Text != "").Select(f => (IReadOnlyList<string>)[f.Title, f.Text]), textColumns: 2);
        var json = new JsonObject();
        foreach (var fact in facts)
            json[fact.Key] = fact.Value;
        return json;
    }

    /// <summary>The emulator, for which a full measurement would take minutes.</summary>
    private static bool IsAnotherDriver => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("VAE_CUDA_LIBRARY"));

    private static IEnumerable<Fact> Gpu(CudaDeviceInfo info, CudaBackend cuda) =>
    [
        new("GPU", "gpu", info.Name),
        new("driver", "cuda_driver", info.DriverVersion, $"CUDA {info.DriverVersion}"),
        new("compute capability", "compute_capability", info.ComputeCapability, $"{info.ComputeCapability}, kernels for {info.KernelArchitecture}, {info.Multiprocessors} multiprocessors"),
        new("GPU memory", "gpu_memory_bytes", info.TotalBytes, $"{Giga(info.TotalBytes, "GB")}, {Giga(info.FreeBytes, "GB")} free"),
        new("GPU copy bandwidth", "gpu_copy_bytes_per_second", Math.Round(info.CopyBytesPerSecond), $"{Giga(info.CopyBytesPerSecond, "GB/s")}, read and written"),
        new("GPU multiply-add peak", "gpu_fma_flops_per_second", Math.Round(info.FmaFlops), $"{Giga(info.FmaFlops, "GFLOP/s")} in float32"),
        new("GPU tensor-core peak", "gpu_tensor_flops_per_second", info.TensorFlops is { } t ? Math.Round(t) : null, info.TensorFlops is { } tensor ? $"{Giga(tensor, "GFLOP/s")} in {CudaBackend.NameOf(cuda.TensorPrecision)}" : "none in tf32"),
        new("matrix work", "precision", CudaBackend.NameOf(cuda.Precision)),
    ];

    /// <summary>One line of the table and one key of the JSON object.</summary>
    private sealed record Fact(string Title, string Key, JsonNode? Value, string Text)
    {
        public Fact(string title, string key, JsonNode value) : this(title, key, value, value.ToString())
        {
        }
    }

    private static string Giga(double value, string unit) => string.Create(CultureInfo.InvariantCulture, $"{value / 1e9:F1} {unit}");

    public static string ProcessorName()
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo) ? File.ReadLines(CpuInfo).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':', 2)[1].Trim() ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
