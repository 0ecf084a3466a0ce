using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae doctor: what this machine is and can do; with --selftest, whether every kernel computes what it should on it.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var command = new Command("doctor", "device, instruction sets, threads, memory, measured copy bandwidth and peak of fused multiply-adds");
        var selfTest = new Option<bool>("--selftest") { Description = "run every kernel against the double-precision reference on the chosen device" };
        command.Options.Add(selfTest);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            using var backend = context.OpenBackend();
            var json = Machine(context, backend);
            bool passed = true;
            if (parsed.GetValue(selfTest))
                json["selftest"] = SelfTest(context.Output, backend, out passed);
            context.Output.Json(json);
            return passed ? ExitCode.Done : ExitCode.Failure;
        });
        return command;
    }

    private static JsonObject Machine(CommandContext context, IBackend backend)
    {
        using var team = new ThreadTeam(context.Threads);
        double bandwidth = CpuProbe.CopyBandwidth(team), peak = CpuProbe.FmaPeak(team);
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var json = new JsonObject
        {
            ["version"] = BuildInfo.Version,
            ["commit"] = BuildInfo.Commit,
            ["device"] = backend.Name,
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["system"] = $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}",
            ["processor"] = ProcessorName(),
            ["instruction_sets"] = new JsonArray([.. CpuProbe.InstructionSets.Select(s => JsonValue.Create(s))]),
            ["vector_bits"] = CpuBackend.VectorBits,
            ["threads"] = team.Threads,
            ["memory_bytes"] = memory,
            ["copy_bytes_per_second"] = Math.Round(bandwidth),
            ["fma_flops_per_second"] = Math.Round(peak),
        };
        context.Output.Table(["", ""],
        [
            ["vae", $"{BuildInfo.Version} {BuildInfo.Commit}".TrimEnd()],
            ["device", backend.Name],
            ["runtime", RuntimeInformation.FrameworkDescription],
            ["system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}"],
            ["processor", ProcessorName()],
            ["instruction sets", string.Join(", ", CpuProbe.InstructionSets)],
            ["vectors used", $"{CpuBackend.VectorBits} bits"],
            ["threads", team.Threads.ToString(CultureInfo.InvariantCulture)],
            ["memory", string.Create(CultureInfo.InvariantCulture, $"{memory / 1e9:F1} GB")],
            ["copy bandwidth", string.Create(CultureInfo.InvariantCulture, $"{bandwidth / 1e9:F1} GB/s, read and written, {team.Threads} threads")],
            ["multiply-add peak", string.Create(CultureInfo.InvariantCulture, $"{peak / 1e9:F1} GFLOP/s in float32, {team.Threads} threads")],
        ], textColumns: 2);
        return json;
    }

    private static JsonObject SelfTest(Output output, IBackend backend, out bool passed)
    {
        var rows = new List<IReadOnlyList<string>>();
        var failures = new List<(KernelCase Case, string Why)>();
        var cases = new JsonArray();
        foreach (var kernelCase in KernelCases.All())
        {
            var clock = Stopwatch.StartNew();
            var (error, why) = Evaluate(backend, kernelCase);
            double milliseconds = clock.Elapsed.TotalMilliseconds;
            if (why is not null)
                failures.Add((kernelCase, why));
            rows.Add([kernelCase.Operation, kernelCase.Label, error.ToString("E1", CultureInfo.InvariantCulture), milliseconds.ToString("F1", CultureInfo.InvariantCulture), why is null ? "ok" : "FAILED"]);
            cases.Add(new JsonObject { ["operation"] = kernelCase.Operation, ["case"] = kernelCase.Label, ["error"] = error, ["milliseconds"] = milliseconds, ["failure"] = why });
        }
        output.Line();
        output.Table(["operation", "case", "error", "ms", "verdict"], rows, textColumns: 2);
        output.Line();
        output.Line($"{rows.Count - failures.Count} of {rows.Count} kernel cases agree with the double-precision reference on {backend.Name}");
        foreach (var (kernelCase, why) in failures)
            Console.Error.WriteLine($"vae: {kernelCase} on {backend.Name}: {why}");
        passed = failures.Count == 0;
        return new() { ["cases"] = cases, ["failed"] = failures.Count };
    }

    private static (double Error, string? Failure) Evaluate(IBackend backend, KernelCase kernelCase)
    {
        try
        {
            using var result = CaseContext.Evaluate(backend, kernelCase);
            return (result.WorstError, result.Failures.FirstOrDefault());
        }
        catch (Exception e) when (e is not (DeviceException or DeviceMemoryException))
        {
            return (0, $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static string ProcessorName()
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo) ? File.ReadLines(CpuInfo).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':', 2)[1].Trim() ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
