using System.Net;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Explore;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Explore;

/// <summary>A served folder with one tiny run of each model of the catalogue, on the first images of MNIST and on made-up shapes.</summary>
internal static class Served
{
    public const int TestImages = 120;

    private static readonly Lazy<DatasetSplits> Digits = new(() =>
    {
        var all = Mnist.Load(TestFiles.Datasets);
        return new(all.Train.Take(200), all.Test.Take(TestImages));
    });

    private static readonly Lazy<string> AllRuns = new(() =>
    {
        string folder = TestFiles.Folder("explore-runs");
        foreach (var entry in ModelCatalogue.All)
            Train(Path.Combine(folder, NameOf(entry)), Configuration(entry));
        return folder;
    });

    private static readonly Lazy<ExploreServer> Shared = new(() => Start(Folder));

    /// <summary>The folder of one run a model; no test changes it.</summary>
    public static string Folder => AllRuns.Value;

    /// <summary>A server of <see cref="Folder"/>, for as long as the tests run.</summary>
    public static ExploreServer Server => Shared.Value;

    public static string NameOf(ModelEntry entry) => entry.Title.Replace(" --code ", "-", StringComparison.Ordinal);

    public static RunConfiguration Configuration(ModelEntry entry, int epochs = 1)
    {
        var configuration = new RunConfiguration(entry).With(entry.Differences).With(("data", "mnist"), ("epochs", epochs), ("batch", 50),
            ("network", "mlp:16"), ("latents", 3));
        return entry.Name == "exon" ? configuration.With(("labels", 50), ("labelled_batch", 20)) : configuration;
    }

    public static ExploreServer Start(string folder, IPAddress? listen = null) =>
        ExploreServer.Start(new(folder, Load, _ => Compute.Open("cpu", 1)) { Listen = listen ?? IPAddress.Loopback });

    /// <summary>Trains a run and evaluates it as `vae train` does.</summary>
    public static void Train(string path, RunConfiguration configuration, bool evaluate = true)
    {
        using var compute = Compute.Open("cpu", 1);
        using var run = TrainingRun.Open(compute, configuration, configuration.Model.Name == "ada-gvae" ? WithDigits(Digits.Value)
            : Digits.Value, path);
        run.Train();
        if (evaluate)
            run.Evaluate();
    }

    /// <summary>The same with the digit as a known factor, for the model that learns from pairs that differ in one.</summary>
    private static DatasetSplits WithDigits(DatasetSplits splits)
    {
        return new(Known(splits.Train), Known(splits.Test));

        static ImageDataset Known(ImageDataset set)
        {
            int[] digits = [.. set.Labels!.Select(label => (int)label)];
            return set with { Factors = new(["digit"], [10], digits, Array.ConvertAll(digits, d => (float)d)) };
        }
    }

    /// <summary>A copy of one run, which the test may damage.</summary>
    public static string Copy(string name, string into)
    {
        string copy = Path.Combine(into, name);
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Path.Combine(Folder, name)))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        return copy;
    }

    private static DatasetSplits Load(string name) =>
        name == "mnist" ? Digits.Value : throw new OptionException($"data set '{name}' is not among those of the tests");

    [SetUpFixture]
    internal sealed class AtTheEnd
    {
        [OneTimeTearDown]
        public void StopServer()
        {
            if (Shared.IsValueCreated)
                Shared.Value.Dispose();
        }
    }
}
