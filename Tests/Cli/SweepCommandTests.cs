using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

public sealed class SweepCommandTests
{
    [Test]
    public void A_sweep_of_several_jobs_continues_and_repeats_itself()
    {
        string together = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep"), alone = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep");
        var json = Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "sigma2=0.05,0.1", "--grid", "seed=1,2", "--jobs", "2", "--out", together, "--json"]).Json();
        Assert.That(json.GetProperty("runs").GetArrayLength(), Is.EqualTo(4));
        Assert.That(json.GetProperty("runs")[0].GetProperty("evaluation").GetProperty("sigma2").GetDouble(), Is.EqualTo(0.05).Within(1e-6));
        Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "sigma2=0.05", "--grid", "seed=1,2", "--out", alone]).Succeeded();
        var rest = Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "sigma2=0.05,0.1", "--grid", "seed=1,2", "--out", alone]).Succeeded();
        Assert.That(rest.Out, Does.Contain("2 of them finished already"));
        Assert.That(File.ReadAllText(Path.Combine(alone, "summary.csv")), Is.EqualTo(File.ReadAllText(Path.Combine(together, "summary.csv"))));
    }

    [Test]
    public void A_run_of_a_sweep_that_diverges_leaves_the_others_alone()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-sweep"), "sweep");
        var result = Tool.Run(["sweep", "vae", "--epochs", "1", .. Tool.Tiny, "--grid", "learning_rate=100,0.001", "--out", folder]);
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.StartWith("warning: learning_rate-100 is left unfinished: training diverged").And.Contain("checkpoint.safetensors"));
        Assert.That(File.ReadAllLines(Path.Combine(folder, "summary.csv")), Has.Length.EqualTo(2).And.Some.StartsWith("learning_rate-0.001,"));
    }

    [Test]
    public void What_cannot_be_swept_is_a_usage_error()
    {
        string folder = TestFiles.Folder("cli-sweep");
        Tool.Fails(Tool.Run("sweep", "vae"), 2, "--grid");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "colour=1", "--out", folder), 2, "colour");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "beta=1", "--jobs", "0", "--out", folder), 2, "--jobs 0");
        Tool.Fails(Tool.Run("sweep", "vae", "--grid", "noise=loud", "--out", folder), 2, "loud", "mog");
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
