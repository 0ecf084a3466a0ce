using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>A VAE on a table of one's own, from the file to the bound.</summary>
public sealed class TableTrainingTests
{
    private static readonly string[] Plans = ["none", "basic", "full"];

    /// <summary>
    /// Columns that are independent have the entropies of the columns as their best NLL: 1/2 log(2 pi e) of a standardised number, and that
    /// of a category's frequencies. What the columns share, a VAE gains.
    /// </summary>
    [Test]
    public void Columns_that_depend_on_each_other_are_described_better_together()
    {
        var data = OwnFile.Load(Table(2000));
        var rows = data.Test.ToFloats(0, data.Test.Count);
        int width = data.Test.Width;
        double independent = 3 * 0.5 * Math.Log(2 * Math.PI * Math.E);
        foreach (int value in Enumerable.Range(3, 3))
        {
            double p = Enumerable.Range(0, data.Test.Count).Average(n => (double)rows[n * width + value]);
            independent -= p * Math.Log(p);
        }
        string folder = TestFiles.Folder("table-run");
        using var compute = new Compute(new CpuBackend(threads: 2));
        using var run = TrainingRun.Open(compute, Configuration(epochs: 30), data, folder);
        run.Train();
        var result = run.Evaluate();
        // Income follows age to a seventh of its spread, so two nats are there to be gained.
        Assert.That(-result.Evlb!.Value, Is.LessThan(independent - 0.8), $"independent columns have {independent:F2} nats");
        Assert.That(result.Indicators.InfluentialFactors, Is.GreaterThan(0));
        Assert.That(result.ToJson()["noise"]!.ToString(), Is.EqualTo("table"));
    }

    [Test]
    public void The_same_seed_gives_the_same_bits_for_any_number_of_threads()
    {
        var data = OwnFile.Load(Table(300));
        byte[] Trained(int threads)
        {
            string folder = TestFiles.Folder("table-bits");
            using var compute = new Compute(new CpuBackend(threads));
            using var run = TrainingRun.Open(compute, Configuration(epochs: 3), data, folder);
            run.Train();
            return File.ReadAllBytes(run.Directory.ModelFile);
        }
        Assert.That(Trained(1), Is.EqualTo(Trained(3)));
    }

    [Test]
    public void A_run_knows_its_file_and_refuses_another_one()
    {
        string file = Table(60), folder = TestFiles.Folder("table-changed");
        using var compute = new Compute(new CpuBackend(threads: 2));
        var data = OwnFile.Load(file);
        var configuration = ModelCatalogue.Defaults("vae", file).With(("network", "mlp:8"), ("latents", 2), ("epochs", 1));
        using (var run = TrainingRun.Open(compute, configuration, data, folder))
        {
            run.Train();
            Assert.That(run.Configuration.Data.Name, Is.EqualTo(Path.GetFullPath(file)));
            Assert.That(run.Configuration.DataChecksum, Is.EqualTo(data.Checksum).And.Length.EqualTo(64));
        }
        using (TrainingRun.Open(compute, configuration, OwnFile.Load(file), folder))
        {
            // The same file is taken.
        }
        File.AppendAllText(file, "44,39600,4,basic\n");
        var changed = Assert.Throws<DataException>(() => TrainingRun.Open(compute, configuration, OwnFile.Load(file), folder));
        Assert.That(changed!.Message, Does.Contain(file).And.Contain("SHA-256"));
        HostileBytes.AssertOneSentence(changed.Message);
    }

    [Test]
    public void Floating_point_pictures_reach_the_model_as_they_are()
    {
        float[] values = [.. Enumerable.Range(0, 40).Select(i => i / 41f)];
        var set = ImageDataset.Of("own", values, 2, 2);
        using var compute = new Compute(new CpuBackend(threads: 2));
        using var data = new TrainingData(compute, set, Binarise.None, seed: 1);
        using var rng = new Rng(compute, 1);
        using var tape = compute.Tape(gradients: false);
        Assert.That(data.Range(3, 5, rng).ToArray(), Is.EqualTo(values[12..32]));
        Assert.That(data.Variance, Is.EqualTo(values.Average(v => v * v) - Math.Pow(values.Average(v => (double)v), 2)).Within(1e-6));
        using var feed = BatchFeed.Create(compute, data, size: 4, seed: 3);
        var seen = new List<float>();
        foreach (int count in feed.Batches(epoch: 0, firstBatch: 0))
            seen.AddRange(feed.Images(count, rng).ToArray());
        Assert.That(seen.Order(), Is.EqualTo(values), "every value once an epoch");
    }

    private static RunConfiguration Configuration(int epochs) => ModelCatalogue.Defaults("vae")
        .With(("network", "mlp:32"), ("latents", 3), ("epochs", epochs), ("batch", 50), ("noise", "table"), ("learning_rate", 3e-3),
            ("noise_maximum_change", 0.02));

    /// <summary>Age decides income and plan; sport is a habit of its own.</summary>
    private static string Table(int rows)
    {
        var random = new Random(1);
        double Normal() => MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
        string file = Path.Combine(TestFiles.Folder("table"), "people.csv");
        File.WriteAllLines(file, Enumerable.Range(0, rows).Select(_ =>
        {
            double age = 20 + 60 * random.NextDouble();
            return string.Create(CultureInfo.InvariantCulture,
                $"{age:F2},{900 * age + 2000 * Normal():F1},{4 + 2 * Normal():F2},{Plans[Math.Clamp((int)(age / 27), 0, 2)]}");
        }).Prepend("age,income,sport,plan"));
        return file;
    }
}
