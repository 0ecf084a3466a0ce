using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Cli;
using VaeFromScratch.Cli.Commands;
using VaeFromScratch.Cli.Reproduce;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>vae reproduce, on a paper so small that its runs take a moment.</summary>
public sealed class ReproduceTests
{
    [TestCase(10, 10.9, "within 10 %", false)]
    [TestCase(10, 11.1, "not within 10 %", true)]
    [TestCase(-10, -9.1, "within 10 %", false)]
    [TestCase(0, 0.05, "within 10 %", false)]
    [TestCase(0, 0.2, "not within 10 %", true)]
    public void A_share_of_the_published_number_decides(double published, double measured, string verdict, bool missed)
    {
        var finding = new Finding("information", published, measured, Target.Within(0.1));
        Assert.That((finding.Verdict, finding.Missed), Is.EqualTo((verdict, (bool?)missed)));
    }

    [Test]
    public void Verdicts_of_other_targets()
    {
        Assert.Multiple(() =>
        {
            Assert.That(new Finding("a", 0.82, 0.9, Target.AtLeast).Verdict, Is.EqualTo("reached"));
            Assert.That(new Finding("a", 0.82, 0.8, Target.AtLeast).Verdict, Is.EqualTo("below"));
            Assert.That(new Finding("a", 3.2, 2.8, Target.AtMost).Verdict, Is.EqualTo("reached"));
            Assert.That(new Finding("a", 2, 3, Target.Near(0)).Verdict, Is.EqualTo("fails"));
            Assert.That(new Finding("a", 2, 2, Target.Near(0)).Missed, Is.False);
            Assert.That(new Finding("a", 2, 3, Target.Incomparable("other data")).Verdict, Is.EqualTo("not comparable: other data"));
            Assert.That(new Finding("a", 2, 3, Target.Incomparable("other data")).Missed, Is.Null);
            Assert.That(new Finding("a", 2, null, Target.AtLeast).Verdict, Is.EqualTo("not run"));
            Assert.That(new Finding("a", null, 7, Target.Shown).Cells, Is.EqualTo(new[] { "a", "-", "7", "-", "shown" }));
            Assert.That(new Finding("a", 24.3, 25.4, Target.Within(0.1)).Cells,
                Is.EqualTo(new[] { "a", "24.3", "25.4", "+4.5 %", "within 10 %" }));
        });
    }

