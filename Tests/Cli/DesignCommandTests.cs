using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Models that learn a designed latent space from labels, from the command line.</summary>
[Parallelizable]
public sealed class DesignCommandTests
{
    private static readonly string[] Tiny =
        ["train", "exon", "--epochs", "1", "--batch", "100", "--labels", "50", "--set", "labelled_batch=20", "--network", "mlp:32"];

    [Test]
    public void A_design_from_a_file_is_trained_measured_and_drawn()
    {
        string folder = TestFiles.Folder("design"), file = Path.Combine(folder, "row.json"), run = Path.Combine(folder, "run");
        File.WriteAllText(file,
            $"{{\"centres\": [{string.Join(", ", Enumerable.Range(0, 10).Select(k => $"[{8 * k - 36}, 0]"))}], \"variances\": 4}}");
        var json = Tool.Run([.. Tiny, "--design", file, "--out", run, "--json"]).Json();
        File.Delete(file);
        Assert.That(json.GetProperty("test_error").GetDouble(), Is.InRange(0, 1));
        Assert.That(json.GetProperty("kl_nats").GetDouble(), Is.Positive);
        Assert.That(json.GetProperty("negative_ssim").GetDouble(), Is.InRange(0, 0.75));
        Assert.That(json.GetProperty("negative_ssim_images").GetInt32(), Is.EqualTo(169));
        Assert.That(json.GetProperty("activated_f").GetArrayLength(), Is.EqualTo(10));
        Assert.That(json.GetProperty("dtilde_nats").ValueKind, Is.EqualTo(JsonValueKind.Null), "it refers to N(0, I)");
        Assert.That(File.ReadAllText(Path.Combine(run, "latent.svg")), Does.StartWith("<svg"));
        Assert.That(File.ReadAllText(Path.Combine(run, "report.html")),
            Does.Contain("The designed latent space").And.Contain("From an image of each class"));
        Assert.That(File.ReadAllLines(Path.Combine(run, "activated.csv")), Has.Length.EqualTo(21));
        Assert.That(File.ReadLines(Path.Combine(run, "metrics.csv")).First(), Does.Contain("test_error"));

        string text = Tool.Run("evaluate", run).Succeeded().Out;
        Assert.That(text,
            Does.Contain("test error").And.Contain("50 training labels").And.Contain("negative SSIM").And.Contain("activated factors"));
        Tool.Run("sample", run, "--images", "4", "--columns", "2").Succeeded();
        Assert.That(Tool.Run("evaluate", run, "--nll-samples", "3", "--json").Json().GetProperty("nll_importance_nats").GetDouble(),
            Is.LessThan(json.GetProperty("nll_nats").GetDouble() + json.GetProperty("kl_nats").GetDouble()));
    }

    [Test]
    public void What_cannot_be_a_design_or_a_number_of_labels_is_said_in_a_sentence()
    {
        string folder = TestFiles.Folder("designs"), broken = Path.Combine(folder, "broken.json"), two = Path.Combine(folder, "two.json");
        File.WriteAllText(broken, "{\"centres\": [");
        File.WriteAllText(two, "{\"centres\": [[-4, 0], [4, 0]], \"variances\": 4}");
        Tool.Fails(Tool.Run([.. Tiny, "--design", Path.Combine(folder, "none.json")]), 4, "--design", "none.json");
        Tool.Fails(Tool.Run([.. Tiny, "--design", broken]), 4, "broken.json", "centres");
        Tool.Fails(Tool.Run([.. Tiny, "--design", two]), 2, "10 classes", "the design 2");
        Tool.Fails(Tool.Run([.. Tiny, "--design", "square"]), 2, "design square", "circle");
        Tool.Fails(Tool.Run(["train", "exon", "--labels", "290"]), 2, "labels 290", "too few");
        Tool.Fails(Tool.Run(["train", "exon", "--recipe", "fast"]), 2, "recipe fast", "tuned, paper, full");
    }
}
