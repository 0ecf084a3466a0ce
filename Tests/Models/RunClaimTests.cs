using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Whose claim on a run directory holds, and when another process may take it over.</summary>
public sealed class RunClaimTests : OnCpu
{
    private const string Long = "2001-02-03T04:05:06Z";

    private static readonly DatasetSplits Data = new(Small.Halves(60), Small.Halves(30, split: "test", seed: 5));

    private static string Here => Environment.MachineName;

    [Test]
    public void The_claim_of_a_process_of_this_machine_holds_while_it_lives()
    {
        string folder = TestFiles.Folder("claim");
        using (var other = Process.Start("sleep", "100"))
        {
            Write(folder, other.Id, Here, Time(other.StartTime.ToUniversalTime()));
            var held = Assert.Throws<RunHeldException>(() => RunLock.Take(folder));
            Assert.That(held!.Message, Does.Contain($"process {other.Id} on {Here} is writing to it"));
            Assert.That(held.Claim.ProcessId, Is.EqualTo(other.Id));
            Assert.That(RunLock.SeemsHeld(folder), Is.True);
            other.Kill();
            other.WaitForExit();
        }
        Assert.That(RunLock.SeemsHeld(folder), Is.False);
        using var taken = RunLock.Take(folder);
        Assert.That(taken.Notice, Does.Contain("was killed"));
        Assert.That(RunLock.ClaimOn(folder), Is.Not.Null.And.Property(nameof(RunClaim.ProcessId)).EqualTo(Environment.ProcessId));
    }

    /// <summary>Numbers of processes are used again, and in a container the first process always has the same.</summary>
    [TestCase(1)]
    [TestCase(0)]
    public void The_claim_of_an_earlier_process_of_the_same_number_is_taken_over_at_once(int number)
    {
        string folder = TestFiles.Folder("claim");
        Write(folder, number == 0 ? Environment.ProcessId : number, Here, Long);
        using var taken = RunLock.Take(folder);
        Assert.That(taken.Notice, Does.Contain("was killed"));
    }

    [TestCase(0, false)]
    [TestCase(4.5, false)]
    [TestCase(5.5, true)]
    public void The_claim_of_another_machine_is_taken_over_when_it_was_silent_for_five_minutes(double minutes, bool free)
    {
        string folder = TestFiles.Folder("claim");
        Write(folder, Environment.ProcessId, "some-other-machine", Long, TimeSpan.FromMinutes(minutes));
        Assert.That(RunLock.SeemsHeld(folder), Is.EqualTo(!free));
        if (free)
        {
            using var taken = RunLock.Take(folder);
            Assert.That(taken.Notice, Does.Contain("on some-other-machine").And.Contain("silent for 5 minutes"));
            RunLock.ThrowIfLost(folder);
        }
        else
            Assert.That(() => RunLock.Take(folder),
                Throws.TypeOf<RunHeldException>().With.Message.Contains("on some-other-machine").And.Message.Contains("5 minutes"));
        Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName), Is.SubsetOf(new[] { "run.lock" }), "no probe is left");
    }

    [TestCase(0, false)]
    [TestCase(15, true)]
    public void A_claim_that_says_nothing_was_given_up_soon_after_it_was_made(double seconds, bool free)
    {
        string folder = TestFiles.Folder("claim"), file = Path.Combine(folder, RunLock.FileName);
        File.WriteAllText(file, "");
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow - TimeSpan.FromSeconds(seconds));
        if (free)
            RunLock.Take(folder).Dispose();
        else
            Assert.That(() => RunLock.Take(folder), Throws.TypeOf<RunHeldException>());
    }

    [Test]
    public void A_claim_that_is_held_is_written_anew()
    {
        string folder = TestFiles.Folder("claim"), file = Path.Combine(folder, RunLock.FileName);
        using var taken = RunLock.Take(folder);
        string text = File.ReadAllText(file);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow - TimeSpan.FromMinutes(4));
        taken.Refresh();
        Assert.That(DateTime.UtcNow - File.GetLastWriteTimeUtc(file), Is.LessThan(TimeSpan.FromMinutes(1)));
        Assert.That(File.ReadAllText(file), Is.EqualTo(text).And.StartsWith($"process {Environment.ProcessId} on {Here} since "));
        Assert.That(RunClaim.RefreshInterval * 5, Is.LessThan(RunClaim.Expiry), "some may be late");
    }

    /// <summary>A machine that slept, or whose network was cut, finds that others went on without it.</summary>
    [Test]
    public void A_process_that_was_taken_for_dead_writes_nothing_any_more()
    {
        string folder = TestFiles.Folder("claim"), file = Path.Combine(folder, RunLock.FileName);
        string others = $"process 7 on some-other-machine since {Long}\n";
        using (var taken = RunLock.Take(folder))
        {
            RunLock.ThrowIfLost(folder);
            File.WriteAllText(file, others);
            taken.Refresh();
            Assert.That(() => RunLock.ThrowIfLost(folder),
                Throws.TypeOf<RunHeldException>().With.Message.Contains("process 7 on some-other-machine has taken the run over"));
        }
        Assert.That(File.ReadAllText(file), Is.EqualTo(others), "what is another's stays");
    }

    [Test]
    public void A_run_that_was_taken_over_ends_before_its_next_checkpoint()
    {
        string folder = TestFiles.Folder("claim");
        var sweep = new Sweep(Small.Configuration().With(("epochs", 3)), [GridAxis.Parse("beta=1")], folder);
        string run = Path.Combine(folder, sweep.Points[0].Name);
        byte[]? checkpoint = null;
        Assert.That(() => sweep.Train(sweep.Points[0], Compute, Data, () => false, _ => { }, (epoch, _) =>
        {
            if (epoch.Epoch != 2)
                return;
            checkpoint = File.ReadAllBytes(Path.Combine(run, "checkpoint.safetensors"));
            File.WriteAllText(Path.Combine(run, RunLock.FileName), $"process 7 on some-other-machine since {Long}\n");
        }), Throws.TypeOf<RunHeldException>());
        Assert.That(File.ReadAllBytes(Path.Combine(run, "checkpoint.safetensors")), Is.EqualTo(checkpoint), "of the first epoch");
        Assert.That(File.Exists(Path.Combine(run, "model.safetensors")), Is.False);
    }

    private static string Time(DateTime time) => time.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private static void Write(string folder, int process, string machine, string since, TimeSpan ago = default)
    {
        string file = Path.Combine(folder, RunLock.FileName);
        File.WriteAllText(file, $"process {process} on {machine} since {since}\n");
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow - ago);
    }
}
