using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

public sealed class TrainerTests : OnCpu
{
    public static IEnumerable<string> Models => ModelCatalogue.Names;

    [TestCaseSource(nameof(Models))]
    public void Every_model_overfits_one_batch(string name)
    {
        var data = Small.Halves(20);
        var configuration = Small.Configuration(name).WithOwn(("epochs", 400), ("noise", "fixed:0.01"), ("learning_rate", 3e-3),
            ("augment", 0));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        double first = trainer.TrainEpoch()!.Terms.First(t => t.Name == "nll").Value, last = first;
        while (!trainer.IsFinished)
            last = trainer.TrainEpoch()!.Terms.First(t => t.Name == "nll").Value;
        // What is left is the pixels' own noise: uniform over 20 levels, variance 33 / 255^2 = 0.0005 per pixel.
        double noiseOnly = 64 * 0.5 * (0.0005 / 0.01 + Math.Log(2 * Math.PI * 0.01));
        Assert.That(first, Is.GreaterThan(noiseOnly + 50));
        // The importance-weighted bound asks for one good code of several, so that single ones may be worse.
        Assert.That(last, Is.LessThan(noiseOnly + (name == "iwae" ? 12 : 6)));
    }

    [Test]
    public void A_run_continued_from_saved_state_equals_an_uninterrupted_one_bit_for_bit([Values("learned", "fixed:0.02")] string noise)
    {
        var configuration = Small.Configuration().With(("epochs", 3), ("noise", noise), ("kl_warm_up_epochs", 1), ("binarise", "dynamic"));
        Assert.That(Run(interruptAfter: 8), Is.EqualTo(Run(interruptAfter: null)));

        float[] Run(int? interruptAfter)
        {
            var data = Small.Halves(105);
            using var training = new TrainingData(Compute, data, configuration.Data.Binarise, 1);
            TrainingState? state = null;
            if (interruptAfter is { } steps)
            {
                using var model = Small.Create(Compute, configuration, data);
                using var trainer = new Trainer(model, training, configuration);
                while (trainer.Step < steps)
                    trainer.TrainEpoch(() => trainer.Step >= steps);
                Assert.That(trainer.StepInEpoch, Is.Not.Zero, "the test should interrupt inside an epoch");
                state = trainer.Save();
            }
            using var continued = Small.Create(Compute, configuration, data);
            using var rest = new Trainer(continued, training, configuration);
            if (state is not null)
                rest.Restore(state);
            EpochSummary? summary = null;
            while (!rest.IsFinished)
                summary = rest.TrainEpoch();
            return [.. continued.Arena.Parameters.SelectMany(p => p.Value.ToArray()), .. summary!.Terms.Select(t => (float)t.Value)];
        }
    }

    [TestCase("beta-vae", 0.0)]
    [TestCase("beta-vae", 2.0)]
    [TestCase("beta-tcvae", 0.0)]
    public void The_loss_is_the_sum_of_the_terms_by_their_weights(string model, double warmUp)
    {
        var data = Small.Halves(100);
        var configuration = Small.Configuration(model).WithOwn(("beta", 4), ("kl_warm_up_epochs", warmUp));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var vae = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(vae, training, configuration);
        while (!trainer.IsFinished)
        {
            var summary = trainer.TrainEpoch()!;
            double sum = summary.Terms.Skip(1).Sum(t => summary.Weights[t.Name] * t.Value);
            Assert.That(sum, Is.EqualTo(summary.Terms[0].Value).Within(1e-6 * Math.Abs(summary.Terms[0].Value)));
            if (warmUp > 0)
                Assert.That(summary.Weights["kl"], Is.GreaterThan(0).And.LessThan(4));
        }
    }

    [Test]
    public void The_number_of_threads_does_not_change_a_bit()
    {
        var weights = new List<float[]>();
        foreach (int threads in new[] { 1, 2, 3 })
        {
            using var compute = new Compute(new CpuBackend(threads));
            var data = Small.Halves(90, size: 28);
            var configuration = Small.Configuration().With(("network", "conv"), ("epochs", 1), ("batch", 32));
            using var training = new TrainingData(compute, data, Binarise.None, 1);
            using var model = Small.Create(compute, configuration, data);
            using var trainer = new Trainer(model, training, configuration);
            trainer.TrainEpoch();
            weights.Add([.. model.Arena.Parameters.SelectMany(p => p.Value.ToArray())]);
        }
        Assert.That(weights[1], Is.EqualTo(weights[0]));
        Assert.That(weights[2], Is.EqualTo(weights[0]));
    }

    [Test]
    public void The_reported_loss_is_the_weighted_sum_of_the_terms()
    {
        var data = Small.Halves(45);
        var configuration = Small.Configuration().With(("beta", 3), ("epochs", 1));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        var terms = trainer.TrainEpoch()!.Terms.ToDictionary(t => t.Name, t => t.Value);
        Assert.That(terms["loss"], Is.EqualTo(terms["nll"] + 3 * terms["kl"]).Within(1e-6 * Math.Abs(terms["loss"])));
    }

    [Test]
    public void A_larger_batch_than_the_data_is_one_batch()
    {
        var data = Small.Halves(7);
        var configuration = Small.Configuration().With(("batch", 100), ("epochs", 1));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        Assert.That(trainer.StepsPerEpoch, Is.EqualTo(1));
        Assert.That(trainer.TrainEpoch()!.Step, Is.EqualTo(1));
    }

    [Test]
    public void Evaluation_repeats_itself_and_does_not_disturb_training()
    {
        Assert.That(Run(evaluate: true), Is.EqualTo(Run(evaluate: false)));

        float[] Run(bool evaluate)
        {
            var data = Small.Halves(60);
            var configuration = Small.Configuration();
            using var training = new TrainingData(Compute, data, Binarise.None, 1);
            using var model = Small.Create(Compute, configuration, data);
            using var trainer = new Trainer(model, training, configuration);
            trainer.TrainEpoch();
            if (evaluate)
            {
                using var evaluator = new Evaluator(model, data, configuration);
                var first = evaluator.Likelihoods();
                Assert.That(evaluator.Likelihoods().Nll, Is.EqualTo(first.Nll));
                Assert.That(first.Evlb, Is.EqualTo(-(first.Nll + first.Kl)));
            }
            trainer.TrainEpoch();
            return [.. model.Arena.Parameters.SelectMany(p => p.Value.ToArray())];
        }
    }
}
