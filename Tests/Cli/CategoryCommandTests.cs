using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Models with a category from the command line: training, report, encodings, the bound by Q, stopping and going on.</summary>
[Parallelizable]
public sealed class CategoryCommandTests
{
    private static readonly string[] Small =
    [
        "--limit", "200", "--batch", "50", "--latents", "4", "--categories", "3", "--network", "mlp:32/16", "--set",
            "temperature_epochs=2", "--set", "category_epochs=0",
    ];

    private static readonly Lazy<string> Trained = new(() =>
    {
        string run = Path.Combine(TestFiles.Folder("cli-category"), "run");
        Tool.Run(["train", "vmi-vae", "--epochs", "1", "--out", run, .. Small]).Succeeded();
        return run;
    });

    [Test]
    public void Training_says_how_the_category_is_trained_and_measures_it()
    {
        string run = Path.Combine(TestFiles.Folder("cli-category-output"), "run");
        string text = Tool.Run(["train", "imae", "--vat", "7", "--encoder-mi", "2:3", "--epochs", "1", "--out", run, .. Small])
            .Succeeded().Out;
        Assert.That(text, Does.Contain("recipe tuned").And.Contain("3 categories").And.Contain("encoder-mi 2:3").And.Contain(
            "vat 7").And.Contain("no augment").And.Contain("one stage"));
        Assert.That(text, Does.Contain("labels found").And.Contain("(C3)"));
        var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "evaluation.json"))).RootElement;
        foreach (string key in (string[])["mi_category_nats", "mi_joint_nats", "total_correlation_joint_nats", "accuracy",
            "cluster_accuracy", "mi_label_nats", "bce_nats"])
            Assert.That(json.GetProperty(key).ValueKind, Is.EqualTo(JsonValueKind.Number), key);
        Assert.That(json.GetProperty("mi_category_nats").GetDouble(), Is.InRange(0, Math.Log(3)));
    }

    [Test]
    public void The_report_shows_what_the_categories_are()
    {
        string page = File.ReadAllText(Path.Combine(Trained.Value, "report.html"));
        Assert.That(page, Does.Contain("The category").And.Contain("Categories and labels").And.Contain(
            "Probabilities of the categories over training").And.Contain("figures 4.5 and 4.6"));
    }

    [Test]
    public void Metrics_decode_codes_with_their_category()
    {
        var metrics = Tool.Run("metrics", Trained.Value, "--json").Json();
        double error = JsonDocument.Parse(File.ReadAllText(Path.Combine(Trained.Value, "evaluation.json"))).RootElement.GetProperty(
            "squared_error").GetDouble();
        Assert.That(metrics.GetProperty("squared_error").GetDouble(), Is.EqualTo(error).Within(1e-3 * error));
        Assert.That(metrics.GetProperty("ssim_reconstruction").GetDouble(), Is.InRange(-1, 1));
    }

    [Test]
    public void Encodings_hold_the_categorys_probabilities()
    {
        string file = Path.Combine(TestFiles.Folder("cli-category-codes"), "codes.csv");
        Assert.That(Tool.Run("encode", Trained.Value, "--out", file, "--json").Json().GetProperty("categories").GetInt32(), Is.EqualTo(3));
        Assert.That(File.ReadLines(file).First(), Does.Contain("prob_0,prob_1,prob_2"));
        var estimates = Tool.Run("estimate", file, "--json").Json();
        Assert.That(estimates.GetProperty("mi_category_nats").GetDouble(),
            Is.EqualTo(JsonDocument.Parse(File.ReadAllText(Path.Combine(Trained.Value, "evaluation.json"))).RootElement.GetProperty(
                "mi_category_nats").GetDouble()).Within(1e-4));
    }

    [Test]
    public void Influence_bounds_what_the_output_says_about_the_code()
    {
        var bound = Tool.Run("influence", Trained.Value, "--bound", "q", "--mi-factors", "1,3", "--json").Json().GetProperty("bound");
        Assert.That(bound.GetProperty("category_nats").GetDouble(), Is.LessThanOrEqualTo(Math.Log(3)));
        Assert.That(bound.GetProperty("mi_category_nats").GetDouble(), Is.InRange(0, Math.Log(3)));
        Assert.That(bound.GetProperty("factors").EnumerateArray().Select(f => f.GetInt32()), Is.EqualTo(new[] { 1, 3 }));
        Assert.That(bound.GetProperty("factors_standard_error").GetDouble(), Is.Positive);
        Assert.That(bound.GetProperty("points").GetInt32(), Is.EqualTo(Tool.TestImages));

        // A model without a category: its most informative factor.
        var gaussian = Tool.Run("influence", Tool.CopyOfRun(), "--bound", "q", "--q-input", "mean", "--json").Json();
        Assert.That(gaussian.GetProperty("bound").GetProperty("category_nats").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(gaussian.GetProperty("bound").GetProperty("factors")[0].GetInt32(),
            Is.EqualTo(gaussian.GetProperty("factors")[0].GetProperty("factor").GetInt32()));
    }

    [Test]
    public void A_resumed_run_is_the_uninterrupted_one()
    {
        string folder = TestFiles.Folder("cli-category-resume"), whole = Path.Combine(folder, "whole"),
            parts = Path.Combine(folder, "parts");
        Tool.Run(["train", "vmi-vae", "--epochs", "2", "--report", "false", "--out", whole, .. Small]).Succeeded();
        Tool.Run(["train", "vmi-vae", "--epochs", "1", "--report", "false", "--out", parts, .. Small]).Succeeded();
        Tool.Run("train", "--resume", "--epochs", "2", "--report", "false", "--out", parts).Succeeded();
        foreach (string file in (string[])["model.safetensors", "probabilities.csv"])
            Assert.That(File.ReadAllBytes(Path.Combine(parts, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, file))), file);
        string[] rows = File.ReadAllLines(Path.Combine(whole, "probabilities.csv"));
        Assert.That(rows, Has.Length.EqualTo(3));
        Assert.That(rows[2].Split(',').Skip(1).Sum(s => double.Parse(s, System.Globalization.CultureInfo.InvariantCulture)),
            Is.EqualTo(1).Within(1e-4));
    }
}
