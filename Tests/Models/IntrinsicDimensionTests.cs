using NUnit.Framework;
using VaeFromScratch.Data.Synthetic;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Tests.Models;

/// <summary>(R1), paper 2, theorem 1: of more factors than the data have, a VAE uses as many as the data have.</summary>
public sealed class IntrinsicDimensionTests
{
    /// <param name="beta">The fewer the factors, the more each has to explain and the more it may cost.</param>
    [TestCase(2, 15)]
    [TestCase(5, 15)]
    [TestCase(10, 10)]
    public void A_vae_of_32_factors_uses_as_many_as_there_are(int dimension, double beta)
    {
        var data = new GaussianFactors(new() { Factors = dimension, Noise = PlantedNoise.Gaussian }).CreateSplits(train: 5000, test: 1000);
        var configuration = ModelCatalogue.Find("beta-vae").Defaults
            .With(("network", "mlp:64"), ("latents", 32), ("beta", beta), ("kl_warm_up_epochs", 0), ("noise", "fixed:0.005"),
            ("learning_rate", 3e-3), ("batch", 50), ("epochs", 20));
        using var compute = new Compute(new CpuBackend(threads: 2));
        using var training = new TrainingData(compute, data.Train, Binarise.None, configuration.Training.Seed);
        using var model = configuration.CreateModel(compute, new(28, 28, 1), training.Variance, data.Train.Count);
        using var trainer = new Trainer(model, training, configuration);
        while (!trainer.IsFinished)
            trainer.TrainEpoch();
        using var evaluator = new Evaluator(model, data.Test, configuration);
        var indicators = Indicators.Compute(compute.Backend, evaluator.Encode());
        Assert.Multiple(() =>
        {
            Assert.That(indicators.InfluentialFactors, Is.EqualTo(dimension));
            Assert.That(indicators.Ranked[dimension - 1].Information, Is.GreaterThan(1), "the least of those used");
            Assert.That(indicators.Ranked[dimension].Information, Is.LessThan(0.2), "the most of those left over");
        });
    }
}
