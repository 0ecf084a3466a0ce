using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>How categories are drawn and trained: Gumbel-softmax, the adversary, motions, stages, and what is measured of them.</summary>
public sealed class CategoryTrainingTests : OnCpu
{
    private static readonly float[] Pi = [0.05f, 0.5f, 0.15f, 0.3f];

    [TestCase(0.5f, false)]
    [TestCase(2f, false)]
    [TestCase(0.5f, true)]
    public void The_largest_entry_of_a_gumbel_softmax_has_the_frequencies_of_pi(float temperature, bool straightThrough)
    {
        const int draws = 20_000;
        using var rng = new Rng(Compute, 11);
        using var tape = Compute.Tape(gradients: false);
        var logits = tape.Constant(new(4), Array.ConvertAll(Pi, p => MathF.Log(p) + 3)).RepeatRows(draws);
        int[] categories = VaeFromScratch.Estimators.ContingencyTable.MostProbable(
            logits.GumbelSoftmax(tape.Full(Shape.Scalar, temperature), rng, straightThrough).ToArray(), 4);
        double chiSquare = Pi.Select((p, k) => Math.Pow(categories.Count(c => c == k) - p * draws, 2) / (p * draws)).Sum();
        // The 99.9 % point of chi-square with 3 degrees of freedom.
        Assert.That(chiSquare, Is.LessThan(16.27));
    }

    [Test]
    public void A_gumbel_softmax_is_one_hot_in_the_cold_and_uniform_in_the_heat()
    {
        using var rng = new Rng(Compute, 12);
        using var tape = Compute.Tape(gradients: false);
        var logits = tape.Constant(new(50, 4), Values(200));
        float[] exact = Draw(r => logits.SampleOneHot(r)), cold = Draw(r => logits.GumbelSoftmax(tape.Full(Shape.Scalar, 1e-4f), r)),
            hot = Draw(r => logits.GumbelSoftmax(tape.Full(Shape.Scalar, 1e5f), r));
        Assert.That(exact, Has.All.Matches<float>(v => v is 0 or 1));
        Assert.That(cold, Is.EqualTo(exact).Within(1e-3));
        Assert.That(hot, Has.All.EqualTo(0.25f).Within(1e-3f));

        float[] Draw(Func<Rng, Tensor> f)
        {
            rng.BeginStep(4);
            return f(rng).ToArray();
        }
    }

    [Test]
    public void Straight_through_has_the_values_of_an_exact_sample_and_the_gradient_of_the_relaxed_one()
    {
        var (hard, ofHard) = Evaluate(straightThrough: true);
        var (soft, ofSoft) = Evaluate(straightThrough: false);
        Assert.That(hard, Has.All.Matches<float>(v => v is 0 or 1));
        Assert.That(soft, Has.None.Matches<float>(v => v is 0 or 1));
        Assert.That(ofHard, Is.EqualTo(ofSoft));

        (float[] Values, float[] Gradient) Evaluate(bool straightThrough)
        {
            using var rng = new Rng(Compute, 13);
            using var tape = Compute.Tape();
            var logits = tape.Constant(new(6, 5), Values(30), needsGradient: true);
            var y = logits.GumbelSoftmax(tape.Full(Shape.Scalar, 0.7f), rng, straightThrough);
            tape.Backward((y * tape.Constant(y.Shape, Values(30, seed: 5))).Sum());
            return (y.ToArray(), logits.GradientToArray());
        }
    }

    [Test]
    public void The_adversary_moves_along_the_direction_in_which_the_category_changes_fastest()
    {
        var data = Small.Halves(12);
        using var model = (JointModel)Small.Create(Compute, Small.Configuration("imae").With(("category_scale", 4)), data);
        using var outer = Compute.Tape(gradients: false, training: true);
        var x = outer.Constant(new(12, 8, 8, 1), data.ToFloats(0, 12));
        var held = model.Classify(x).Probabilities;
        var adversary = new VirtualAdversary(Radius: 0.1, Step: 0.1);
        model.Rng.BeginStep(2);
        var direction = adversary.Direction(x, held, model.Classify, model.Rng);
        Assert.That(direction.Square().SumPerRow().ToArray(), Has.All.EqualTo(1).Within(1e-4));
        double along = Divergence(direction);
        var random = Enumerable.Range(0, 30).Select(_ => Divergence(UnitNormal())).ToArray();
        Assert.That(along, Is.GreaterThan(2 * random.Max()));

        double Divergence(Tensor way) =>
            (model.Classify(x + 0.1f * way).CrossEntropy(held).Mean() - model.Classify(x).Entropy().Mean()).Item();

        Tensor UnitNormal()
        {
            var v = model.Rng.Normal(x.Shape);
            return v * v.Square().SumPerRow().Sqrt().Reciprocal().RepeatEach(64).Reshape(v.Shape.Sizes);
        }
    }

