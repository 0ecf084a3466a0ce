using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using NUnit.Framework;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;
using VaeFromScratch.Tests.Kernels;

namespace VaeFromScratch.Tests.Cli;

/// <summary>`vae train --distributed mpi` under mpirun, on ranks of this machine.</summary>
[NonParallelizable]
public sealed class DistributedTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10), Start = TimeSpan.FromMinutes(2);

    // 200 images in batches of 48, the last of which has 8: steps with eight shards of 6 images, and with four of two.
    private static readonly string[] Convolutional = ["--network", "conv", "--latents", "6", "--batch", "48", "--limit", "200",
        "--reproducible", "8", "--report", "false", "--distributed", "mpi"];

    // A run of many short steps, which has not ended before it is stopped.
    private static readonly string[] Long = ["--network", "mlp:16", "--latents", "2", "--batch", "20", "--limit", "200",
        "--report", "false", "--distributed", "mpi"];
    private static readonly string[] Endless = ["--epochs", "1000000", .. Long];

    [Test]
    public void Ranks_write_the_weights_and_metrics_that_one_process_writes()
    {
        string alone = New("alone"), two = New("two"), four = New("four");
        Tool.Run(["train", "--epochs", "2", .. Convolutional.SkipLast(2), "--threads", "1", "--out", alone]).Succeeded();
        var output = Finished(2, ["train", "--epochs", "2", .. Convolutional, "--out", two]);
        Assert.That(output.Out, Does.Contain("8 shards of each batch on 2 ranks").And.Contain("no sum over images"));
        Assert.That(output.Out.Split("training beta-vae").Length, Is.EqualTo(2), "rank 0 alone speaks");
        // The first epoch on four ranks, the second on three.
        Finished(4, ["train", "--epochs", "1", .. Convolutional, "--out", four]);
        Finished(3, ["train", "--resume", "--epochs", "2", "--report", "false", "--distributed", "mpi", "--out", four]);
        foreach (string run in (string[])[two, four])
        {
            Assert.That(Weights(run), Is.EqualTo(Weights(alone)));
            Assert.That(Terms(run), Is.EqualTo(Terms(alone)));
            Assert.That(Evaluation(run), Is.EqualTo(Evaluation(alone)));
        }

        static string Evaluation(string run) => File.ReadAllText(RunDirectory.Open(run).EvaluationFile);

        static byte[] Weights(string run) => File.ReadAllBytes(RunDirectory.Open(run).ModelFile);

        static string[] Terms(string run) => [.. File.ReadLines(RunDirectory.Open(run).MetricsFile)
            .Select(line => string.Join(',', line.Split(',').Where((_, column) => column is not (2 or 3))))];
    }

    [Test]
    public void A_signal_to_any_rank_stops_all_with_a_checkpoint()
    {
        string run = New("term");
        using var process = Tool.StartRanks(2, [], ["train", .. Endless, "--out", run]);
        Tool.WaitForFile(process, Path.Combine(run, "metrics.csv"));
        Signal(Ranks(process).Single(r => r.Rank == 1).Process, "TERM");
        Assert.That(process.WaitForExit(Start), Is.True);
        var result = Tool.Finish(process);
        Assert.That(result.ExitCode, Is.EqualTo(130), result.Error);
        Assert.That(result.Error, Does.Contain("stopped in epoch").And.Contain($"vae train --resume --out {run}"));
        var state = RunDirectory.Open(run).LoadCheckpoint().State;
        Assert.That(result.Error, Does.Contain(string.Create(CultureInfo.InvariantCulture, $"in epoch {state.Epoch + 1} at step ")));
        Assert.That(Directory.GetFiles(run, ".*"), Is.Empty);
    }

    [Test]
    public void A_rank_that_is_killed_ends_the_run_and_the_checkpoint_is_whole([Values(0, 1)] int victim)
    {
        string run = New("kill");
        using var process = Tool.StartRanks(2, [], ["train", .. Endless, "--out", run]);
        Tool.WaitForFile(process, Path.Combine(run, "metrics.csv"));
        var ranks = Ranks(process);
        Signal(ranks.Single(r => r.Rank == victim).Process, "KILL");
        bool ended = process.WaitForExit(Soon);
        var result = Tool.Finish(process);
        Assert.That(ended, Is.True, "it ends soon");
        Assert.That(result.ExitCode, Is.Not.Zero);
        foreach (var (_, id) in ranks)
            Assert.That(() => IsRunning(id), Is.False.After(10_000, 100), "no rank is left");
        if (victim == 1)
            Assert.That(result.Error, Does.Contain($"continue with: vae train --resume --out {run}"));
        Assert.That(RunDirectory.Open(run).LoadCheckpoint().State.Epoch, Is.Positive);
    }

    [Test]
    public void A_rank_that_does_not_answer_ends_the_run_by_a_deadline()
    {
        string run = New("stuck");
        using var process = Tool.StartRanks(2, [("VAE_MPI_SECONDS", "20")], ["train", .. Endless, "--out", run]);
        Tool.WaitForFile(process, Path.Combine(run, "metrics.csv"));
        int stuck = Ranks(process).Single(r => r.Rank == 1).Process;
        Signal(stuck, "STOP");
        try
        {
            bool ended = process.WaitForExit(Start);
            Assert.That(ended, Is.True);
        }
        finally
        {
            Signal(stuck, "KILL");
        }
        var result = Tool.Finish(process);
        Assert.That(result.ExitCode, Is.Not.Zero);
        Assert.That(result.Error, Does.Contain("vae: rank 1 has not answered rank 0 for 20 s")
            .And.Contain($"vae train --resume --out {run}"));
        RunDirectory.Open(run).LoadCheckpoint();
    }

    [Test]
    public void What_is_refused_is_refused_once()
    {
        string run = New("refused");
        var shards = Finish(2, ["train", "--reproducible", "6", "--distributed", "mpi", "--out", run]);
        Assert.That(shards.ExitCode, Is.EqualTo(2), shards.Error);
        Assert.That(shards.Error.Split("vae: reproducible 6: 6 shards: expected").Length, Is.EqualTo(2), shards.Error);
        Assert.That(Directory.Exists(run), Is.False);
        var three = Finish(3, ["train", "--reproducible", "2", "--distributed", "mpi", "--out", run]);
        Assert.That(three.ExitCode, Is.EqualTo(2), three.Error);
        Assert.That(three.Error.Split("2 shards on 3 ranks: expected at least a shard for each rank").Length, Is.EqualTo(2), three.Error);
    }

    [Test]
    public void A_run_that_diverges_says_so_once()
    {
        var result = Finish(2, ["train", .. Long, "--epochs", "9", "--lr", "1e30", "--out", New("diverged")]);
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error.Split("training diverged").Length, Is.EqualTo(2), result.Error);
    }

    [Test]
    public void A_missing_library_is_named_with_what_to_install() =>
        Tool.Fails(Tool.RunWith([("VAE_MPI_LIBRARY", "libno-such-mpi.so")], "train", "--distributed", "mpi"), 3, "VAE_MPI_LIBRARY",
            "libno-such-mpi.so", "libmpi.so.40");

    [Test]
    public void A_library_of_another_interface_is_named_with_what_to_install() =>
        Tool.Fails(Tool.RunWith([("VAE_MPI_LIBRARY", "libc.so.6")], "train", "--distributed", "mpi"), 3, "not Open MPI's",
            "apt-get install openmpi-bin");

    [Test]
    public void A_single_rank_is_told_how_to_start_several()
    {
        if (!NativeLibrary.TryLoad("libmpi.so.40", out _))
            Assert.Ignore("there is no Open MPI");
        var result = Tool.RunWith([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")],
            ["train", .. Long, "--epochs", "1", "--out", New("single")]).Succeeded();
        Assert.That(result.Error, Does.Contain("note: --distributed mpi: there is one rank").And.Contain("mpirun -n 4 vae train"));
    }

    [TestCase("OMPI_COMM_WORLD_SIZE")]
    [TestCase("PMI_SIZE")]
    public void Processes_in_each_others_way_are_told_of_the_option(string size)
    {
        string run = New("way");
        using var first = Tool.Start(["train", .. Endless.SkipLast(2), "--out", run]);
        try
        {
            Tool.WaitForFile(first, Path.Combine(run, "metrics.csv"));
            Tool.Fails(Tool.RunWith([(size, "2")], "train", "--out", run), 2, "is writing to it", "2 processes", "--distributed mpi");
            var alone = Tool.RunWith([(size, "1")], "train", "--out", run);
            Assert.That(alone.Error, Does.Contain("is writing to it").And.Not.Contain("--distributed"));
        }
        finally
        {
            Tool.Signal(first, "TERM");
            Tool.Finish(first);
        }
    }

    [Test]
    public void Another_kind_is_refused() =>
        Tool.Fails(Tool.Run("train", "--distributed", "gloo"), 2, "--distributed gloo", "expected none, mpi or nccl");

    [Test]
    public void Without_NCCL_a_sentence_says_what_to_install()
    {
        if (NativeLibrary.TryLoad("libnccl.so.2", out _))
            Assert.Ignore("NCCL is installed");
        Tool.Fails(Tool.Run("train", "--distributed", "nccl"), 3, "libnccl.so.2", "apt-get install libnccl2", "--distributed mpi");
    }

    [TestCase("libno-such-nccl.so", "VAE_NCCL_LIBRARY names libno-such-nccl.so")]
    [TestCase("libc.so.6", "libc.so.6 is not NCCL")]
    public void A_library_that_is_not_NCCL_is_named(string library, string sentence) =>
        Tool.Fails(Tool.RunWith([("VAE_NCCL_LIBRARY", library)], "train", "--distributed", "nccl"), 3, sentence);

    [Test]
    [Category("Cuda")]
    public void Gradients_of_a_CPU_do_not_travel_over_NCCL()
    {
        if (!File.Exists(CudaEmulator.Path))
            Assert.Ignore("the CUDA emulator is not built; run Kernels/Gpu/TensorCores/build-emulator.sh");
        var result = Tool.RunWith([("VAE_NCCL_LIBRARY", CudaEmulator.Path), ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")], "train", "--distributed", "nccl", "--device", "cpu");
        Assert.That(result.ExitCode, Is.EqualTo(3), result.Error);
        Assert.That(result.Error, Does.Contain("vae: --distributed nccl: gradients travel between CUDA devices, and --device is cpu"));
    }

    private static ToolResult Finish(int ranks, params string[] arguments)
    {
        using var process = Tool.StartRanks(ranks, [], arguments);
        return Tool.Finish(process);
    }

    private static ToolResult Finished(int ranks, params string[] arguments) => Finish(ranks, arguments).Succeeded();

    private static string New(string name) => Path.Combine(TestFiles.Folder("cli-distributed"), name);

    /// <summary>The processes of the ranks, children of mpirun.</summary>
    private static (int Rank, int Process)[] Ranks(Process mpirun)
    {
        var ranks = new List<(int, int)>();
        using var list = Process.Start(new ProcessStartInfo("pgrep", ["-P", mpirun.Id.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
        })!;
        foreach (string child in list.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            const string name = "OMPI_COMM_WORLD_RANK=";
            string? rank = File.ReadAllText($"/proc/{child}/environ").Split('\0').FirstOrDefault(v => v.StartsWith(name,
                StringComparison.Ordinal));
            if (rank is not null)
                ranks.Add((int.Parse(rank[name.Length..], CultureInfo.InvariantCulture), int.Parse(child, CultureInfo.InvariantCulture)));
        }
        return [.. ranks];
    }

    /// <summary>Whether a process is there and has not ended; a container may have nobody who takes the ended ones away.</summary>
    private static bool IsRunning(int process)
    {
        try
        {
            return !File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].StartsWith('Z');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static void Signal(int process, string name)
    {
        using var kill = System.Diagnostics.Process.Start("kill", [$"-{name}", process.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }
}
