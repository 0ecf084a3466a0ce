using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Models;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae doctor: what this machine is and can do; with --selftest, whether every kernel computes what it should on it.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var command =
            new Command("doctor", "device, instruction sets, threads, memory, measured copy bandwidth and peak of fused multiply-adds");
        var selfTest = new Option<string?>("--selftest")
        {
            Description =
                "run every kernel, or those with OPERATION in their names, against the double-precision reference on the chosen device, "
                + "with its time, rate and share of the measured ceiling",
            HelpName = "OPERATION",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var bench = new Option<bool>("--bench") { Description = "time kernels and whole training steps on the chosen device" };
        var tune = new Option<string?>("--tune")
        {
            Description =
                "time each product of the MNIST networks, or those with PRODUCT in their names, in every kernel of the chosen GPU that "
                + "can make it, beside the kernel that the rules choose; stores nothing, changes nothing",
            HelpName = "PRODUCT",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var ptx = new Option<string?>("--ptx")
        {
            Description =
            "print the PTX of a kernel, or without KERNEL the kernels' names; no GPU is needed",
            HelpName = "KERNEL",
            Arity = ArgumentArity.ZeroOrOne
        };
        var architecture = new Option<int>("--arch")
        {
            Description =
            "compute capability of the PTX times ten: 75, or 80, which newer GPUs take too",
            DefaultValueFactory = _ => 80
        };
        foreach (var option in (Option[])[selfTest, bench, tune, ptx, architecture])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            if (parsed.GetResult(ptx) is not null)
                return Ptx(context.Output, parsed.GetValue(ptx), parsed.GetValue(architecture));
            if (parsed.GetResult(architecture) is { Implicit: false })
                throw new OptionException($"{architecture.Name}: it is an option of --ptx; add that, or leave it out");
            var cases = Cases(parsed.GetValue(selfTest));
            using var backend = context.OpenBackend();
            var watch = new Interference();
            var json = Machine(context, backend, out var ceiling);
            bool passed = true;
            if (parsed.GetResult(selfTest) is not null)
                json["selftest"] = new DoctorSelfTest(() => context.OpenBackend(), PrecisionOf(context, backend), ceiling, context.Output)
                    .Run(cases, out passed);
            if (parsed.GetValue(bench))
                json["bench"] = new DoctorBench(backend).Run(context.Output);
            if (parsed.GetResult(tune) is not null)
            {
                json["tune"] = Tune(context, backend, parsed.GetValue(tune));
                passed &= json["tune"]!["failed"]!.GetValue<int>() == 0;
            }
            json["foreign_cores"] = TellInterference(context.Output, watch);
            context.Output.Json(json);
            return passed ? ExitCode.Done : ExitCode.Failure;
        });
        return command;
    }

    /// <summary>Says under the tables when the machine was busy while they were made.</summary>
    private static double TellInterference(Output output, Interference watch)
    {
        var (others, remark) = watch.Tell();
        if (remark is not null)
        {
            output.Line();
            output.Line(remark);
        }
        return others;
    }

    private static KernelCase[] Cases(string? operation)
    {
        KernelCase[] cases =
            [.. KernelCases.All().Where(c => operation is null || c.Operation.Contains(operation, StringComparison.OrdinalIgnoreCase))];
        return cases.Length > 0 ? cases
            : throw new OptionException(
            $"--selftest {operation}: no kernel case has that in its name; there are "
            + $"{string.Join(", ", KernelCases.All().Select(c => c.Operation.Split(' ')[0]).Distinct())}");
    }

    private static JsonObject Tune(CommandContext context, IBackend backend, string? part)
    {
        if (backend.Name is "cpu" or "simulator")
        {
            string why = backend.Name == "cpu" ? "cpu has one kernel for each product: there is nothing to choose between"
                : "the simulator's times say nothing about kernels: nothing was tried";
            context.Output.Line();
            context.Output.Line(why);
            return new() { ["rows"] = new JsonArray(), ["why_none"] = why, ["failed"] = 0 };
        }
        var products = DoctorTune.Products(isSmall: GpuLoader.Describe(backend.Name) is { IsCpu: true }, part);
        var precision = PrecisionOf(context, backend);
        return new DoctorTune(() => Device.OpenTimed(backend.Name, precision), context.Output).Run(products);
    }

    private static Precision PrecisionOf(CommandContext context, IBackend backend) =>
        context.Precision is { } asked ? Enum.Parse<Precision>(asked, ignoreCase: true)
            : GpuLoader.Describe(backend.Name) is { HasTensorCores: true } ? Precision.Tf32 : Precision.Fp32;

    private static int Ptx(Output output, string? kernel, int architecture)
    {
        if (kernel is null)
        {
            foreach (string name in GpuLoader.Kernels())
                output.Line(name);
            output.Json(new JsonObject { ["kernels"] = new JsonArray([.. GpuLoader.Kernels().Select(name => JsonValue.Create(name))]) });
            return ExitCode.Done;
        }
        string text;
        try
        {
            text = GpuLoader.Ptx(kernel, architecture);
        }
        catch (ArgumentException e)
        {
            throw new OptionException($"--ptx {kernel}: {e.Message}");
        }
        output.Line(text);
        output.Json(new JsonObject { ["kernel"] = kernel, ["architecture"] = architecture, ["ptx"] = text });
        return ExitCode.Done;
    }

    private static JsonObject Machine(CommandContext context, IBackend backend, out MachineCeiling ceiling)
    {
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        List<Fact> facts =
        [
            new("vae", "version", BuildInfo.Version),
            new("commit", "commit", BuildInfo.Commit),
            new("device", "device", backend.Name),
            new("runtime", "runtime", RuntimeInformation.FrameworkDescription),
            new("system", "system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}"),
            new("processor", "processor", ProcessorName()),
            new("instruction sets", "instruction_sets", string.Join(", ", CpuProbe.InstructionSets)),
            new("vectors used", "vector_bits", CpuBackend.VectorBits, $"{CpuBackend.VectorBits} bits"),
            new("memory", "memory_bytes", memory, Giga(memory, "GB")),
            .. Drivers(context.DeviceName),
            .. GpuLoader.Describe(backend.Name) is { } gpu ? Gpu(backend, gpu, out ceiling) : Cpu(context.Threads, out ceiling),
        ];
        context.Output.Table(["", ""], facts.Where(f => f.Text != "").Select(f => (IReadOnlyList<string>)[f.Title, f.Text]),
            textColumns: 2);
        var json = new JsonObject();
        foreach (var fact in facts)
            json[fact.Key] = fact.Value;
        return json;
    }

    private static List<Fact> Cpu(int threads, out MachineCeiling ceiling)
    {
        using var team = new ThreadTeam(threads);
        double bandwidth = CpuProbe.CopyBandwidth(team), peak = CpuProbe.FmaPeak(team);
        ceiling = new(bandwidth, peak, peak);
        return [new("threads", "threads", team.Threads), .. Ceiling(ceiling, $", {team.Threads} threads")];
    }

    private static List<Fact> Gpu(IBackend backend, GpuDeviceInfo gpu, out MachineCeiling ceiling)
    {
        var measured = GpuLoader.Probe(backend.Name);
        ceiling = new(measured.BytesPerSecond, measured.FlopsPerSecond, measured.FlopsPerSecond);
        return
        [
            new("GPU", "gpu", gpu.Description),
            new("driver", "driver", gpu.Details),
            new("units", "units", gpu.Units),
            new("its memory", "gpu_memory_bytes", gpu.MemoryBytes, Giga(gpu.MemoryBytes, "GB")),
            new("arithmetic", "arithmetic", DeviceList.Describe(DeviceArithmetic.Measure(backend))),
            new("start", "start_seconds", measured.OpenSeconds, $"{Seconds(measured.OpenSeconds)} for ILGPU and the driver"),
            new("first kernel", "first_kernel_seconds", measured.FirstKernelSeconds, $"{Seconds(measured.FirstKernelSeconds)} to compile"),
            .. Ceiling(ceiling, ""),
        ];
    }

    private static Fact[] Ceiling(MachineCeiling ceiling, string how) =>
    [
        new("copy bandwidth", "copy_bytes_per_second", Math.Round(ceiling.BytesPerSecond),
            $"{Giga(ceiling.BytesPerSecond, "GB/s")}, read and written{how}"),
        new("multiply-add peak", "fma_flops_per_second", Math.Round(ceiling.FlopsPerSecond),
            $"{Giga(ceiling.FlopsPerSecond, "GFLOP/s")} in float32{how}"),
    ];

    /// <summary>What the libraries of the drivers that this device could come from say themselves.</summary>
    private static IEnumerable<Fact> Drivers(string device) => device is "cpu" or "simulator" ? [] :
        GpuLoader.Drivers().Where(d => device == "auto" || device.StartsWith(d.Kind, StringComparison.Ordinal))
        .Select(d => new Fact(DeviceList.Title(d.Kind), d.Kind, DeviceList.Describe(d)));

    private static string Seconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:F2} s");

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
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':', 2)[1].Trim() ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")
            ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