    [Test]
    public void The_adversary_teaches_the_moved_image_only_and_leaves_running_statistics_alone()
    {
        var data = Small.Halves(12);
        using var model = (JointModel)Small.Create(Compute, Small.Configuration("imae")
            .With(("batch_norm", "encoder"), ("category_scale", 4)), data);
        var statistics = model.Parameters.Where(p => p.Name.Contains("running")).ToArray();
        Assert.That(statistics, Is.Not.Empty);
        float[] before = [.. statistics.SelectMany(p => p.Value.ToArray())];
        using (var outer = Compute.Tape(gradients: false, training: true))
        {
            var x = outer.Constant(new(12, 8, 8, 1), data.ToFloats(0, 12));
            model.Rng.BeginStep(2);
            using var tape = Compute.Tape();
            var clean = tape.Variable(tape.Constant(new(12, 10), Values(120)));
            var held = new Categorical(clean).Probabilities.Detach();
            tape.Backward(new Objective([new(new VirtualAdversary(1, 0.1).Penalty(x, held, model.Classify, model.Rng), 1)]).Seeds());
            Assert.That(clean.GradientToArray(), Has.All.Zero, "the target carries no gradient");
            Assert.That(model.Parameters.Single(p => p.Name == "encoder.category.weight").Value.GradientToArray().Max(Math.Abs),
                Is.Positive);
            model.Arena.ClearGradients();
        }
        Assert.That(statistics.SelectMany(p => p.Value.ToArray()), Is.EqualTo(before));
    }

    [Test]
    public void Random_motions_stay_in_their_ranges_and_no_motion_changes_nothing()
    {
        using var rng = new Rng(Compute, 14);
        using var tape = Compute.Tape(gradients: false);
        var x = tape.Constant(new(40, 9, 9, 1), Values(40 * 81, low: 0));
        using (var still = new Augmentation(Compute, new(0, 0, 0, 0)))
            Assert.That(still.Apply(x, rng).ToArray(), Is.EqualTo(x.ToArray()).Within(1e-6));

        // A single bright pixel in the middle shows how far it was shifted.
        var dots = new float[400 * 81];
        for (int n = 0; n < 400; n++)
            dots[n * 81 + 40] = 1;
        using var shifts = new Augmentation(Compute, new(0, 0, 0, Shift: 2));
        float[] moved = shifts.Apply(tape.Constant(new(400, 9, 9, 1), dots), rng).ToArray();
        double[] columns = [.. Enumerable.Range(0, 400).Select(n => Enumerable.Range(0, 81).Sum(i => moved[n * 81 + i] * (i % 9 - 4.0)))];
        Assert.That(columns, Has.All.InRange(-2.0001, 2.0001));
        Assert.That(columns.Average(c => c * c), Is.EqualTo(4.0 / 3).Within(0.2), "uniform between -2 and 2");
    }

    [Test]
    public void While_the_category_trains_alone_the_decoder_stands_still()
    {
        var data = Small.Halves(60);
        var configuration = Small.Configuration("joint-vae").With(("category_epochs", 1), ("epochs", 2), ("noise", "fixed:0.1"));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        var (decoder, head) = (Weights("decoder."), Weights("encoder.category."));
        trainer.TrainEpoch();
        Assert.That(Weights("decoder."), Is.EqualTo(decoder));
        Assert.That(Weights("encoder.category."), Is.Not.EqualTo(head));
        trainer.TrainEpoch();
        Assert.That(Weights("decoder."), Is.Not.EqualTo(decoder));

        float[] Weights(string prefix) => [.. model.Parameters.Where(p => p.Name.StartsWith(prefix)).SelectMany(p => p.Value.ToArray())];
    }

