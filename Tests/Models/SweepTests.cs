using NUnit.Framework;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

public sealed class SweepTests : OnCpu
{
    private static readonly DatasetSplits Data = new(Small.Halves(60), Small.Halves(30, split: "test", seed: 5));

    [Test]
    public void A_sweep_trains_each_combination_once_and_summarises_what_is_finished()
    {
        string folder = TestFiles.Folder("sweep");
        var sweep = Create(folder, "beta=0.5,2", "noise=learned,fixed:0.05");
        Assert.That(sweep.Points.Select(p => p.Name), Is.EqualTo(new[] { "beta-0.5_noise-learned", "beta-0.5_noise-fixed-0.05", "beta-2_noise-learned", "beta-2_noise-fixed-0.05" }));
        foreach (var point in sweep.Points.Take(3))
            Assert.That(sweep.Train(point, Compute, Data, () => false), Is.True);
        var again = Create(folder, "beta=0.5,2", "noise=learned,fixed:0.05");
        Assert.That(again.Points.Select(again.IsFinished), Is.EqualTo(new[] { true, true, true, false }));
        again.WriteSummary();
        var lines = File.ReadAllLines(Path.Combine(folder, "summary.csv"));
        Assert.That(lines, Has.Length.EqualTo(4));
        Assert.That(lines[0], Does.StartWith("run,beta,noise,beta_sigma2,images,nll_nats"));
        Assert.That(lines[2], Does.StartWith("beta-0.5_noise-fixed-0.05,0.5,fixed:0.05,0.025"));
        foreach (string chart in new[] { "evlb", "d_indicator", "normal_variance_factors", "information", "influential_factors", "learned_sigma2", "learned_beta_sigma2" })
            Assert.That(File.ReadAllText(Path.Combine(folder, chart + ".svg")), Does.StartWith("<svg"), chart);
        Assert.That(File.Exists(Path.Combine(folder, "front.svg")), Is.False, "no category, no trade");
        Assert.That(again.Summary().Results.Select(r => r.Line).Distinct(), Is.EqualTo(new[] { "learned noise", "fixed noise" }));
    }

    [Test]
    public void A_sweep_of_a_model_with_a_category_shows_its_trade()
    {
        string folder = TestFiles.Folder("sweep");
        var sweep = new Sweep(Small.Configuration("imae") with { Epochs = 1, Categories = 2 }, [GridAxis.Parse("gamma=1,8"), GridAxis.Parse("beta=1,5")], folder);
        foreach (var point in sweep.Points)
            sweep.Train(point, Compute, Data, () => false);
        sweep.WriteSummary();
        string[] lines = File.ReadAllLines(Path.Combine(folder, "summary.csv"));
        int column = Array.IndexOf(lines[0].Split(','), "total_correlation_joint_nats");
        Assert.That(lines.Skip(1).Select(l => l.Split(',')[column]), Has.Exactly(4).Items.And.None.Empty);
        Assert.That(File.ReadAllText(Path.Combine(folder, "front.svg")), Does.Contain("gamma 1").And.Contain("gamma 8"), "a line for each gamma");
    }

    [Test]
    public void A_stopped_run_of_a_sweep_continues_from_its_checkpoint()
    {
        string folder = TestFiles.Folder("sweep"), whole = TestFiles.Folder("sweep");
        var sweep = Create(folder, "beta=1");
        Assert.That(sweep.Train(sweep.Points[0], Compute, Data, () => true), Is.False);
        Assert.That(sweep.IsFinished(sweep.Points[0]), Is.False);
        Assert.That(sweep.Train(sweep.Points[0], Compute, Data, () => false), Is.True);
        var other = Create(whole, "beta=1");
        other.Train(other.Points[0], Compute, Data, () => false);
        Assert.That(sweep.Summary().Results[0]["nll_nats"], Is.EqualTo(other.Summary().Results[0]["nll_nats"]));
    }

    [Test]
    public void A_folder_with_other_settings_is_refused()
    {
        string folder = TestFiles.Folder("sweep");
        var sweep = Create(folder, "beta=1");
        sweep.Train(sweep.Points[0], Compute, Data, () => false);
        var other = new Sweep(Small.Configuration() with { Latents = 3 }, [GridAxis.Parse("beta=1")], folder);
        Assert.That(() => other.IsFinished(other.Points[0]), Throws.TypeOf<OptionException>().With.Message.Contains("beta-1"));
    }

    [Test]
    public void Grids_are_parsed()
    {
        Assert.That(GridAxis.Parse("beta=paper").Values, Is.EqualTo(new[] { "0.1", "0.5", "1", "2", "4", "6", "8", "10", "12", "14", "16", "18" }));
        var variances = GridAxis.Parse("sigma2=paper");
        Assert.That(variances.Key, Is.EqualTo("noise"));
        Assert.That(variances.Values, Has.Count.EqualTo(23));
        Assert.That(variances.Values, Does.Contain("fixed:0.0005").And.Contain("fixed:0.012").And.Contain("fixed:0.02").And.Contain("fixed:0.11"));
        Assert.That(GridAxis.Parse("network=mlp:5,5;conv").Values, Is.EqualTo(new[] { "mlp:5,5", "conv" }));
        Assert.That(() => GridAxis.Parse("beta"), Throws.TypeOf<OptionException>());
        Assert.That(() => GridAxis.Parse("latents=paper"), Throws.TypeOf<OptionException>());
        Assert.That(() => Create(TestFiles.Folder("sweep"), "colour=1"), Throws.TypeOf<OptionException>());
        Assert.That(() => Create(TestFiles.Folder("sweep"), "beta=1,1"), Throws.TypeOf<OptionException>());
        Assert.That(() => Create(TestFiles.Folder("sweep"), "beta=-1"), Throws.TypeOf<OptionException>());
    }

    private static Sweep Create(string folder, params string[] grid) => new(Small.Configuration(), [.. grid.Select(GridAxis.Parse)], folder);
}
