using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

[Parallelizable]
public sealed class SweepCommandTests
{
    [Test]
    public void A_sweep_of_several_jobs_continues_and_repeats_itself()
    {
        string together = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep"),
            alone = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep");
        var json = Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "sigma2=0.05,0.1", "--grid", "seed=1,2", "--jobs",
            "2", "--out", together, "--json"]).Json();
        Assert.That(json.GetProperty("runs").GetArrayLength(), Is.EqualTo(4));
        Assert.That(json.GetProperty("runs")[0].GetProperty("evaluation").GetProperty("sigma2").GetDouble(), Is.EqualTo(0.05).Within(1e-6));
        Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "sigma2=0.05", "--grid", "seed=1,2", "--out", alone])
            .Succeeded();
        var rest = Tool.Run(
            ["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "sigma2=0.05,0.1", "--grid", "seed=1,2", "--out", alone]).Succeeded();
        Assert.That(rest.Out, Does.Contain("2 of them finished already"));
        Assert.That(File.ReadAllText(Path.Combine(alone, "summary.csv")),
            Is.EqualTo(File.ReadAllText(Path.Combine(together, "summary.csv"))));
    }

    [Test]
    public void A_run_of_a_sweep_that_diverges_leaves_the_others_alone()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep");
        var result = Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "learning_rate=100,0.001", "--out", folder]);
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error,
            Does.StartWith("warning: learning_rate-100 is left unfinished: training diverged").And.Contain("checkpoint.safetensors"));
        Assert.That(File.ReadAllLines(Path.Combine(folder, "summary.csv")),
            Has.Length.EqualTo(2).And.Some.StartsWith("learning_rate-0.001,"));
        string failure = Path.Combine(folder, "learning_rate-100", "failure.txt");
        Assert.That(File.ReadAllText(failure), Does.StartWith("training diverged"));

        var merged = Tool.Run("sweep", folder, "--merge");
        Assert.That(merged.ExitCode, Is.EqualTo(1), "a run has failed");
        Assert.That(merged.Error, Does.StartWith("warning: learning_rate-100 is left unfinished: training diverged"));
        var again = Tool.Run(
            ["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "learning_rate=100,0.001", "--out", folder, "--json"]);
        Assert.That(again.ExitCode, Is.EqualTo(1), "it was tried again, and fails again");
        var json = System.Text.Json.JsonDocument.Parse(again.Out).RootElement;
        Assert.That(json.GetProperty("failed")[0].GetProperty("run").GetString(), Is.EqualTo("learning_rate-100"));
        Assert.That(json.GetProperty("failed")[0].GetProperty("sentence").GetString(), Does.StartWith("training diverged"));
        Assert.That(json.GetProperty("unfinished").GetArrayLength(), Is.Zero);
    }

    [Test]
    public void A_run_that_failed_is_tried_again_by_the_next_call()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep"), failure = Path.Combine(folder, "seed-2", "failure.txt");
        Directory.CreateDirectory(Path.GetDirectoryName(failure)!);
        File.WriteAllText(failure, "the disk was full\n");
        var result = Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--seeds", "1..2", "--out", folder]).Succeeded();
        Assert.That(result.Out, Does.Contain("seed-2 is tried again; before: the disk was full").And.Contain("seed-2 is finished"));
        Assert.That(File.Exists(failure), Is.False);
    }

    [Test]
    public void The_grid_of_a_folder_may_grow_and_never_forgets_a_run()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep");
        string[] start = ["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--out", folder];
        var one = Tool.Run([.. start, "--seeds", "1"]).Succeeded();
        Assert.That(one.Out, Does.Contain("1 run in ").And.Not.Contain("1 runs"));
        Tool.Run([.. start, "--seeds", "1..2"]).Succeeded();
        byte[] plan = File.ReadAllBytes(Path.Combine(folder, "sweep.json"));
        string table = File.ReadAllText(Path.Combine(folder, "summary.csv"));
        string[][] narrower = [["--seeds", "2"], ["--seeds", "2..3"], ["--grid", "latents=4"], ["--seeds", "2", "--merge"]];
        foreach (string[] grid in narrower)
            Tool.Fails(Tool.Run([.. start, .. grid]), 2, $"--out {folder}", "2 runs, --grid seed=1,2,", "seed-1", "repeat the grid");
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "sweep.json")), Is.EqualTo(plan));
        Assert.That(File.ReadAllText(Path.Combine(folder, "summary.csv")), Is.EqualTo(table));
    }

    [Test]
    public void Before_the_first_finished_run_there_is_no_summary()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep");
        using (var process = Tool.Start(["sweep", "vae", .. Tool.Tiny, "--epochs", "1000000", "--seeds", "1", "--out", folder]))
        {
            Tool.WaitForFile(process, Path.Combine(folder, "seed-1", "metrics.csv"));
            Tool.Signal(process, "TERM");
            Assert.That(Tool.Finish(process).ExitCode, Is.EqualTo(143));
        }
        Assert.That(Names(), Is.EquivalentTo(new[] { "seed-1", "sweep.json" }));
        var merged = Tool.Run("sweep", folder, "--merge").Succeeded();
        Assert.That(merged.Error, Does.Contain("1 of 1 run is not finished: seed-1").And.Contain("no run is finished"));
        Assert.That(Names(), Is.EquivalentTo(new[] { "seed-1", "sweep.json" }));

        IEnumerable<string?> Names() => Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName);
    }

    /// <summary>As SIGKILL leaves them; what has another name may be anyone's.</summary>
    [Test]
    public void Temporary_files_of_a_killed_process_go()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep"), run = Path.Combine(folder, "seed-1");
        Directory.CreateDirectory(run);
        string[] go = [".checkpoint.safetensors.abcdefgh.xyz", ".metrics.csv.01234567.abc"],
            stay = [".checkpoint.safetensors.old", ".notes.csv.abcdefgh.xyz", ".checkpoint.safetensors.abcdefgh-xyz", "abcdefgh.xyz"];
        foreach (string name in go.Concat(stay))
            File.WriteAllText(Path.Combine(run, name), "");
        Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--seeds", "1", "--out", folder]).Succeeded();
        Assert.That(go.Where(name => File.Exists(Path.Combine(run, name))), Is.Empty);
        Assert.That(stay.Where(name => !File.Exists(Path.Combine(run, name))), Is.Empty);
    }

    [Test]
    public void What_cannot_be_swept_is_a_usage_error()
    {
        string folder = TestFiles.Folder("cli-sweep");
        Tool.Fails(Tool.Run("sweep", "vae"), 2, "--grid");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "colour=1", "--out", folder), 2, "colour");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "beta=1", "--jobs", "0", "--out", folder), 2, "--jobs 0");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "noise=loud", "--out", folder), 2, "loud", "mog");
        Tool.Fails(Tool.Run("sweep", "--grid", "beta=1", "--out", folder), 2, "MODEL");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "beta=1", "--grid", "beta=2", "--out", folder), 2, "beta is there twice");
        Tool.Fails(Tool.Run("sweep", "vae", "--seeds", "5..1", "--out", folder), 2, "--seeds 5..1", "1..5");
        Tool.Fails(Tool.Run("sweep", "vae", "--seeds", "1", "--grid", "seed=2", "--out", folder), 2, "seed is there twice");
        Tool.Fails(Tool.Run("sweep", "vae", "--seeds", "1", "--seed", "2", "--out", folder), 2, "--seed 2");
        Tool.Fails(Tool.Run("sweep", "vae", "--seeds", "1", "--shard", "3/2", "--out", folder), 2, "--shard 3/2");
        Tool.Fails(Tool.RunWith([("JOB_COMPLETION_INDEX", "1")], "sweep", "vae", "--seeds", "1", "--out", folder), 2, "--shard", "auto/N");
        Tool.Fails(Tool.Run("sweep", folder, "--merge", "--shard", "1/2"), 2, "--shard 1/2", "--merge");
        Tool.Fails(Tool.Run("sweep", folder, "--merge", "--epochs", "3"), 2, "--epochs");
        Tool.Fails(Tool.Run("sweep", folder, "--merge", "--out", folder), 2, "--out");
        Tool.Fails(Tool.Run("sweep", "--merge"), 2, "--merge", "DIR");
        Tool.Fails(Tool.Run("sweep", folder, "--merge"), 4, folder, "sweep.json");
        Tool.Fails(Tool.Run("sweep", folder, "--merge", "--seeds", "1..2"), 2,
            "--seeds 1..2: --merge of a folder takes grid and seeds from");
        Tool.Fails(Tool.Run("sweep", folder, "--merge", "--grid", "beta=1"), 2, "--grid beta=1: --merge", "sweep.json", "leave it out");
        Tool.Fails(Tool.Run("sweep", "beta-va", "--merge"), 2, "beta-va: it is neither the folder of a sweep nor a model",
            "did you mean beta-vae?");
        Tool.Fails(Tool.Run("sweep", "beta-va", "--seeds", "1..2"), 2, "did you mean beta-vae?");
        Assert.That(Directory.EnumerateFileSystemEntries(folder), Is.Empty);
    }

    [Test]
    public void Evaluate_estimates_the_nll_by_importance_samples()
    {
        string run = Tool.CopyOfRun();
        var json = Tool.Run("evaluate", run, "--nll-samples", "20", "--json").Json();
        Assert.That(json.GetProperty("importance_samples").GetInt32(), Is.EqualTo(20));
        Assert.That(json.GetProperty("nll_importance_nats").GetDouble(), Is.LessThan(-json.GetProperty("evlb_nats").GetDouble() + 0.5));
        Tool.Fails(Tool.Run("evaluate", run, "--nll-samples", "-1"), 2, "--nll-samples -1");
    }

    [Test]
    public void A_mixture_of_noise_is_reported_with_its_table_and_maps()
    {
        string run = Path.Combine(TestFiles.Folder("cli-mog"), "run");
        var json = Tool.Run(["train", "vae", "--epochs", "1", .. Tool.Tiny, "--noise", "mog:2", "--out", run, "--json"]).Json();
        Assert.That(json.GetProperty("noise_components").GetArrayLength(), Is.EqualTo(2));
        Assert.That(File.ReadAllBytes(Path.Combine(run, "memberships.png"))[1..4], Is.EqualTo("PNG"u8.ToArray()));
        Assert.That(File.ReadAllText(Path.Combine(run, "report.html")), Does.Contain("Components of the noise"));
    }
}
