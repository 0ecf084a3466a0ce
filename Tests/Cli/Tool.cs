using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>What one call of the tool left behind.</summary>
internal sealed record ToolResult(int ExitCode, string Out, string Error)
{
    /// <summary>Standard output as the one JSON object that it has to be.</summary>
    public JsonElement Json()
    {
        Assert.That(ExitCode, Is.Zero, Error);
        return JsonDocument.Parse(Out).RootElement;
    }

    public ToolResult Succeeded()
    {
        Assert.That(ExitCode, Is.Zero, Error);
        return this;
    }
}

/// <summary>Runs the built executable as a user does, on a small data set in MNIST's format.</summary>
internal static class Tool
{
    public const int TrainImages = 300;
    public const int TestImages = 120;

    /// <summary>A model so small that a run takes a moment.</summary>
    public static readonly string[] Tiny =
        ["--limit", "200", "--batch", "50", "--set", "latents=8", "--network", "mlp:32", "--set", "beta=1"];

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly ConcurrentBag<ServingTool> Serving = [];
    private static readonly Lazy<string> Data = new(MakeData);
    private static readonly Lazy<string> Work = new(() => TestFiles.Folder("cli-work"));
    private static readonly Lazy<string> Trained = new(() =>
    {
        string run = Path.Combine(TestFiles.Folder("cli-trained"), "run");
        Run(["train", "--epochs", "3", .. Tiny, "--out", run]).Succeeded();
        return run;
    });

    /// <summary>The folder that holds mnist/ with the first images of the real one.</summary>
    public static string DataDir => Data.Value;

    /// <summary>Where the tool runs: relative paths start here.</summary>
    public static string WorkDir => Work.Value;

    /// <summary>A copy of a finished run that the test may damage.</summary>
    public static string CopyOfRun()
    {
        string copy = TestFiles.Folder("cli-run");
        foreach (string file in Directory.GetFiles(Trained.Value))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        return copy;
    }

    /// <summary>A finished run that nobody changes.</summary>
    public static string TrainedRun => Trained.Value;

    /// <summary>Runs a command in a process that has run others before, where nothing of it happens once a process.</summary>
    public static ToolResult Run(params string[] arguments)
    {
        if (OperatingSystem.IsWindows() || NeedsAProcess(arguments))
            return RunAlone(arguments);
        var tool = Serving.TryTake(out var idle) ? idle : new ServingTool(Start(new ProcessStartInfo(Host)
        {
            RedirectStandardInput = true,
            Environment =
            {
                ["DOTNET_STARTUP_HOOKS"] = typeof(StartupHook).Assembly.Location,
                [ServingTool.Variable] = TestFiles.Folder("cli-serving"),
            },
        }, []));
        var run = tool.Run(arguments);
        if (!run.Wait(Patience))
        {
            tool.Kill();
            Assert.Fail($"vae did not end within {Patience}");
        }
        Assert.That(run.Result, Is.Not.Null, "vae ended its process");
        Serving.Add(tool);
        return run.Result!;
    }

    /// <summary>Runs a command in a process of its own, as a user does.</summary>
    public static ToolResult RunAlone(params string[] arguments)
    {
        using var process = Start(arguments);
        return Finish(process);
    }

    /// <summary>Models are loaded once a process; a device's kernels are compiled, and spoken of, once.</summary>
    private static bool NeedsAProcess(string[] arguments) => arguments is ["list", ..]
        || arguments.Any(a => a.StartsWith("--plugin", StringComparison.Ordinal))
        || Array.IndexOf(arguments, "--device") is >= 0 and var at && arguments.ElementAtOrDefault(at + 1) is not ("cpu" or "auto");

    /// <summary>As <see cref="Run"/>, with environment variables.</summary>
    public static ToolResult RunWith((string Name, string Value)[] environment, params string[] arguments)
    {
        using var process = StartWith(environment, arguments);
        return Finish(process);
    }

    /// <summary>As <see cref="Start(string[])"/>, with environment variables.</summary>
    public static Process StartWith((string Name, string Value)[] environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(Host);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Start(start, arguments);
    }

    public static Process Start(params string[] arguments) => Start(new ProcessStartInfo(Host), arguments);

    /// <summary>As <see cref="Start(string[])"/>, in another current folder.</summary>
    public static Process StartIn(string folder, params string[] arguments) =>
        Start(new ProcessStartInfo(Host) { WorkingDirectory = folder }, arguments);

