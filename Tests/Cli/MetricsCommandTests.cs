using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

[Parallelizable]
public sealed class MetricsCommandTests
{
    [Test]
    public void Known_factors_give_every_score_with_and_without_the_shape()
    {
        string run = Path.Combine(TestFiles.Folder("cli-metrics"), "run");
        Tool.Run(["train", "beta-vae", "--data", "synthetic-shapes", "--epochs", "1", .. Tool.Tiny, "--out", run, "--report", "false"])
            .Succeeded();
        var json = Tool.Run("metrics", run, "--ssim-images", "20", "--nll-samples", "2", "--json").Json();
        var all = json.GetProperty("disentanglement");
        var ordered = json.GetProperty("disentanglement_ordered");
        Assert.Multiple(() =>
        {
            Assert.That(all.GetProperty("factors").EnumerateArray().Select(f => f.GetString()),
                Is.EqualTo(new[] { "shape", "position x", "position y", "scale", "orientation" }));
            Assert.That(ordered.GetProperty("factors").GetArrayLength(), Is.EqualTo(4));
            Assert.That(all.GetProperty("points").GetInt32(), Is.EqualTo(5000));
            foreach (string key in (string[])["mig", "mig_sampled", "sap", "dci_disentanglement", "dci_completeness", "dci_informativeness",
                "modularity", "factor_vae", "beta_vae"])
            {
                var score = all.GetProperty(key);
                Assert.That(score.GetProperty("values").GetArrayLength(), Is.EqualTo(5), key);
                Assert.That(score.GetProperty("mean").GetDouble(), Is.InRange(-0.01, 1), key);
                Assert.That(score.GetProperty("half_width_95").GetDouble(), Is.GreaterThanOrEqualTo(0), key);
            }
            Assert.That(all.GetProperty("beta_vae").GetProperty("mean").GetDouble(), Is.GreaterThan(0.25),
                "an untrained code knows where the shape is: guessing gives 0.2");
            Assert.That(json.GetProperty("ssim_reconstruction").GetDouble(), Is.InRange(-1, 1));
            Assert.That(json.GetProperty("negative_ssim_without_self").GetDouble(),
                Is.GreaterThanOrEqualTo(json.GetProperty("negative_ssim").GetDouble()));
            Assert.That(json.GetProperty("nll_importance_nats").ValueKind, Is.EqualTo(JsonValueKind.Number));
            Assert.That(File.ReadAllText(Path.Combine(run, "metrics.json")), Does.Contain("\"disentanglement_ordered\""));
        });
    }

    [Test]
    public void Unknown_factors_give_the_rest()
    {
        string run = Tool.CopyOfRun();
        var json = Tool.Run("metrics", run, "--ssim-images", "0", "--json").Json();
        Assert.That(json.GetProperty("disentanglement").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(json.GetProperty("negative_ssim").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(json.GetProperty("active_units").GetInt32(), Is.InRange(0, 8));
        Assert.That(json.GetProperty("images").GetInt32(), Is.EqualTo(Tool.TestImages));
        Assert.That(Tool.Run("metrics", run, "--split", "train", "--ssim-images", "2").Succeeded().Out,
            Does.Contain("disentanglement    none").And.Contain("300 train images"));
    }

    [Test]
    public void A_category_is_held_against_the_labels()
    {
        string run = Path.Combine(TestFiles.Folder("cli-metrics"), "joint");
        Tool.Run("train", "imae", "--epochs", "1", "--limit", "200", "--batch", "50", "--network", "mlp:32", "--out", run, "--report",
            "false").Succeeded();
        var json = Tool.Run("metrics", run, "--ssim-images", "10", "--json").Json();
        Assert.That(json.GetProperty("accuracy").GetDouble(), Is.GreaterThanOrEqualTo(json.GetProperty("cluster_accuracy")
            .GetDouble()).And.LessThanOrEqualTo(1), "the commonest label may serve several categories");
        Assert.That(json.GetProperty("ssim_reconstruction").GetDouble(), Is.InRange(-1, 1));
    }

    [Test]
    public void Wrong_options_are_usage_errors()
    {
        Tool.Fails(Tool.Run("metrics", Tool.TrainedRun, "--ssim-images", "1"), 2, "--ssim-images 1");
        Tool.Fails(Tool.Run("metrics", Tool.TrainedRun, "--nll-samples", "-3"), 2, "--nll-samples -3");
        Tool.Fails(Tool.Run("metrics", Tool.TrainedRun, "--split", "half"), 2, "--split half");
    }
}