    [Test]
    public void Finished_runs_are_left_alone_and_the_report_says_what_was_found()
    {
        string folder = TestFiles.Folder("cli-reproduce");
        string first = Captured(() => new ReproduceJob(Context(), new TinyPaper(), folder, quick: false).Run());
        Assert.That(first, Does.Contain("2 runs in").And.Contain("0 of them finished already").And.Contain(
            "2 runs will take about").And.Contain("1 rows met, 1 missed, 1 shown without a verdict, 1 not run"));
        byte[] weights = File.ReadAllBytes(Path.Combine(folder, "tiny-1", "model.safetensors"));
        File.Delete(Path.Combine(folder, "tiny-2", "evaluation.json"));

        string second = Captured(() => new ReproduceJob(Context(), new TinyPaper(), folder, quick: false).Run());
        Assert.That(second, Does.Contain("1 of them finished already").And.Contain("training tiny-2").And.Not.Contain("training tiny-1"));
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "tiny-1", "model.safetensors")), Is.EqualTo(weights));
        Assert.That(Directory.Exists(Path.Combine(folder, "unused")), Is.False, "what was timed leaves nothing behind");

        var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "tiny", "findings.json"))).RootElement;
        Assert.That(json.GetProperty("missed").GetInt32(), Is.EqualTo(1));
        Assert.That(json.GetProperty("tables")[0].GetProperty("rows").GetArrayLength(), Is.EqualTo(4));
        Assert.That(File.ReadAllText(Path.Combine(folder, "tiny", "report.html")), Does.Contain("Images").And.Contain("not within 1 %"));

        var other = Assert.Throws<OptionException>(() => new ReproduceJob(Context(seed: 2), new TinyPaper(), folder, quick: false).Run())!;
        Assert.That(other.Message, Does.Contain("other settings"));
    }

    [Test]
    public void Runs_that_follow_from_others_come_after_them_with_seeds_of_their_own()
    {
        string folder = TestFiles.Folder("cli-reproduce-then");
        string text = Captured(() => new ReproduceJob(Context(seed: 5), new FollowingPaper(), folder, quick: false).Run());
        Assert.That(text, Does.Contain("1 run in").And.Contain("1 run more by what these found"));
        string Config(string name) => File.ReadAllText(Path.Combine(folder, name, "config.json"));
        Assert.That(Config("first"), Does.Contain("\"seed\": 5"));
        Assert.That(Config("first-seed-2"), Does.Contain("\"seed\": 6"), "a plan counts its seeds from the one that was asked for");
        Assert.That(Config("first-seed-2"), Does.Contain("\"beta\": 3"), "what the first run measured decided it");
    }

    [Test]
    public void Quick_says_what_it_shortens_and_what_it_leaves_out_for_want_of_data()
    {
        string folder = TestFiles.Folder("cli-reproduce");
        string text = Captured(() => new ReproduceJob(Context(), new TinyPaper(), folder, quick: true).Run());
        Assert.That(text, Does.Contain("quick: one run instead of two").And.Contain("1 run in").And.Contain(
            "dsprites is not in").And.Contain("1 not run"));
        Assert.That(File.ReadAllText(Path.Combine(folder, "tiny", "report.html")),
            Does.Contain("Shortened: one run instead of two.").And.Contain("dsprites is not in"));
    }

    [Test]
    public void Every_paper_plans_runs_that_can_be_made([Values] bool quick)
    {
        foreach (var paper in Paper.All)
        {
            var sweep = new Sweep([], paper.Runs(quick, Context()), Path.Combine(TestFiles.Folder("cli-reproduce"), "none"));
            Assert.That(sweep.Points, Is.Not.Empty, paper.Name);
            Assert.That(paper.Shortened, Is.Not.Empty, paper.Name);
            foreach (var point in sweep.Points)
                Assert.That(() => DatasetCatalogue.Find(point.Configuration.Data.Name), Throws.Nothing, point.Name);
        }
    }

    /// <summary>
    /// Every section of every paper is written, from runs as planned but tiny; what needs data that the tests do not have, and the slow
    /// EEG, is left out.
    /// </summary>
    [TestCase("influential-factors", "Theorem 6", "Fano's bound and a trained classifier", "median of 3 seeds", "Theorem 3")]
    [TestCase("troubleshooting", "Corollary 2", "I(z_h; attribute) on MNIST", "Figure 16")]
    [TestCase("imae", "Proposition 2", "Figure 5", "(recipe paper)", "gamma", "(I5)")]
    [TestCase("vmi", "Figure 4.3", "Figure 4.4", "each batch's own statistics")]
    [TestCase("exon", "Theorem 1 (G6)", "draws of the labels", "Figure 9")]
    public void A_report_has_its_sections_whatever_the_runs_found(string name, params string[] sections)
    {
        var (paper, context) = (Paper.Find(name), Context());
        string folder = TestFiles.Folder($"cli-reproduce-{name}");
        using var compute = new Compute(new VaeFromScratch.Kernels.Cpu.CpuBackend(threads: 1));
        var data = new Dictionary<string, DatasetSplits>();
        var planned = Plan(paper.Runs(quick: name == "troubleshooting", context));
        var sweep = Trained(planned);
        sweep = Trained([.. planned, .. Plan(paper.Then(quick: false, context, sweep))]);
        var page = new VaeFromScratch.Reports.HtmlPage(paper.Title);
        var findings = new Findings(context, sweep, page, quick: false);
        string text = Captured(() => paper.Report(findings));
        string report = File.ReadAllText(findings.Save(folder, name));
        foreach (string section in sections)
            Assert.That(report, Does.Contain(System.Net.WebUtility.HtmlEncode(section)).Or.Contain(section), text);
        var json = findings.ToJson(name, "");
        Assert.That(json["met"]!.GetValue<int>() + json["missed"]!.GetValue<int>() + json["shown"]!.GetValue<int>(), Is.GreaterThan(3),
            text);

        SweepPoint[] Plan(IEnumerable<SweepPoint> runs) => [.. runs
            .Where(p => !p.Configuration.Data.Name.Contains("eeg")
                && DatasetCatalogue.Find(p.Configuration.Data.Name).IsPresent(Tool.DataDir))
            .Select(p => p with { Configuration = Tiny(p.Configuration) })];

        Sweep Trained(IReadOnlyList<SweepPoint> points)
        {
            var all = new Sweep([], points, folder);
            foreach (var point in points.Where(p => !all.IsFinished(p)))
            {
                string set = point.Configuration.Data.Name;
                if (!data.TryGetValue(set, out var splits))
                    data[set] = splits = context.LoadData(set);
                all.Train(point, compute, splits with { Test = splits.Test.Take(150) }, () => false);
            }
            return all;
        }

        static RunConfiguration Tiny(RunConfiguration c)
        {
            (string Key, object Value)[] smaller = [("limit", 200), ("epochs", 1), ("batch", 50), ("network", "mlp:16"), ("latents",
                Math.Min(12, c.Network.Latents)),
                ("labels", 40), ("labelled_batch", 20), ("classifier", "shared"), ("mixup", false), ("q_network", "8")];
            return c.With(smaller.Where(s => c.Model.Keys.Contains(s.Key)));
        }
    }

    [Test]
    public void A_paper_without_runs_says_so()
    {
        // Nothing is trained when the user stops at once; what needs no run is still there.
        foreach (var paper in Paper.All)
        {
            var sweep = new Sweep([], paper.Runs(quick: true, Context()), Path.Combine(TestFiles.Folder("cli-reproduce"), "none"));
            var findings = new Findings(Context(), sweep, new(paper.Title), quick: true);
            Captured(() => paper.Report(findings));
            Assert.That(findings.ToJson(paper.Name, "")["missed"]!.GetValue<int>(), Is.Zero,
                $"{paper.Name}: {findings.ToJson(paper.Name, "").ToJsonString()}");
        }
    }

    [Test]
    public void An_unknown_paper_is_a_usage_error() =>
        Tool.Fails(Tool.Run("reproduce", "attention"), 2, "PAPER attention", "influential-factors", "troubleshooting");

    private static CommandContext Context(ulong seed = 1) =>
        new("cpu", 1, seed, false, null, Tool.DataDir, null, new Output(json: false, plain: true));

    private static string Captured(Action action)
    {
        var before = Console.Out;
        using var text = new StringWriter();
        Console.SetOut(text);
        try
        {
            action();
        }
        finally
        {
            Console.SetOut(before);
        }
        return text.ToString();
    }

    private sealed class FollowingPaper : Paper
    {
        public override string Name => "following";

        public override string Title => "A paper whose second run follows from its first";

        public override IReadOnlyList<string> Shortened => [];

        public override IReadOnlyList<SweepPoint> Runs(bool quick, CommandContext context) => [Run("first",
            ModelCatalogue.Find("vae").Defaults
            .With(("network", "mlp:32"), ("latents", 4), ("limit", 100), ("batch", 50), ("epochs", 1)))];

        public override IReadOnlyList<SweepPoint> Then(bool quick, CommandContext context, Sweep finished) =>
            [.. MoreSeeds(finished.Points[0], 2).Select(p => p with { Configuration = p.Configuration.With(("beta",
                finished.Results[0]["images"] > 0 ? 3 : 1), ("seed", 2)) })];

        public override void Report(Findings findings) => findings.Section("None");
    }

    private sealed class TinyPaper : Paper
    {
        public override string Name => "tiny";

        public override string Title => "A tiny paper";

        public override IReadOnlyList<string> Shortened => ["one run instead of two"];

        public override IReadOnlyList<SweepPoint> Runs(bool quick, CommandContext context)
        {
            var start = ModelCatalogue.Find("vae").Defaults.With(("network", "mlp:32"), ("latents", 4), ("limit", 200), ("batch", 50),
                ("epochs", 2));
            return quick ? [Run("tiny-1", start), Run("tiny-3", start.With(("data", "dsprites")))]
                : [Run("tiny-1", start), Run("tiny-2", start.With(("beta", 2)))];
        }

        public override void Report(Findings findings) => findings.Section("Numbers").Table("Images",
        [
            new("test images", Tool.TestImages, findings.Result("tiny-1")?["images"], Target.Near(0)),
            new("test images, wrong", 2 * Tool.TestImages, findings.Result("tiny-1")?["images"], Target.Within(0.01)),
            new("squared error", null, findings.Result("tiny-1")?["squared_error"], Target.Shown),
            new("of a run that there is not", 1, findings.Result("tiny-3")?["images"], Target.Shown),
        ]);
    }
}
