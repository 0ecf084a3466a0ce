using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// Whole models: gradients through everything, phases that keep to their own parameters, weights that come back from a file.
/// </summary>
public sealed class WholeModelTests : OnCpu
{
    public static IEnumerable<string> Models =>
        ModelCatalogue.Names.Concat(["info-vae marginal", "info-vae joint", "beta-vae joint", "vmi-vae gaussian", "exon conv"]);

    public static IEnumerable<string> TwoPhaseModels => ["factor-vae", "wae-gan", "aae"];

    [TestCaseSource(nameof(Models))]
    public void Gradient_of_the_whole_model_equals_central_differences(string name)
    {
        const int images = 4;
        // At this seed no hidden unit changes sign within a step.
        const float step = 2e-3f;
        var data = Small.Halves(images, size: 2);
        using var model = Small.Create(Compute, Configuration(name), data);
        for (int phaseIndex = 0; phaseIndex < model.Phases.Count; phaseIndex++)
        {
            var phase = model.Phases[phaseIndex];
            var trainable = phase.Arena.Parameters.Where(p => p.Trainable).ToArray();
            var gradients = new Dictionary<Parameter, float[]>();
            Loss(gradients);
            foreach (var other in model.Phases)
                other.Arena.ClearGradients();
            double largest = gradients.Values.SelectMany(g => g).Max(Math.Abs);
            Assert.That(largest, Is.Positive);
            foreach (var parameter in trainable)
            {
                float[] values = parameter.ToDisk(), back = parameter.Layout.ToDisk(gradients[parameter]);
                for (int i = 0; i < values.Length; i++)
                {
                    float value = values[i];
                    double above = At(value + step), below = At(value - step), expected = (above - below) / (2 * step);
                    At(value);
                    Assert.That(back[i], Is.EqualTo(expected).Within(0.01 * Math.Abs(expected) + 0.004 * largest),
                        $"{phase.Name}: {parameter.Name}[{i}]");

                    double At(float v)
                    {
                        values[i] = v;
                        parameter.FromDisk(values);
                        return Loss(null);
                    }
                }
            }

            double Loss(Dictionary<Parameter, float[]>? into)
            {
                model.Rng.BeginStep(1);
                model.BeforeStep(1, images);
                using var outer = Compute.Tape(gradients: false, training: true);
                var x = outer.Constant(new(images, 2, 2, 1), data.ToFloats(0, images));
                using var tape = Compute.Tape(gradients: into is not null, training: true);
                // Later phases work on the codes of the first.
                var objective = model.Phases[0].Objective(Small.Batch(model, x, data));
                if (phaseIndex > 0)
                {
                    foreach (var other in model.Phases)
                        other.Arena.Frozen = other.Arena != phase.Arena;
                    objective = phase.Objective(Small.Batch(model, x, data));
                }
                if (into is not null)
                {
                    tape.Backward(objective.Seeds());
                    foreach (var parameter in trainable)
                        into[parameter] = parameter.Value.GradientToArray();
                }
                foreach (var other in model.Phases)
                    other.Arena.Frozen = false;
                return objective.Terms.Where(t => t.Weight != 0)
                    .Sum(t => t.Weight * (t.Factor?.Item() ?? 1) * t.Term.Value.ToArray().Average(v => (double)v));
            }
        }
    }

    [TestCaseSource(nameof(TwoPhaseModels))]
    public void Each_optimiser_steps_its_own_parameters_only(string name)
    {
        var configuration = Small.Configuration(name).WithOwn(("epochs", 1));
        const double still = 1e-30;
        var (model, discriminator) = Moved(configuration.With(("discriminator_learning_rate", still)));
        Assert.That(model, Is.True);
        Assert.That(discriminator, Is.False);
        (model, discriminator) = Moved(configuration.With(("learning_rate", still)));
        Assert.That(model, Is.False);
        Assert.That(discriminator, Is.True);

        (bool Model, bool Discriminator) Moved(RunConfiguration configuration)
        {
            var data = Small.Halves(45);
            using var training = new TrainingData(Compute, data, Binarise.None, 1);
            using var model = Small.Create(Compute, configuration.With(("noise", "fixed:0.1")), data);
            using var trainer = new Trainer(model, training, configuration);
            var before = Weights();
            trainer.TrainEpoch();
            var after = Weights();
            return (!after.Model.SequenceEqual(before.Model), !after.Discriminator.SequenceEqual(before.Discriminator));

            (float[] Model, float[] Discriminator) Weights() =>
                ([.. model.Arena.Parameters.SelectMany(p => p.Value.ToArray())],
                    [.. model.Phases[1].Arena.Parameters.SelectMany(p => p.Value.ToArray())]);
        }
    }

