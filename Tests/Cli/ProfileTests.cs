using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>VAE_PROFILE=1 watches a run and changes nothing of it.</summary>
[Parallelizable]
public sealed class ProfileTests
{
    [TestCase]
    [TestCase("--reproducible", "2")]
    public void A_profiled_run_has_the_bytes_of_another(params string[] options)
    {
        string folder = TestFiles.Folder("cli-profile");
        byte[][] models = [.. ((string[])["0", "1"]).Select(profile =>
        {
            string run = Path.Combine(folder, profile);
            var result = Tool.RunWith([("VAE_PROFILE", profile)], ["train", "beta-vae", "--limit", "200", "--batch", "20", "--epochs", "1",
                "--network", "mlp:8", "--latents", "2", "--report", "false", "--device", "cpu", "--out", run, .. options]).Succeeded();
            Assert.That(result.Error.Contains("us/call", StringComparison.Ordinal)
                || result.Out.Contains("us/call", StringComparison.Ordinal), Is.EqualTo(profile == "1"), "the table of kernels");
            return File.ReadAllBytes(Path.Combine(run, "model.safetensors"));
        })];
        Assert.That(models[1], Is.EqualTo(models[0]));
    }
}