    /// <summary>
    /// As <see cref="Start(string[])"/>, with SIGINT at its default: a shell that runs the tests in the background has it ignored, and
    /// children inherit that.
    /// </summary>
    public static Process StartInterruptible(params string[] arguments) =>
        Start(new ProcessStartInfo("env") { ArgumentList = { "--default-signal=INT", Host } }, arguments);

    /// <summary>Starts the tool on ranks of this machine, of one thread each; skips or fails the test where there is no mpirun.</summary>
    public static Process StartRanks(int ranks, (string Name, string Value)[] environment, params string[] arguments)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder =>
            File.Exists(Path.Combine(folder, "mpirun"))))
            throw Environment.GetEnvironmentVariable("VAE_REQUIRE_MPI") == "1"
                ? new AssertionException("there is no mpirun on the PATH, and VAE_REQUIRE_MPI=1 asks for one")
                : new IgnoreException("there is no mpirun on the PATH; Debian's package is openmpi-bin");
        var start = new ProcessStartInfo("mpirun")
        {
            ArgumentList = { "--oversubscribe", "--bind-to", "none", "-n", ranks.ToString(CultureInfo.InvariantCulture), Host },
            Environment =
            {
                ["OMPI_ALLOW_RUN_AS_ROOT"] = "1",
                ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1",
                // Containers seldom allow a process to read another's memory; without it Open MPI copies, and says nothing.
                ["OMPI_MCA_btl_vader_single_copy_mechanism"] = "none",
                ["OMPI_MCA_mpi_yield_when_idle"] = "1",
            },
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Start(start, [.. arguments, "--threads", "1"]);
    }

    private static string Host => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static Process Start(ProcessStartInfo start, string[] arguments)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        if (start.WorkingDirectory == "")
            start.WorkingDirectory = WorkDir;
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "vae.dll"));
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment["VAE_DATA"] = DataDir;
        // On any machine these tests are about the CPU, unless they ask for another device.
        start.Environment["CUDA_VISIBLE_DEVICES"] = "";
        return Process.Start(start)!;
    }

    public static ToolResult Finish(Process process)
    {
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            Assert.Fail($"vae did not end within {Patience}");
        }
        process.WaitForExit();
        return new(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Sends a signal, such as INT.</summary>
    public static void Signal(Process process, string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>The exit code of a line of bash in which "$0" "$1" is the tool.</summary>
    public static int InShell(string line)
    {
        using var process = Start(new ProcessStartInfo("bash") { ArgumentList = { "-c", line, Host } }, []);
        return Finish(process).ExitCode;
    }

    public static void WaitForFile(Process process, string file)
    {
        while (!File.Exists(file))
        {
            Assert.That(process.HasExited, Is.False, "the tool ended before it could be stopped");
            Thread.Sleep(5);
        }
    }

    /// <summary>Reads standard output up to a line that starts so.</summary>
    public static void WaitForLine(Process process, string start)
    {
        string? line;
        do
        {
            line = process.StandardOutput.ReadLine();
            Assert.That(line, Is.Not.Null, $"the tool ended without a line that starts with '{start}'");
        }
        while (!line!.StartsWith(start, StringComparison.Ordinal));
    }

    /// <summary>Asserts that a failure has the right code and one sentence on standard error that says <paramref name="says"/>.</summary>
    public static void Fails(ToolResult result, int exitCode, params string[] says)
    {
        Assert.That(result.ExitCode, Is.EqualTo(exitCode), result.Error + result.Out);
        string[] lines = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(1), result.Error);
        Assert.That(lines[0], Does.StartWith("vae: ").And.Not.Contain("unexpected"));
        foreach (string part in says)
            Assert.That(lines[0], Does.Contain(part));
    }

    private static string MakeData()
    {
        string folder = TestFiles.Folder("cli-data");
        var splits = Mnist.Load(TestFiles.Datasets);
        WriteSplit(Path.Combine(folder, "mnist", "train"), splits.Train.Take(TrainImages));
        WriteSplit(Path.Combine(folder, "mnist", "t10k"), splits.Test.Take(TestImages));
        return folder;
    }

    private static void WriteSplit(string prefix, ImageDataset split)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(prefix)!);
        byte[] count = BitConverter.GetBytes(split.Count);
        Array.Reverse(count);
        File.WriteAllBytes($"{prefix}-images-idx3-ubyte", [0, 0, 8, 3, .. count, 0, 0, 0, 28, 0, 0, 0, 28, .. split.Pixels]);
        File.WriteAllBytes($"{prefix}-labels-idx1-ubyte", [0, 0, 8, 1, .. count, .. split.Labels!]);
    }
}