    [TestCaseSource(nameof(TwoPhaseModels))]
    public void No_phase_leaves_a_gradient_in_the_network_of_another(string name)
    {
        var data = Small.Halves(6);
        using var model = Small.Create(Compute, Small.Configuration(name), data);
        var phases = model.Phases;
        using var outer = Compute.Tape(gradients: false, training: true);
        var x = outer.Constant(new(6, 8, 8, 1), data.ToFloats(0, 6));
        model.BeforeStep(1, 6);
        using var first = Compute.Tape();
        Run(first, phases[0]);
        Assert.That(Largest(phases[0]), Is.Positive);
        Assert.That(Largest(phases[1]), Is.Zero);
        phases[0].Arena.ClearGradients();
        using var second = Compute.Tape();
        Run(second, phases[1]);
        Assert.That(Largest(phases[0]), Is.Zero);
        Assert.That(Largest(phases[1]), Is.Positive);
        phases[1].Arena.ClearGradients();
        foreach (var phase in phases)
            phase.Arena.Frozen = false;

        void Run(Tape tape, TrainingPhase phase)
        {
            foreach (var other in phases)
                other.Arena.Frozen = other.Arena != phase.Arena;
            tape.Backward(phase.Objective(Small.Batch(model, x, data)).Seeds());
        }

        float Largest(TrainingPhase phase) =>
            phase.Arena.Parameters.Where(p => p.Trainable).SelectMany(p => p.Value.GradientToArray()).Max(Math.Abs);
    }

    [TestCaseSource(nameof(TwoPhaseModels))]
    public void A_discriminator_is_saved_with_its_model_and_training_continues_bit_for_bit(string name)
    {
        var configuration = Small.Configuration(name).WithOwn(("epochs", 2));
        var data = Small.Halves(45);
        var run = RunDirectory.CreateOrReuse(TestFiles.Folder("discriminator"));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        trainer.TrainEpoch();
        var state = trainer.Save();
        trainer.TrainEpoch();
        run.SaveModel(model);

        using var loaded = Small.Create(Compute, configuration.With(("seed", 99)), data);
        run.LoadModel(loaded);
        Assert.That(Weights(loaded), Is.EqualTo(Weights(model)).Within(1e-6));

        using var continued = Small.Create(Compute, configuration, data);
        using var rest = new Trainer(continued, training, configuration);
        rest.Restore(state);
        rest.TrainEpoch();
        Assert.That(Weights(continued), Is.EqualTo(Weights(model)));

        static float[] Weights(VaeModel model) => [.. model.Parameters.SelectMany(p => p.Value.ToArray())];
    }

    [TestCaseSource(nameof(Models))]
    public void Every_model_trains_two_epochs_on_digits_and_is_measured(string name)
    {
        var (train, test) = DatasetCatalogue.Load("mnist", TestFiles.Datasets);
        var configuration = Configuration(name).WithOwn(("network", "conv"), ("leaky_slope", 0), ("latents", 6), ("noise", "learned"),
            ("batch", 64), ("epochs", 2), ("discriminator", "32,32"), ("design", "circle:10"), ("segments", 10));
        var digits = train.Take(160);
        int[] classes = Array.ConvertAll(digits.Labels!, l => (int)l);
        digits = digits with { Factors = new(["digit"], [10], classes, Array.ConvertAll(classes, c => (float)c)) };
        using var training = new TrainingData(Compute, digits, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, digits);
        using var trainer = new Trainer(model, training, configuration);
        double first = Nll(trainer.TrainEpoch()!), second = Nll(trainer.TrainEpoch()!);
        Assert.That(second, Is.LessThan(first));
        var result = EvaluationResult.Compute(model, test.Take(40), configuration);
        Assert.That(result.ToJson()["evlb_nats"]!.GetValue<double>(), Is.EqualTo(-(result.Likelihoods.Nll + result.Likelihoods.Kl)));
        Assert.That(result.Likelihoods.Terms.Select(t => t.Value), Has.All.Matches<double>(double.IsFinite));

        static double Nll(EpochSummary epoch) => epoch.Terms.Single(t => t.Name == "nll").Value;
    }

    [Test]
    public void Networks_take_batch_normalisation_and_a_leaky_activation([Values("mlp:24,16", "conv")] string network,
        [Values("encoder", "all")] string batchNorm)
    {
        var configuration = Small.Configuration().With(("network", network), ("batch_norm", batchNorm), ("leaky_slope", 0.1),
            ("epochs", 6));
        var data = Small.Halves(60);
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        Assert.That(model.Parameters.Any(p => p.Name.StartsWith("encoder.bn")), Is.True);
        Assert.That(model.Parameters.Any(p => p.Name.StartsWith("decoder.bn")), Is.EqualTo(batchNorm == "all"));
        using var trainer = new Trainer(model, training, configuration);
        double first = trainer.TrainEpoch()!.Terms[0].Value, last = first;
        while (!trainer.IsFinished)
            last = trainer.TrainEpoch()!.Terms[0].Value;
        Assert.That(last, Is.LessThan(first));
    }

    private static RunConfiguration Configuration(string name) =>
        Small.Configuration(name.Split(' ')[0], name.EndsWith("joint") ? "joint" : name.EndsWith("gaussian") ? "gaussian" : "")
        .With(("seed", 3), ("leaky_slope", 0.5), ("network", "mlp:5"), ("latents", 2), ("noise", "fixed:0.5"))
        .WithOwn(("reading", name.EndsWith("marginal") ? "marginal" : "mmd"), ("classifier", name.EndsWith("conv") ? "conv:4" : "shared"),
            // What these hold constant moves with the parameters in a difference; CategoryTrainingTests has them alone.
            ("vat", 0), ("augment", 0), ("category_epochs", 0), ("category_scale", 1),
            ("mi_factors", "1"), ("q_network", "2"), ("lambda", 5), ("gamma", 2), ("lambda_diagonal", 2), ("lambda_off_diagonal", 3),
                ("discriminator", "4"), ("samples", 3),
            ("capacity", 3));
}
