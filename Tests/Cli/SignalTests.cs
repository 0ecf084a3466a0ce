using System.Diagnostics;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Ctrl-C and SIGTERM end every command in every phase, leave whole files and say how to go on; closed streams end none.</summary>
[Platform("Linux")]
public sealed class SignalTests
{
    /// <summary>
    /// More than the two seconds that are promised, for a busy machine; work that is not stopped takes far longer, or for ever.
    /// </summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [TestCase("INT", 130)]
    [TestCase("TERM", 143)]
    public void Training_stops_with_a_checkpoint(string signal, int exitCode)
    {
        string run = Path.Combine(TestFiles.Folder("cli-signal"), "run");
        using var process = Tool.StartInterruptible(["train", "--epochs", "1000000", .. Tool.Tiny, "--out", run]);
        Tool.WaitForFile(process, Path.Combine(run, "metrics.csv"));
        var result = StopBy(process, signal, exitCode);
        Assert.That(result.Error, Does.Match(@"stopped in epoch \d+ at step \d+; ").And.Contain($"vae train --resume --out {run}"));
        AssertWhole(run);
    }

    [TestCase("INT", 130)]
    [TestCase("TERM", 143)]
    public void Measuring_after_training_stops_and_is_done_by_resuming(string signal, int exitCode)
    {
        string run = Path.Combine(TestFiles.Folder("cli-signal"), "run");
        using (var process = Tool.StartInterruptible(["train", "--epochs", "1", .. MeasuredForLong, "--out", run]))
        {
            Tool.WaitForLine(process, "measuring on");
            StopBy(process, signal, exitCode, $"vae train --resume --out {run}");
        }
        AssertWhole(run);
        using var again = Tool.StartInterruptible("train", "--resume", "--data-dir", TestFiles.Datasets, "--out", run);
        Tool.WaitForLine(again, "measuring on");
        StopBy(again, signal, exitCode);
    }

    [TestCase("evaluate RUN --nll-samples 100000000")]
    [TestCase("metrics RUN --nll-samples 100000000")]
    [TestCase("classify RUN --repeats 1000")]
    public void Measuring_a_run_stops(string line)
    {
        string run = Tool.CopyOfRun();
        var before = Directory.GetFiles(run).ToDictionary(f => f, File.ReadAllBytes);
        using var process = Tool.StartInterruptible(Array.ConvertAll(line.Split(' '), a => a == "RUN" ? run : a));
        WaitForWork(process);
        StopBy(process, "INT", 130, "run the same command again");
        Assert.That(Directory.GetFiles(run), Is.EquivalentTo(before.Keys));
        foreach (var (path, bytes) in before)
            Assert.That(File.ReadAllBytes(path), Is.EqualTo(bytes), path);
    }

