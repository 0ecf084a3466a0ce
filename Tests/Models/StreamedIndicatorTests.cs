using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Maths;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Tests.Models;

/// <summary>The indicators summed on the device as images are encoded are those of stored encodings.</summary>
public sealed class StreamedIndicatorTests
{
    public static IEnumerable<string> Models => ModelCatalogue.Names;

    [TestCaseSource(nameof(Models))]
    public void Indicators_without_stored_encodings_are_those_with(string model)
    {
        var configuration = Small.Configuration(model);
        using var compute = new Compute(new CpuBackend(2));
        var data = Small.Halves(620);
        using var training = new TrainingData(compute, data, Binarise.None, 1);
        using var vae = Small.Create(compute, configuration, data);
        using var trainer = new Trainer(vae, training, configuration);
        trainer.TrainEpoch();
        using var evaluator = new Evaluator(vae, data, configuration);
        Indicators streamed = evaluator.Indicators(), stored = Indicators.Compute(compute.Backend, evaluator.Encode());
        Assert.That(streamed.Points, Is.EqualTo(stored.Points));
        foreach (var (a, b) in streamed.Factors.Zip(stored.Factors))
            Assert.Multiple(() =>
            {
                Assert.That(a.Information, Is.EqualTo(b.Information).Within(2e-6));
                Assert.That(a.CentredInformation, Is.EqualTo(b.CentredInformation).Within(2e-6));
                Assert.That(a.AggregateVariance, Is.EqualTo(b.AggregateVariance).Within(2e-6 * b.AggregateVariance));
                Assert.That(a.Kl, Is.EqualTo(b.Kl).Within(2e-6));
            });
    }
}
