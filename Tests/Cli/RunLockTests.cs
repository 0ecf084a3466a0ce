using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>
/// One process writes a run directory at a time; whoever comes second is told so, and whoever comes after a kill goes on.
/// </summary>
public sealed class RunLockTests
{
    /// <summary>Commands that write results into a run.</summary>
    private static readonly string[] Measuring = ["evaluate", "influence", "metrics", "classify"];

    private static readonly string[] Endless = ["--epochs", "1000000", .. Tool.Tiny];

    [Test]
    public void A_second_training_is_refused_and_a_killed_one_is_taken_over()
    {
        string run = Path.Combine(TestFiles.Folder("cli-lock"), "run");
        int first;
        using (var process = Tool.Start(["train", .. Endless, "--report", "false", "--out", run]))
        {
            first = process.Id;
            Tool.WaitForFile(process, Path.Combine(run, "checkpoint.safetensors"));
            ToolResult[] second = [Tool.Run("train", "--out", run), Tool.Run("train", "--resume", "--out", run),
                Tool.Run("train", "--resume", "--epochs", "2000000", "--out", run),
                .. Measuring.Select(command => Tool.Run(command, run))];
            bool goesOn = KillAfterwards(process);
            foreach (var refused in second)
                Tool.Fails(refused, 2, run, $"process {first} on {Environment.MachineName}", "is writing to it");
            Assert.That(goesOn, Is.True, "the first one goes on");
        }
        using var resumed = Tool.StartInterruptible("train", "--resume", "--out", run);
        Tool.WaitForLine(resumed, "resumed at epoch");
        Tool.Signal(resumed, "INT");
        var result = Tool.Finish(resumed);
        Assert.That(result.ExitCode, Is.EqualTo(130), result.Error);
        Assert.That(result.Error,
            Does.Contain($"note: {run}: process {first} on {Environment.MachineName} was writing to it and was killed"));
        Assert.That(Directory.GetFiles(run).Select(Path.GetFileName), Does.Not.Contain("run.lock"), "given back after Ctrl-C");
    }

    [Test]
    public void Who_measures_a_run_gives_its_lock_back()
    {
        string run = Tool.CopyOfRun();
        foreach (string command in Measuring)
            Tool.Run(command, run).Succeeded();
        Assert.That(Directory.GetFiles(run).Select(Path.GetFileName), Does.Not.Contain("run.lock"));
    }

    [Test]
    public void A_sweep_and_a_training_do_not_write_the_same_run()
    {
        string sweep = Path.Combine(TestFiles.Folder("cli-lock"), "sweep"), run = Path.Combine(sweep, "seed-1");
        string[] command = ["sweep", "beta-vae", .. Endless, "--grid", "seed=1", "--out", sweep];
        using var process = Tool.Start(command);
        Tool.WaitForFile(process, Path.Combine(run, "checkpoint.safetensors"));
        ToolResult refused = Tool.Run("train", "--resume", "--out", run), helper = Tool.Run(command);
        bool goesOn = KillAfterwards(process);
        string holder = string.Create(CultureInfo.InvariantCulture, $"process {process.Id} on ");
        Tool.Fails(refused, 2, run, holder);
        Assert.That(helper.Succeeded().Error, Does.Contain($"note: seed-1 is left to {holder}"), "it finds nothing to help with");
        Assert.That(goesOn, Is.True, "the first one goes on");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "seed=1", "--out", run), 2, run, "it is a run directory");
    }

    [Test]
    public void A_training_that_cannot_start_leaves_no_lock_and_no_folder()
    {
        string folder = TestFiles.Folder("cli-lock"), run = Path.Combine(folder, "deep", "run");
        Tool.Fails(Tool.Run("train", "exon", "--labels", "300", "--out", run), 2, "labels 300");
        Assert.That(Directory.EnumerateFileSystemEntries(folder), Is.Empty);
    }

    /// <summary>Whether the process was still at work until now.</summary>
    private static bool KillAfterwards(Process process)
    {
        bool atWork = !process.HasExited;
        process.Kill();
        process.WaitForExit();
        return atWork;
    }
}