    [TestCase("estimate FILE --device cpu")]
    [TestCase("encode RUN --out FILE")]
    public void Reading_and_writing_a_pipe_that_nobody_serves_stops(string line)
    {
        string pipe = Path.Combine(TestFiles.Folder("cli-signal"), "pipe.csv");
        using (var mkfifo = Process.Start("mkfifo", [pipe]))
            mkfifo.WaitForExit();
        using var process =
            Tool.StartInterruptible(Array.ConvertAll(line.Split(' '), a => a == "RUN" ? Tool.TrainedRun : a == "FILE" ? pipe : a));
        WaitForWork(process);
        StopBy(process, "TERM", 143, "run the same command again");
        Assert.That(Directory.GetFileSystemEntries(Path.GetDirectoryName(pipe)!), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_sweep_stops_and_the_same_command_continues()
    {
        string sweep = Path.Combine(TestFiles.Folder("cli-signal"), "sweep");
        string[] command = ["sweep", "vae", "--epochs", "1000000", .. Tool.Tiny, "--grid", "seed=1,2", "--jobs", "2", "--out", sweep];
        for (int time = 0; time < 2; time++)
        {
            using var process = Tool.StartInterruptible(command);
            Tool.WaitForLine(process, "2 runs in");
            Tool.WaitForFile(process, Path.Combine(sweep, "seed-2", "metrics.csv"));
            WaitForWork(process);
            var result = StopBy(process, "INT", 130, "continue with the same command");
            Assert.That(result.Error, Does.Not.Contain("killed"), "the locks were given back");
            AssertWhole(Path.Combine(sweep, "seed-1"));
        }
    }

    [Test]
    public void Reproducing_stops_and_the_same_command_continues()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-signal"), "papers");
        using var process = Tool.StartInterruptible("reproduce", "troubleshooting", "--quick", "--out", folder);
        Tool.WaitForLine(process, "training ");
        WaitForWork(process);
        StopBy(process, "INT", 130, "continue with the same command");
        foreach (string run in Directory.GetDirectories(folder))
            AssertWhole(run);
    }

    [Test]
    public void A_second_signal_ends_at_once()
    {
        using var process = StuckTraining(out _);
        Tool.Signal(process, "INT");
        // Two signals that are pending at once are one.
        Thread.Sleep(200);
        Tool.Signal(process, "INT");
        EndsSoon(process);
        Assert.That(process.ExitCode, Is.EqualTo(130));
        Assert.That(process.StandardError.ReadToEnd(), Is.Empty, "the moment that training is given was not waited for");
    }

    [Test]
    public void Training_that_cannot_end_by_itself_is_ended()
    {
        using var process = StuckTraining(out string run);
        Tool.Signal(process, "INT");
        EndsSoon(process);
        Assert.That(process.ExitCode, Is.EqualTo(130));
        Assert.That(process.StandardError.ReadToEnd(), Does.Contain($"stopped; continue with: vae train --resume --out {run}"));
        AssertWhole(run);
    }

    [TestCase("list models", ">&-", 0)]
    [TestCase("list models", "2>&-", 0)]
    [TestCase("list models --json", "<&- >&- 2>&-", 0)]
    [TestCase("--help", ">&-", 0)]
    [TestCase("frobnicate", "2>&-", 2)]
    [TestCase("frobnicate", "2>/dev/full", 2)]
    [TestCase("evaluate no-such-run", ">&- 2>&-", 4)]
    [TestCase("encode RUN --out -", ">&-", 0)]
    [TestCase("encode RUN --out -", "| head -1", 0)]
    [TestCase("list models", "| head -1", 0)]
    [TestCase("train --epochs 2 --network mlp:32 --limit 200 --out FRESH", ">&- 2>&-", 0)]
    [TestCase("train --epochs 2 --network mlp:32 --limit 200 --out FRESH", "| head -1", 0)]
    [TestCase("list models --json", ">/dev/full", 1)]
    public void A_closed_stream_changes_no_exit_code(string line, string redirection, int exitCode)
    {
        string fresh = Path.Combine(TestFiles.Folder("cli-closed"), "run");
        string command = line.Replace("RUN", Tool.TrainedRun).Replace("FRESH", fresh);
        Assert.That(Tool.InShell($"\"$0\" \"$1\" {command} {redirection}; exit ${{PIPESTATUS[0]}}"), Is.EqualTo(exitCode));
        if (line.Contains("FRESH"))
            AssertWhole(fresh, finished: true);
    }

    /// <summary>A run of a few steps, measured on all test images and factors.</summary>
    private static string[] MeasuredForLong => ["--limit", "100", "--batch", "50", "--latents", "128", "--network", "mlp:32", "--data-dir",
        TestFiles.Datasets];

    /// <summary>Training that waits for somebody to read what it prints.</summary>
    private static Process StuckTraining(out string run)
    {
        run = Path.Combine(TestFiles.Folder("cli-signal"), "run");
        var process = Tool.StartInterruptible(["train", "--epochs", "1000000", "--limit", "2", "--batch", "2", "--latents", "2",
            "--network", "mlp:2", "--out", run]);
        string metrics = Path.Combine(run, "metrics.csv");
        Tool.WaitForFile(process, metrics);
        for (var (length, still) = (0L, Stopwatch.StartNew()); still.Elapsed < TimeSpan.FromSeconds(3); Thread.Sleep(50))
            if (new FileInfo(metrics).Length is var now && now != length)
                (length, still) = (now, Stopwatch.StartNew());
        return process;
    }

    /// <summary>Waits until the command has done more than start; what it does then does not end by itself.</summary>
    private static void WaitForWork(Process process)
    {
        for (var until = Stopwatch.StartNew(); until.Elapsed < TimeSpan.FromSeconds(2);)
        {
            Assert.That(process.HasExited, Is.False, "the command ended before it could be stopped");
            Thread.Sleep(50);
        }
    }

    private static ToolResult StopBy(Process process, string signal, int exitCode, params string[] says)
    {
        Tool.Signal(process, signal);
        EndsSoon(process);
        var result = Tool.Finish(process);
        Assert.That(result.ExitCode, Is.EqualTo(exitCode), result.Error);
        Assert.That(result.Error, Does.Contain("warning: stopped").And.Not.Contain("vae: "));
        foreach (string part in says)
            Assert.That(result.Error, Does.Contain(part));
        return result;
    }

    private static void EndsSoon(Process process)
    {
        bool ended = process.WaitForExit(Soon);
        if (!ended)
            process.Kill();
        Assert.That(ended, Is.True, "it ends soon");
    }

    private static void AssertWhole(string run, bool finished = false)
    {
        string[] names = [.. Directory.GetFiles(run).Select(f => Path.GetFileName(f))];
        Assert.That(names, Has.None.StartsWith(".").And.None.EqualTo("run.lock"), "neither temporary files nor a lock are left");
        Assert.That(names, Does.Contain("config.json"));
        if (finished)
            Assert.That(names, Does.Contain("report.html"));
    }
}
