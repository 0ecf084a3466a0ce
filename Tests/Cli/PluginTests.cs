using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Models of one's own by --plugin: examples/plugin.</summary>
[Parallelizable]
public sealed class PluginTests
{
    private static string Assembly =>
        Path.Combine(TestFiles.RepositoryRoot, "examples", "plugin", "bin", "Release", "net10.0", "SparseVae.dll");

    [Test]
    public void A_model_of_an_assembly_is_trained_and_measured_like_ours()
    {
        string run = Path.Combine(TestFiles.Folder("cli-plugin"), "run");
        Tool.Run("train", "sparse-vae", "--plugin", Assembly, "--weight", "0.5", "--network", "mlp:8", "--latents", "2", "--limit", "100",
            "--epochs", "1", "--out", run).Succeeded();
        var json = Tool.Run("evaluate", run, "--plugin", Assembly, "--json").Succeeded().Json();
        Assert.That(json.GetProperty("model").GetString(), Is.EqualTo("sparse-vae"));
        Assert.That(File.ReadLines(Path.Combine(run, "metrics.csv")).First(), Does.Contain("train_magnitude"));
        Assert.That(File.ReadAllText(Path.Combine(run, "config.json")), Does.Contain("\"weight\": 0.5"));
        Tool.Fails(Tool.Run("evaluate", run), 4, "sparse-vae", "--plugin");
    }

    [Test]
    public void Its_settings_are_options_with_help_and_ranges()
    {
        string help = Tool.Run("train", "sparse-vae", "--plugin", Assembly, "--help").Succeeded().Out;
        Assert.That(help,
            Does.Match(
            @"--weight +weight of the penalty on the means' magnitudes \(a number of at least 0\) \(default: 0\.1\)").And.Not.Contain(
            "--beta "));
        Tool.Fails(Tool.Run("train", "sparse-vae", "--plugin", Assembly, "--weight", "-1"), 2, "--weight -1", "at least 0");
        Tool.Fails(Tool.Run("train", "sparse-vae", "--plugin", Assembly, "--beta", "1"), 2, "--beta: sparse-vae has no such setting",
            "beta-vae");
    }

    [TestCase("nothing.dll", "no such file")]
    [TestCase("/dev/null", "expected a .NET assembly")]
    public void What_is_no_assembly_with_models_is_refused(string file, string says) =>
        Tool.Fails(Tool.Run("train", "--plugin", file), 2, $"--plugin {file}", says);

    [Test]
    public void An_assembly_without_models_is_refused() =>
        Tool.Fails(Tool.Run("train", "--plugin", typeof(VaeFromScratch.Estimators.Indicators).Assembly.Location), 2,
            "it has no models to add");
}
