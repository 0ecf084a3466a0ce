using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>
/// Which device a command takes, what is said about it, and the sentences where it is not there. Nothing here needs a driver.
/// </summary>
[Parallelizable]
public sealed class DeviceTests
{
    /// <summary>An OpenCL loader, where there is one, that knows no driver.</summary>
    private static readonly (string, string)[] NoDriver = [("OCL_ICD_VENDORS", "/nonexistent"), ("CUDA_VISIBLE_DEVICES", "")];

    [TestCase("VAE_CUDA_LIBRARY", "doctor --device cuda")]
    [TestCase("VAE_CUDA_LIBRARY", "doctor --device auto")]
    [TestCase("VAE_CUDA_LIBRARY", "list devices")]
    [TestCase("VAE_OPENCL_LIBRARY", "doctor --device opencl:1")]
    public void A_named_library_that_cannot_be_loaded_is_an_error(string variable, string line) =>
        Tool.Fails(Tool.RunWith([(variable, "/nonexistent/driver.so")], line.Split(' ')), 3, variable, "/nonexistent/driver.so");

    [Test]
    public void The_CPU_asks_no_driver() => Tool.RunWith([("VAE_CUDA_LIBRARY", "/nonexistent"), ("VAE_OPENCL_LIBRARY", "/nonexistent")],
        "doctor", "--device", "cpu").Succeeded();

    [Test]
    public void A_library_that_fails_is_named()
    {
        (string, string)[] wrong = [("VAE_CUDA_LIBRARY", "libc.so.6"), .. NoDriver];
        Tool.Fails(Tool.RunWith(wrong, "doctor", "--device", "cuda"), 3, "no CUDA device", "libc.so.6 is installed, but", "cuInit");
        Assert.That(Tool.RunWith(wrong, "list", "devices").Succeeded().Out, Does.Contain("CUDA: libc.so.6 is installed, but"));
        var result = Tool.RunWith(wrong, "doctor", "--device", "auto");
        Assert.That(result.Succeeded().Out, Does.Contain("libc.so.6 is installed, but"));
        Assert.That(result.Error, Does.StartWith("note: libc.so.6 is installed, but"));
    }

    [Test]
    public void A_device_that_is_not_there_exits_with_3()
    {
        Tool.Fails(Tool.RunWith(NoDriver, "doctor", "--device", "opencl"), 3, "no OpenCL device", "--device cpu");
        Tool.Fails(Tool.RunWith(NoDriver, "doctor", "--device", "cuda:1"), 3, "no CUDA device", "--device cpu");
    }

    [TestCase("train --device cpu --precision bf16", "--precision bf16: cpu multiplies in fp32 only")]
    [TestCase("train --device cpu --precision tf32", "--precision tf32: cpu multiplies in fp32 only")]
    [TestCase("train --device cpu --set precision=bf16", "--precision bf16: cpu multiplies in fp32 only")]
    [TestCase("doctor --device simulator --precision tf32", "--precision tf32: simulator multiplies in fp32 only")]
    public void A_precision_without_tensor_cores_exits_with_3(string line, string says)
    {
        Tool.Fails(Tool.Run(line.Split(' ')), 3, says, "compute capability 8.0", "--precision fp32");
        Assert.That(Directory.EnumerateFileSystemEntries(Tool.WorkDir), Is.Empty, "nothing half-written");
    }

    [Test]
    public void A_run_trained_in_bf16_can_be_looked_at_anywhere()
    {
        string run = Tool.CopyOfRun(), file = Path.Combine(run, "config.json");
        File.WriteAllText(file,
            File.ReadAllText(file).Replace("\"precision\": \"fp32\"", "\"precision\": \"bf16\"", StringComparison.Ordinal));
        Assert.That(File.ReadAllText(file), Does.Contain("bf16"));
        Tool.Run("encode", run, "--out", Path.Combine(run, "codes.csv"), "--device", "cpu").Succeeded();
        Tool.Fails(Tool.Run("encode", run, "--out", Path.Combine(run, "codes.csv"), "--device", "cpu", "--precision", "bf16"), 3,
            "--precision bf16");
        Tool.Fails(Tool.Run("train", "--resume", "--out", run, "--epochs", "4", "--device", "cpu"), 3, "--precision bf16");
    }

