using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Reports;
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
        Assert.That(sweep.Points.Select(p => p.Name),
            Is.EqualTo(new[] { "beta-0.5_noise-learned", "beta-0.5_noise-fixed-0.05", "beta-2_noise-learned", "beta-2_noise-fixed-0.05" }));
        foreach (var point in sweep.Points.Take(3))
            Assert.That(sweep.Train(point, Compute, Data, () => false), Is.EqualTo(RunEnd.Finished));
        var again = Create(folder, "beta=0.5,2", "noise=learned,fixed:0.05");
        Assert.That(again.Points.Select(again.IsFinished), Is.EqualTo(new[] { true, true, true, false }));
        SweepSummary.Write(again);
        var lines = File.ReadAllLines(Path.Combine(folder, "summary.csv"));
        Assert.That(lines, Has.Length.EqualTo(4));
        Assert.That(lines[0], Does.StartWith("run,beta,noise,beta_sigma2,images,nll_nats"));
        Assert.That(lines[2], Does.StartWith("beta-0.5_noise-fixed-0.05,0.5,fixed:0.05,0.025"));
        foreach (string chart in new[] { "evlb", "d_indicator", "normal_variance_factors", "information", "influential_factors",
            "learned_sigma2", "learned_beta_sigma2" })
            Assert.That(File.ReadAllText(Path.Combine(folder, chart + ".svg")), Does.StartWith("<svg"), chart);
        Assert.That(File.Exists(Path.Combine(folder, "front.svg")), Is.False, "no category, no trade");
        Assert.That(again.Results.Select(r => r.Line).Distinct(), Is.EqualTo(new[] { "learned noise", "fixed noise" }));
    }

    [Test]
    public void A_sweep_of_a_model_with_a_category_shows_its_trade()
    {
        string folder = TestFiles.Folder("sweep");
        var sweep = new Sweep(Small.Configuration("imae").With(("epochs", 1), ("categories", 2)),
            [GridAxis.Parse("gamma=1,8"), GridAxis.Parse("beta=1,5")], folder);
        foreach (var point in sweep.Points)
            sweep.Train(point, Compute, Data, () => false);
        SweepSummary.Write(sweep);
        string[] lines = File.ReadAllLines(Path.Combine(folder, "summary.csv"));
        int column = Array.IndexOf(lines[0].Split(','), "total_correlation_joint_nats");
        Assert.That(lines.Skip(1).Select(l => l.Split(',')[column]), Has.Exactly(4).Items.And.None.Empty);
        Assert.That(File.ReadAllText(Path.Combine(folder, "front.svg")), Does.Contain("gamma 1").And.Contain("gamma 8"),
            "a line for each gamma");
    }

    [Test]
    public void A_stopped_run_of_a_sweep_continues_from_its_checkpoint()
    {
        string folder = TestFiles.Folder("sweep"), whole = TestFiles.Folder("sweep");
        var sweep = Create(folder, "beta=1");
        Assert.That(sweep.Train(sweep.Points[0], Compute, Data, () => true), Is.EqualTo(RunEnd.Stopped));
        Assert.That(sweep.IsFinished(sweep.Points[0]), Is.False);
        Assert.That(sweep.Train(sweep.Points[0], Compute, Data, () => false), Is.EqualTo(RunEnd.Finished));
        Assert.That(sweep.Train(sweep.Points[0], Compute, Data, () => false), Is.EqualTo(RunEnd.WasFinished));
        var other = Create(whole, "beta=1");
        other.Train(other.Points[0], Compute, Data, () => false);
        Assert.That(sweep.Results[0]["nll_nats"], Is.EqualTo(other.Results[0]["nll_nats"]));
    }

    [Test]
    public void A_folder_with_other_settings_is_refused()
    {
        string folder = TestFiles.Folder("sweep");
        var sweep = Create(folder, "beta=1");
        sweep.Train(sweep.Points[0], Compute, Data, () => false);
        var other = new Sweep(Small.Configuration().With(("latents", 3)), [GridAxis.Parse("beta=1")], folder);
        Assert.That(() => other.IsFinished(other.Points[0]), Throws.TypeOf<OptionException>().With.Message.Contains("beta-1"));
    }

    /// <summary>By hand: four values with mean 2.5 and sample variance 5/3, and Student's t of 3 degrees at 0.975, 3.182446.</summary>
    [Test]
    public void Seeds_are_summarised_by_their_mean_and_its_95_percent_interval()
    {
        string folder = TestFiles.Folder("sweep");
        var sweep = new Sweep(Small.Configuration(), [GridAxis.Parse("beta=0.5,2"), GridAxis.Seeds("1..4")], folder);
        Assert.That(sweep.Points.Select(p => p.Name).Take(5), Is.EqualTo(new[] { "beta-0.5_seed-1", "beta-0.5_seed-2", "beta-0.5_seed-3",
            "beta-0.5_seed-4", "beta-2_seed-1" }));
        Assert.That(sweep.Points.Select(p => p.Configuration.Training.Seed), Is.EqualTo(new ulong[] { 1, 2, 3, 4, 1, 2, 3, 4 }));
        double[] values = [3, 1, 4, 2, 7];
        SweepResult[] results = [.. sweep.Points.Take(5).Zip(values, (p, v) => new SweepResult(p,
            new() { ["evlb_nats"] = v, ["sigma2"] = 0.1, ["mi_nats"] = v == 1 ? null : v }))];
        var summary = new SweepSummary(sweep.Keys, results);
        double half = 3.182446 * Math.Sqrt(5.0 / 3 / 4);
        Assert.That(summary.OverSeeds, Has.Count.EqualTo(2));
        var (mean, halfWidth) = summary.OverSeeds[0].Over(r => r["evlb_nats"]);
        Assert.That(mean, Is.EqualTo(2.5).Within(1e-12));
        Assert.That(halfWidth, Is.EqualTo(half).Within(1e-5));
        Assert.That(summary.OverSeeds[1].Over(r => r["evlb_nats"]), Is.EqualTo((7.0, double.NaN)), "one run has no interval");
        Assert.That(summary.OverSeeds[0].Over(r => r["mi_nats"]), Is.EqualTo((double.NaN, double.NaN)), "a run does not have it");

        summary.Save(folder);
        Assert.That(File.ReadAllLines(Path.Combine(folder, "summary.csv")), Has.Length.EqualTo(6), "a row a run");
        string[][] means = [.. File.ReadAllLines(Path.Combine(folder, "seeds.csv")).Select(l => l.Split(','))];
        Assert.That(means, Has.Length.EqualTo(3), "a row a combination");
        Assert.That(means[0].Take(5), Is.EqualTo(new[] { "beta", "seeds", "beta_sigma2", "beta_sigma2_ci95", "images" }));
        int column = Array.IndexOf(means[0], "evlb_nats");
        Assert.That((means[0][column + 1], means[1][0], means[1][1], means[2][1]), Is.EqualTo(("evlb_nats_ci95", "0.5", "4", "1")));
        Assert.That(means[1].Skip(column).Take(2).Select(v => double.Parse(v, System.Globalization.CultureInfo.InvariantCulture)),
            Is.EqualTo(new[] { 2.5, half }).Within(1e-5));
        Assert.That((means[2][column], means[2][column + 1]), Is.EqualTo(("7", "")));
        var chart = (LineChart)summary.Charts().Single(c => c.File == "evlb.svg").Chart;
        Assert.That(chart.Lines, Has.Count.EqualTo(1), "seeds are no lines of their own");
        Assert.That(chart.Lines[0].Y, Is.EqualTo(new[] { 2.5, 7 }).Within(1e-12));
    }

    [Test]
    public void Seeds_are_parsed()
    {
        Assert.That(GridAxis.Seeds("1..5").Key, Is.EqualTo("seed"));
        Assert.That(GridAxis.Seeds("1..5").Values, Is.EqualTo(new[] { "1", "2", "3", "4", "5" }));
        Assert.That(GridAxis.Seeds("7, 0,18446744073709551615").Values, Is.EqualTo(new[] { "7", "0", "18446744073709551615" }));
        Assert.That(GridAxis.Seeds("3..3,9,1..2").Values, Is.EqualTo(new[] { "3", "9", "1", "2" }));
    }

    [TestCase("", "''")]
    [TestCase("1,", "''")]
    [TestCase("1..", "'1..'")]
    [TestCase("..5", "'..5'")]
    [TestCase("1...5", "'1...5'")]
    [TestCase("1..2..3", "'1..2..3'")]
    [TestCase("-1", "'-1'")]
    [TestCase("1.5", "'1.5'")]
    [TestCase("1-5", "'1-5'")]
    [TestCase("one", "'one'")]
    [TestCase("18446744073709551616", "'18446744073709551616'")]
    [TestCase("5..1", "write 1..5")]
    [TestCase("1,2,1", "seed 1 is there twice")]
    [TestCase("1..3,2", "seed 2 is there twice")]
    [TestCase("1..10001", "more than 10000 seeds")]
    [TestCase("0..18446744073709551615", "more than 10000 seeds")]
    public void What_are_no_seeds_is_a_sentence(string text, string says) => Assert.That(() => GridAxis.Seeds(text),
        Throws.TypeOf<OptionException>().With.Message.StartsWith($"--seeds {text}: ").And.Message.Contains(says));

    [Test]
    public void A_sweep_is_opened_from_its_folder_as_it_was_begun()
    {
        string folder = TestFiles.Folder("sweep");
        var sweep = new Sweep(Small.Configuration(), [GridAxis.Parse("noise=learned,fixed:0.05"), GridAxis.Seeds("4,2")], folder);
        sweep.SavePlan();
        byte[] plan = File.ReadAllBytes(Path.Combine(folder, "sweep.json"));
        var opened = Sweep.Open(folder);
        Assert.That(opened.Points.Select(p => (p.Name, p.Configuration)), Is.EqualTo(sweep.Points.Select(p => (p.Name, p.Configuration))));
        Assert.That(opened.Keys, Is.EqualTo(new[] { "noise", "seed" }));
        opened.SavePlan();
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "sweep.json")), Is.EqualTo(plan));
        foreach (string broken in new[] { "", "[]", "{}", """{"configuration": {}, "grid": {"beta": 1}}""", """{"grid": {}}""" })
        {
            File.WriteAllText(Path.Combine(folder, "sweep.json"), broken);
            Assert.That(() => Sweep.Open(folder), Throws.TypeOf<DataException>().With.Message.Contains("sweep.json"), broken);
        }
        Assert.That(() => new Sweep(Small.Configuration(), [GridAxis.Seeds("1"), GridAxis.Parse("seed=2")], folder),
            Throws.TypeOf<OptionException>().With.Message.Contains("seed is there twice"));
    }

    [Test]
    public void Grids_are_parsed()
    {
        Assert.That(GridAxis.Parse("beta=paper").Values,
            Is.EqualTo(new[] { "0.1", "0.5", "1", "2", "4", "6", "8", "10", "12", "14", "16", "18" }));
        var variances = GridAxis.Parse("sigma2=paper");
        Assert.That(variances.Key, Is.EqualTo("noise"));
        Assert.That(variances.Values, Has.Count.EqualTo(23));
        Assert.That(variances.Values,
            Does.Contain("fixed:0.0005").And.Contain("fixed:0.012").And.Contain("fixed:0.02").And.Contain("fixed:0.11"));
        Assert.That(GridAxis.Parse("network=mlp:5,5;conv").Values, Is.EqualTo(new[] { "mlp:5,5", "conv" }));
        Assert.That(() => GridAxis.Parse("beta"), Throws.TypeOf<OptionException>());
        Assert.That(() => GridAxis.Parse("latents=paper"), Throws.TypeOf<OptionException>());
        Assert.That(() => Create(TestFiles.Folder("sweep"), "colour=1"), Throws.TypeOf<OptionException>());
        Assert.That(() => Create(TestFiles.Folder("sweep"), "beta=1,1"), Throws.TypeOf<OptionException>());
        Assert.That(() => Create(TestFiles.Folder("sweep"), "beta=-1"), Throws.TypeOf<OptionException>());
    }

    private static Sweep Create(string folder, params string[] grid) =>
        new(Small.Configuration(), [.. grid.Select(GridAxis.Parse)], folder);
}
