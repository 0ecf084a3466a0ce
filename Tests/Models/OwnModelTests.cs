using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>A model that is not ours, trained, resumed and measured like ours.</summary>
public sealed class OwnModelTests : OnCpu
{
    private sealed record DoubledSettings
    {
        [Setting("factor on the reconstruction", Above = 0, Most = 4)]
        public double Factor { get; init; } = 2;
    }

    private sealed class DoubledVae(VaeParts parts, DoubledSettings settings) : VaeModel(parts)
    {
        public override Objective Objective(Tensor x)
        {
            var sample = Encode(x).Sample(Rng);
            return settings.Factor * Reconstruction(x, Decode(sample.Z)) + Kl(sample);
        }
    }

    private static readonly ModelEntry Entry = ModelEntry.Of<DoubledSettings>("doubled-vae-of-the-tests", (parts, settings) =>
        new DoubledVae(parts, settings));

    [Test]
    public void A_model_of_ones_own_is_trained_resumed_and_measured()
    {
        var data = new DatasetSplits(Small.Halves(60), Small.Halves(20, split: "test"));
        var configuration = new RunConfiguration(Entry).With(("network", "mlp:16"), ("latents", 2), ("batch", 20), ("epochs", 4),
            ("factor", 3));
        string path = Path.Combine(TestFiles.Folder("own-model"), "run");
        float[] whole = Weights(configuration, data, path + "-whole", stopAfter: int.MaxValue),
            parts = Weights(configuration, data, path, stopAfter: 2);
        Assert.That(parts, Is.Not.EqualTo(whole), "it was stopped");
        Assert.That(Weights(configuration, data, path, stopAfter: int.MaxValue), Is.EqualTo(whole),
            "a resumed run is the uninterrupted one");
    }

    [Test]
    public void Its_name_can_be_added_once_and_its_runs_are_then_opened_by_it()
    {
        ModelCatalogue.Add(Entry);
        Assert.That(() => ModelCatalogue.Add(Entry), Throws.TypeOf<OptionException>().With.Message.Contains("exists already"));
        var configuration = ModelCatalogue.Defaults(Entry.Name).With(("factor", 3));
        Assert.That(RunConfiguration.FromJson(configuration.ToJson()), Is.EqualTo(configuration));
        Assert.That(() => configuration.With(("factor", 5)).Validate(),
            Throws.TypeOf<OptionException>().With.Message.EqualTo("--factor 5: expected a number above 0 and at most 4"));
    }

    /// <summary>The same images give the same figures, whether the run measures its test images or a program its own arrays.</summary>
    [Test]
    public void A_stored_run_is_measured_on_arrays_of_ones_own()
    {
        var data = new DatasetSplits(Small.Halves(60), Small.Halves(20, split: "test"));
        using var run = TrainingRun.Open(Compute, Small.Configuration("vae"), data, Path.Combine(TestFiles.Folder("own-arrays"), "run"));
        run.Train();
        var onTest = run.Evaluate();
        using var stored = StoredModel.Load(Compute, RunDirectory.Open(run.Directory.Path));
        EvaluationResult Measure(float[] pixels) => EvaluationResult.Compute(stored,
            ImageDataset.Of("mine", pixels, data.Test.Height, data.Test.Width, split: "mine"), run.Configuration);
        float[] pixels = data.Test.ToFloats(0, data.Test.Count);
        var same = Measure(pixels);
        Assert.That(same.Split, Is.EqualTo("mine"));
        // The noise is stored as log sigma, which is right to a float's last digits.
        Assert.That(same.Evlb, Is.EqualTo(onTest.Evlb).Within(1e-4).Percent);
        Assert.That(same.Indicators.Ranked.Select(f => (f.Factor, f.Information)),
            Is.EqualTo(onTest.Indicators.Ranked.Select(f => (f.Factor, f.Information))));
        Assert.That(Measure(new float[pixels.Length]).Evlb, Is.Not.EqualTo(onTest.Evlb).Within(1).Percent);
    }

    private float[] Weights(RunConfiguration configuration, DatasetSplits data, string path, int stopAfter)
    {
        var directory = RunDirectory.CreateOrReuse(path);
        using var held = directory.Lock();
        using var run = new TrainingRun(Compute, configuration, data, directory);
        if (directory.HasCheckpoint)
            run.Resume();
        int epochs = 0;
        if (run.Train(() => epochs >= stopAfter, _ => { }, (_, _) => epochs++))
            Assert.That(run.Evaluate().Indicators.Factors, Has.Count.EqualTo(2));
        return [.. run.Model.Parameters.SelectMany(p => p.Value.ToArray())];
    }
}