    [TestCase("list models")]
    [TestCase("list devices")]
    [TestCase("doctor --device auto")]
    public void Without_a_GPU_nothing_of_ILGPU_is_loaded(string line)
    {
        string file = Path.Combine(TestFiles.Folder("cli-assemblies"), "assemblies");
        (string, string)[] hook =
            [("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location), (StartupHook.FileVariable, file), .. NoDriver];
        Tool.RunWith(hook, line.Split(' ')).Succeeded();
        Assert.That(File.ReadAllLines(file), Has.Member("VaeFromScratch.Kernels").And.None.StartWith("ILGPU"));
    }

    [Test]
    public void The_hook_sees_ILGPU_where_it_is_loaded()
    {
        string file = Path.Combine(TestFiles.Folder("cli-assemblies"), "assemblies");
        Tool.RunWith([("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location), (StartupHook.FileVariable, file)], "doctor", "--ptx",
            "Fill").Succeeded();
        Assert.That(File.ReadAllLines(file), Has.Member("ILGPU"));
    }

    [Test]
    public void PTX_needs_no_GPU()
    {
        Assert.That(Tool.Run("doctor", "--ptx", "Unary<Relu>", "--arch", "75").Succeeded().Out,
            Does.Contain(".target sm_75").And.Contain(".visible .entry Kernel_Unary_Relu("));
        var json = Tool.Run("doctor", "--ptx", "Fill", "--json").Json();
        Assert.That(json.GetProperty("ptx").GetString(), Does.Contain(".target sm_80").And.Contain("st.global.f32"));
        Assert.That(Tool.Run("doctor", "--ptx").Succeeded().Out.Split('\n'), Has.Member("Unary<Relu>").And.Member("FmaProbe"));
    }

    [Test]
    public void The_simulator_says_what_it_is_and_what_it_compiles()
    {
        var result = Tool.Run("doctor", "--device", "simulator", "--selftest", "Fill", "--json");
        var json = result.Json();
        Assert.That(json.GetProperty("device").GetString(), Is.EqualTo("simulator"));
        Assert.That(json.GetProperty("arithmetic").GetString(), Is.EqualTo("computes as the CPU"));
        foreach (string key in (string[])["start_seconds", "first_kernel_seconds", "copy_bytes_per_second", "fma_flops_per_second"])
            Assert.That(json.GetProperty(key).GetDouble(), Is.Positive, key);
        Assert.That(json.GetProperty("selftest").GetProperty("failed").GetInt32(), Is.Zero);
        string[] notes = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(notes, Has.Length.EqualTo(2), "one line before, one after");
        Assert.That(notes[0], Is.EqualTo("note: compiling kernels for simulator, each at its first use"));
        Assert.That(notes[1], Does.Match(@"^note: \d+ kernels compiled in \d+\.\d s$"));
    }

    [Test]
    public void The_CPU_is_listed_first_with_what_it_can_do()
    {
        var cpu = Tool.RunWith(NoDriver, "list", "devices", "--json").Json().GetProperty("devices").EnumerateArray().Single();
        Assert.That(cpu.GetProperty("name").GetString(), Is.EqualTo("cpu"));
        Assert.That(cpu.GetProperty("details").GetString(), Does.Match(@"vectors of (128|256|512) bits"));
        Assert.That(cpu.GetProperty("units").GetInt32(), Is.EqualTo(Environment.ProcessorCount));
        Assert.That(cpu.GetProperty("failure").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }
}

/// <summary>On PoCL, OpenCL's driver for the CPU: the same tool with a real driver.</summary>
[Category("Gpu")]
public sealed class OpenClDeviceTests
{
    [Test]
    public void A_CPUs_OpenCL_is_listed_as_what_it_is()
    {
        var device = Tool.Run("list", "devices", "--json").Json().GetProperty("devices").EnumerateArray()
            .Single(d => d.GetProperty("name").GetString() == "opencl:0");
        Assert.That(device.GetProperty("is_cpu_opencl").GetBoolean(), Is.True);
        Assert.That(device.GetProperty("memory_bytes").GetInt64(), Is.Positive);
        Assert.That(device.GetProperty("failure").ValueKind, Is.EqualTo(JsonValueKind.Null));
        foreach (string key in (string[])["rounds_division", "rounds_root", "keeps_subnormals"])
            Assert.That(device.GetProperty(key).GetBoolean(), Is.True, key);
        var text = Tool.Run("list", "devices").Succeeded();
        // The last column is set in several lines.
        string words = string.Join(" ", text.Out.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.That(words, Does.Contain("a CPU's OpenCL; taken only when asked for; computes as the CPU"));
        Assert.That(text.Error, Does.Contain("compiling kernels for opencl:0").And.Contain("kernels compiled in"));
    }

    [Test]
    public void Auto_does_not_take_it()
    {
        var result = Tool.Run("doctor", "--device", "auto", "--json");
        Assert.That(result.Json().GetProperty("device").GetString(), Is.EqualTo("cpu"));
        Assert.That(result.Error, Is.Empty);
    }

    [Test]
    public void A_device_beyond_the_last_exits_with_3() =>
        Tool.Fails(Tool.Run("doctor", "--device", "opencl:7"), 3, "no device opencl:7", "there is 1", "vae list devices");

    [Test]
    public void The_self_test_runs_on_it_and_writes_a_row_a_case()
    {
        var result = Tool.Run("doctor", "--device", "opencl", "--selftest", "permute").Succeeded();
        Assert.That(result.Out, Does.Match(@"(?m)^Permute .* ok$").And.Not.Contain("FAILED"));
        Assert.That(result.Out, Does.Match(@"(?m)^(\d+) of \1 kernel cases agree with the double-precision reference on opencl:0$"));
        Assert.That(result.Out,
            Does.Match(@"start +\d+\.\d\d s for ILGPU and the driver").And.Match(@"first kernel +\d+\.\d\d s to compile"));
    }

    [Test]
    public void It_trains_as_the_CPU_does_and_the_run_says_on_what()
    {
        string run = Path.Combine(TestFiles.Folder("cli-opencl"), "run");
        var json = Tool.Run(["train", "--epochs", "3", .. Tool.Tiny, "--device", "opencl:0", "--out", run, "--report", "false", "--json"])
            .Json();
        var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(Tool.TrainedRun, "evaluation.json"))).RootElement;
        foreach (string key in (string[])["evlb_nats", "sigma2", "mi_nats"])
            Assert.That(json.GetProperty(key).GetDouble(), Is.EqualTo(expected.GetProperty(key).GetDouble()).Within(0.1).Percent, key);
        Assert.That(JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "config.json"))).RootElement.GetProperty("device").GetString(),
            Is.EqualTo("opencl:0"));
        string codes = Path.Combine(run, "codes.csv");
        Assert.That(Tool.Run("encode", run, "--out", codes, "--device", "cpu").Succeeded().Error, Is.Empty,
            "a run is at home on every device");
        Tool.Fails(Tool.Run("encode", run, "--out", codes, "--device", "opencl", "--precision", "bf16"), 3,
            "--precision bf16: opencl:0 multiplies in fp32 only");
    }

    [Test]
    public void Runs_of_one_process_share_the_device_and_its_kernels()
    {
        string together = Path.Combine(TestFiles.Folder("cli-opencl"), "sweep"),
            alone = Path.Combine(TestFiles.Folder("cli-opencl"), "sweep");
        string[] sweep = ["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "seed=1,2,3", "--device", "opencl", "--jobs"];
        var result = Tool.Run([.. sweep, "2", "--out", together]).Succeeded();
        Assert.That(result.Error.Split('\n').Count(line => line.StartsWith("note: ", StringComparison.Ordinal)), Is.EqualTo(2),
            "kernels are compiled once, whatever the number of runs");
        Tool.Run([.. sweep, "1", "--out", alone]).Succeeded();
        Assert.That(File.ReadAllText(Path.Combine(together, "summary.csv")),
            Is.EqualTo(File.ReadAllText(Path.Combine(alone, "summary.csv"))), "runs side by side do not disturb each other");
    }
}
