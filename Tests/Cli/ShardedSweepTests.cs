using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Many processes work on one sweep, and nothing is coordinated but the folder.</summary>
[Parallelizable]
public sealed class ShardedSweepTests
{
    private const int Shards = 4, Runs = 24, Killed = 2;

    /// <summary>24 short runs.</summary>
    private static readonly string[] Grid =
        ["sweep", "beta-vae", "--epochs", "10", .. Tool.Tiny, "--threads", "1", "--grid", "beta=0.5,1,2,4", "--seeds", "1..6"];

    [Test]
    public void Four_shards_of_which_one_is_killed_and_restarted_do_every_run_once()
    {
        string parts = Path.Combine(TestFiles.Folder("cli-shards"), "sweep"), whole = Path.Combine(TestFiles.Folder("cli-shards"), "sweep");
        var running = Enumerable.Range(1, Shards).Select(i => StartShard(i, parts)).ToArray();
        // The second shard begins with the second run.
        string first = Path.Combine(parts, "beta-0.5_seed-2");
        Tool.WaitForFile(running[Killed - 1], Path.Combine(first, "checkpoint.safetensors"));
        running[Killed - 1].Kill();
        var killed = Tool.Finish(running[Killed - 1]);
        Assert.That(killed.ExitCode, Is.EqualTo(137));
        Assert.That(File.Exists(Path.Combine(first, RunLock.FileName)), Is.True, "it was killed in a run");
        running[Killed - 1] = StartShard(Killed, parts);
        var results = running.Select(process => Tool.Finish(process).Succeeded()).ToArray();
        Assert.That(results[Killed - 1].Error, Does.Contain("was writing to it and was killed; going on from what is there"));
        Assert.That(results.Select(r => r.Out), Has.All.Contains($"6 of {Runs} runs"));
        Assert.That(File.Exists(Path.Combine(parts, "summary.csv")), Is.False, "a shard does not know of the others");
        string[] finished = [.. results.Append(killed).SelectMany(r => r.Out.Split('\n')).Where(l => l.EndsWith(" is finished"))];
        Assert.That(finished, Is.Unique.And.Length.EqualTo(Runs), "every run was trained to its end by one process");

        var merged = Tool.Run("sweep", parts, "--merge", "--json").Json();
        Assert.That(merged.GetProperty("runs").GetArrayLength(), Is.EqualTo(Runs));
        Assert.That(merged.GetProperty("seeds").GetArrayLength(), Is.EqualTo(4));
        Assert.That(merged.GetProperty("unfinished").GetArrayLength(), Is.Zero);
        Tool.Run([.. Grid, "--out", whole]).Succeeded();
        foreach (string file in new[] { "summary.csv", "seeds.csv", "evlb.svg", "sweep.json" })
            Assert.That(File.ReadAllText(Path.Combine(parts, file)), Is.EqualTo(File.ReadAllText(Path.Combine(whole, file))), file);
        string[] names = [.. Directory.GetDirectories(parts).Select(run => Path.GetFileName(run))];
        Assert.That(names, Is.EquivalentTo(Directory.GetDirectories(whole).Select(Path.GetFileName)).And.Length.EqualTo(Runs));
        string[] rows = [.. File.ReadLines(Path.Combine(parts, "summary.csv")).Skip(1).Select(l => l.Split(',')[0])];
        Assert.That(rows, Is.Unique.And.Length.EqualTo(Runs));
        Assert.That(Directory.GetFiles(parts, "*.lock", SearchOption.AllDirectories), Is.Empty);
    }

    [Test]
    public void Processes_without_a_share_help_one_another()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-shards"), "sweep");
        string[] command = ["sweep", "beta-vae", "--epochs", "10", .. Tool.Tiny, "--threads", "1", "--seeds", "1..8", "--out", folder];
        var running = Enumerable.Range(0, 3).Select(_ => Tool.Start(command)).ToArray();
        var results = running.Select(process => Tool.Finish(process).Succeeded()).ToArray();
        string[] finished = [.. results.SelectMany(r => r.Out.Split('\n')).Where(l => l.EndsWith(" is finished"))];
        Assert.That(finished, Is.Unique.And.Length.EqualTo(8));
        Tool.Run("sweep", "--merge", "--out", folder).Succeeded();
        Assert.That(File.ReadAllLines(Path.Combine(folder, "summary.csv")), Has.Length.EqualTo(9));
    }

    /// <summary>A task that is started again on another machine finds the claim of the one that died.</summary>
    [Test]
    public void The_run_of_a_dead_machine_is_taken_up_when_its_claim_expires()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-shards"), "sweep");
        string claim = Claim(folder, "seed-1", TimeSpan.FromMinutes(1));
        using var process = Tool.Start(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--seeds", "1..2", "--out", folder]);
        Tool.WaitForLine(process, "seed-2 is finished");
        Tool.WaitForLine(process, "waiting for a sign of process 7 on some-other-machine");
        File.SetLastWriteTimeUtc(claim, DateTime.UtcNow - RunClaim.Expiry - TimeSpan.FromMinutes(1));
        var result = Tool.Finish(process).Succeeded();
        Assert.That(result.Out, Does.Contain("seed-1 is finished"));
        Assert.That(result.Error, Does.Contain("has been silent for 5 minutes; going on from what is there"));
    }

    [Test]
    public void The_run_of_another_machine_that_lives_is_left_to_it()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-shards"), "sweep");
        string claim = Claim(folder, "seed-1", TimeSpan.FromMinutes(1));
        string[] command = ["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--seeds", "1..2", "--shard", "auto/1", "--out", folder];
        using var process = Tool.StartWith([("JOB_COMPLETION_INDEX", "0")], command);
        Tool.WaitForLine(process, "waiting for a sign of process 7 on some-other-machine");
        File.SetLastWriteTimeUtc(claim, DateTime.UtcNow);
        var result = Tool.Finish(process).Succeeded();
        Assert.That(result.Error, Does.Contain("note: seed-1 is left to process 7 on some-other-machine"));
        Assert.That(Directory.GetFiles(Path.Combine(folder, "seed-1")).Select(Path.GetFileName), Is.EqualTo(new[] { "run.lock" }));
        var merged = Tool.Run("sweep", folder, "--merge", "--json");
        Assert.That(merged.Json().GetProperty("unfinished")[0].GetString(), Is.EqualTo("seed-1"));
        Assert.That(merged.Error, Does.Contain("note: 1 of 2 runs is not finished: seed-1"));
    }

    private static Process StartShard(int number, string folder) =>
        Tool.Start([.. Grid, "--shard", string.Create(CultureInfo.InvariantCulture, $"{number}/{Shards}"), "--out", folder]);

    /// <returns>The claim of a process on another machine, refreshed some time ago.</returns>
    private static string Claim(string sweep, string run, TimeSpan ago)
    {
        string folder = Path.Combine(sweep, run), file = Path.Combine(folder, RunLock.FileName);
        Directory.CreateDirectory(folder);
        File.WriteAllText(file, "process 7 on some-other-machine since 2001-02-03T04:05:06Z\n");
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow - ago);
        return file;
    }
}