    [TestCase(1, 1)]
    [TestCase(2, 2)]
    [TestCase(2, 5)]
    public void A_run_no_longer_than_the_categorys_stage_trains_its_decoder_all_the_same(int epochs, int stage)
    {
        var data = Small.Halves(60);
        var configuration = Small.Configuration("joint-vae").With(("category_epochs", stage), ("epochs", epochs), ("noise", "fixed:0.1"));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        float[] before = Decoder();
        while (!trainer.IsFinished)
            trainer.TrainEpoch();
        Assert.That(Decoder(), Is.Not.EqualTo(before));

        float[] Decoder() => [.. model.Parameters.Where(p => p.Name.StartsWith("decoder.")).SelectMany(p => p.Value.ToArray())];
    }

    [Test]
    public void The_category_finds_two_kinds_of_images_and_is_measured_against_their_labels()
    {
        var (train, test) = (Small.Halves(300), Small.Halves(200, split: "test", seed: 4));
        var configuration = Small.Configuration("imae").With(("categories", 2), ("epochs", 20), ("vat_radius", 0.5), ("vat_step", 0.5),
            ("noise", "fixed:0.05"));
        using var training = new TrainingData(Compute, train, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, train);
        using var trainer = new Trainer(model, training, configuration);
        while (!trainer.IsFinished)
            trainer.TrainEpoch();
        var result = EvaluationResult.Compute(model, test, configuration, train);
        var json = result.ToJson();
        Assert.That(json["cluster_accuracy"]!.GetValue<double>(), Is.EqualTo(1));
        Assert.That(json["accuracy"]!.GetValue<double>(), Is.EqualTo(1));
        Assert.That(json["mi_category_nats"]!.GetValue<double>(), Is.EqualTo(Math.Log(2)).Within(0.05));
        Assert.That(json["mi_label_nats"]!.GetValue<double>(), Is.EqualTo(Math.Log(2)).Within(0.02));
        double sum = result.Category!.Information.Information.Value + result.Mixture.Factors.Sum(f => f.Information.Value)
            - json["total_correlation_joint_nats"]!.GetValue<double>();
        Assert.That(sum, Is.EqualTo(json["mi_joint_nats"]!.GetValue<double>()).Within(0.1),
            "(X3): I(x; y) + sum I(x; z_h) - TC = I(x; y, z), up to the draw of y");
        // Labels that are one image's only tell nothing: the tables come from the training images.
        var permuted =
            EvaluationResult.Compute(model, test with { Labels = [.. test.Labels!.Select(l => (byte)(1 - l))] }, configuration, train);
        Assert.That(permuted.ToJson()["cluster_accuracy"]!.GetValue<double>(), Is.Zero);
    }

    [TestCase("joint-vae", null)]
    [TestCase("imae", null)]
    [TestCase("vmi-vae", null)]
    [TestCase("beta-vae", "joint")]
    [TestCase("info-vae", "joint")]
    public void Every_model_with_a_category_learns_one_batch_by_heart(string name, string? code)
    {
        var data = Small.Halves(20);
        var configuration = Small.Configuration(name, code ?? "").WithOwn(("epochs", 150), ("category_epochs", 0), ("noise", "fixed:0.01"),
            ("learning_rate", 5e-3), ("latents", 8), ("vat", 0), ("augment", 0));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        double first = Nll(), last = first;
        while (!trainer.IsFinished)
            last = Nll();
        // The mean image leaves a squared error of (160 / 255 / 2)^2 a pixel.
        double squaredError = (last - 32 * Math.Log(2 * Math.PI * 0.01)) * 2 * 0.01, ofMeanImage = 64 * Math.Pow(160.0 / 255 / 2, 2);
        Assert.That(last, Is.LessThan(first));
        Assert.That(squaredError, Is.LessThan(0.05 * ofMeanImage));

        double Nll() => trainer.TrainEpoch()!.Terms.Single(t => t.Name == "nll").Value;
    }
}
