using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Structure;

/// <summary>The VAE from scratch of Engine/README.md: the text there is that of the file, it is short, and it trains.</summary>
public sealed class ExampleTests
{
    private static readonly string Example = Path.Combine(TestFiles.RepositoryRoot, "examples", "vae-from-scratch.cs");
    private static readonly string Readme = Path.Combine(TestFiles.RepositoryRoot, "Engine", "README.md");

    [Test]
    public void The_readme_shows_the_file_itself() =>
        Assert.That(File.ReadAllText(Readme), Does.Contain($"```csharp\n{File.ReadAllText(Example)}```\n"));

    [Test]
    public void It_has_at_most_40_lines_of_code() =>
        Assert.That(File.ReadLines(Example).Count(line => line.Trim().Length > 0), Is.LessThanOrEqualTo(40));

    [Test]
    public void It_trains()
    {
        var start = new ProcessStartInfo("dotnet", ["run", "-c", "Release", Example, "1"])
        {
            WorkingDirectory = TestFiles.RepositoryRoot,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0", ["MSBUILDDISABLENODEREUSE"] = "1", ["DOTNET_NOLOGO"] = "1" },
        };
        // Where the tests themselves run on a stand-in for CUDA's driver, the example takes the machine as it is.
        start.Environment.Remove("VAE_CUDA_LIBRARY");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, output + error.Result);
        string[] words = output.Trim().Split(' ');
        Assert.That(words[..2], Is.EqualTo(new[] { "epoch", "1:" }), output);
        // An image of MNIST has about 206 nats under the mean of all images.
        Assert.That(double.Parse(words[2], CultureInfo.InvariantCulture), Is.LessThan(180));
    }
}
