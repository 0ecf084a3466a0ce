using NUnit.Framework;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Noise models beyond a single Gaussian: values by hand, EM, planted noise.</summary>
public sealed class NoiseModelTests : OnCpu
{
    private static readonly float[] X = [0, 0.25f, 0.5f, 0.75f, 1, 0.1f, 0.9f, 0.3f, 0.6f, 0.2f, 0.8f, 0.4f];

    [Test]
    public void Network_noise_has_a_variance_for_each_pixel_above_its_floor()
    {
        // Two channels for each pixel: the mean, then log sigma^2; the last pixel of each image is below the floor of e^-3.
        float[] decoded = [.. Enumerable.Range(0, 12).SelectMany(i => new[] { 0.4f, i % 4 == 3 ? -9f : 0.3f * (i % 3) - 0.5f })];
        var expected = PerImage(i =>
        {
            double logVar = Math.Max(i % 4 == 3 ? -9 : 0.3 * (i % 3) - 0.5, -3), e = X[i] - 0.4f;
            return 0.5 * (e * e / Math.Exp(logVar) + logVar + Math.Log(2 * Math.PI));
        });
        Assert.That(Nll(new NetworkNoise(Math.Exp(-3)), decoded, outputChannels: 2), Is.EqualTo(expected).Within(1e-5));
    }

    [Test]
    public void Bernoulli_noise_takes_the_decoder_for_logits()
    {
        float[] logits = Values(12, 5, -3, 3);
        var noise = new BernoulliNoise();
        Assert.That(Nll(noise, logits), Is.EqualTo(PerImage(i => Math.Log(1 + Math.Exp(logits[i])) - X[i] * logits[i])).Within(1e-5));
        using var tape = Compute.Tape(gradients: false);
        Assert.That(noise.Mean(tape.Constant(new(1), [0f])).Item(), Is.EqualTo(0.5f).Within(1e-6));
    }

    [Test]
    public void Weighted_noise_is_no_likelihood_and_has_no_evlb()
    {
        float[] mean = Values(12, 6, 0, 1);
        Assert.That(Nll(new WeightedNoise(), mean),
            Is.EqualTo(PerImage(i => 0.5 * (X[i] - mean[i]) * (X[i] - mean[i]) / (X[i] * (1.0 - X[i]) + 0.02))).Within(1e-4));
        Assert.That(Nll(new WeightedNoise(0.5), mean),
            Is.EqualTo(PerImage(i => 0.5 * (X[i] - mean[i]) * (X[i] - mean[i]) / (X[i] * (1.0 - X[i]) + 0.5))).Within(1e-4));
        var data = Small.Halves(30);
        var configuration = Small.Configuration().With(("noise", "weighted"));
        using var model = Small.Create(Compute, configuration, data);
        Assert.That(EvaluationResult.Compute(model, data, configuration).ToJson()["evlb_nats"], Is.Null);
        using var evaluator = new Evaluator(model, data, configuration);
        Assert.That(() => evaluator.ImportanceNll(5), Throws.TypeOf<OptionException>());
    }

    [Test]
    public void Mixture_noise_sums_its_components_and_its_memberships_sum_to_one()
    {
        var noise = new MixtureNoise(new(Components: 3, Start: 0.2));
        using var arena = new ParameterArena(Compute, noise.Parameters);
        float[] mean = Values(12, 7, 0, 1);
        double[] s2 = [0.2, 0.02, 0.002];
        double Density(int i, int k) => Math.Exp(-0.5 * (X[i] - mean[i]) * (X[i] - mean[i]) / s2[k]) / Math.Sqrt(2 * Math.PI * s2[k]) / 3;
        Assert.That(Nll(noise, mean), Is.EqualTo(PerImage(i => -Math.Log(Enumerable.Range(0, 3).Sum(k => Density(i, k))))).Within(1e-4));
        using var tape = Compute.Tape(gradients: false);
        var gamma = noise.Memberships(tape.Constant(new(3, 2, 2, 1), X), tape.Constant(new(3, 2, 2, 1), mean));
        Assert.That(gamma.Shape, Is.EqualTo(new Shape(3, 3, 2, 2, 1)));
        var values = gamma.ToArray();
        for (int i = 0; i < 12; i++)
        {
            double all = Enumerable.Range(0, 3).Sum(k => Density(i, k));
            for (int k = 0; k < 3; k++)
                Assert.That(values[k * 12 + i], Is.EqualTo(Density(i, k) / all).Within(1e-5));
        }
    }

    [Test]
    public void A_mixture_of_one_component_is_the_learned_variance()
    {
        var mixture = new MixtureNoise(new(Components: 1, Start: 0.5, Decay: 0.9, MaximumChange: 0.03));
        var learned = new ClosedFormNoise(new(Start: 0.5, Decay: 0.9, MaximumChange: 0.03));
        using var first = new ParameterArena(Compute, mixture.Parameters);
        using var second = new ParameterArena(Compute, learned.Parameters);
        for (int step = 0; step < 60; step++)
        {
            float[] x = Values(400, step, -0.5, 0.5);
            Assert.That(Step(mixture, x), Is.EqualTo(Step(learned, x)).Within(1e-4).Percent);
            Assert.That(mixture.Variance, Is.EqualTo(learned.Variance!.Value).Within(1e-3).Percent);
        }
        Assert.That(learned.Variance, Is.LessThan(0.3), "the variance should have moved");
    }

    [Test]
    public void Full_batch_expectation_maximisation_never_raises_the_nll([Values(2, 3)] int components)
    {
        var noise = new MixtureNoise(new(components, Start: 1, Decay: 0, MaximumChange: 1));
        using var arena = new ParameterArena(Compute, noise.Parameters);
        float[] x = Planted(4000, 0.7, 0.01, 0.25);
        double first = Step(noise, x), last = first;
        for (int step = 0; step < 50; step++)
        {
            double next = Step(noise, x);
            Assert.That(next, Is.LessThanOrEqualTo(last + 1e-5 * Math.Abs(last)));
            last = next;
        }
        Assert.That(last, Is.LessThan(first - 100));
        Assert.That(noise.Components.Sum(c => c.Weight), Is.EqualTo(1).Within(1e-5));
    }

    [Test]
    public void Planted_noise_of_two_components_is_recovered_from_minibatches()
    {
        var noise = new MixtureNoise(new(Components: 2, Start: 0.1, Decay: 0.98, MaximumChange: 0.05));
        using var arena = new ParameterArena(Compute, noise.Parameters);
        for (int step = 0; step < 600; step++)
            Step(noise, Planted(2000, 0.7, 0.01, 0.25, seed: step));
        var byVariance = noise.Components.OrderBy(c => c.Variance).ToArray();
        Assert.That(byVariance[0].Weight, Is.EqualTo(0.7).Within(5).Percent);
        Assert.That(byVariance[0].Variance, Is.EqualTo(0.01).Within(5).Percent);
        Assert.That(byVariance[1].Variance, Is.EqualTo(0.25).Within(5).Percent);
    }

    [Test]
    public void Planted_noise_of_each_pixel_is_recovered_by_a_network_variance()
    {
        const int images = 200, pixels = 8;
        double[] planted = [.. Enumerable.Range(0, pixels).Select(d => 0.01 * (d + 1))];
        var noise = new NetworkNoise(1e-5);
        var output = new Parameter("output", new(1, 1, pixels, 2), new float[2 * pixels]);
        using var arena = new ParameterArena(Compute, [output]);
        using var optimiser = new Adam(Compute, arena);
        for (int step = 1; step <= 600; step++)
        {
            var random = new Random(step);
            float[] x = [.. Enumerable.Range(0, images * pixels)
                .Select(i => (float)(0.5 + Math.Sqrt(planted[i % pixels]) * Normal(random)))];
            using var tape = Compute.Tape();
            tape.Backward(noise.NegativeLogLikelihood(tape.Constant(new(images, 1, pixels, 1), x),
                output.Value.RepeatRows(images).Reshape(images, 1, pixels, 2)).Value.Mean());
            optimiser.BeginStep(step, step < 300 ? 0.05 : 0.005);
            optimiser.Update();
        }
        var map = Array.ConvertAll(output.Value.ToArray(), v => (double)v).Where((_, i) => i % 2 == 1).Select(Math.Exp).ToArray();
        for (int d = 0; d < pixels; d++)
            Assert.That(map[d], Is.EqualTo(planted[d]).Within(5).Percent);
    }

    /// <summary>
    /// (N1): the fixed variance s2 with weight 1 and the variance 1 with weight s2 have the same gradients but for the factor s2.
    /// </summary>
    [Test]
    public void A_fixed_variance_is_a_beta()
    {
        const double s2 = 0.04;
        var specified = Gradients(Small.Configuration().With(("noise", FormattableString.Invariant($"fixed:{s2}")), ("beta", 1)));
        var weighted = Gradients(Small.Configuration().With(("noise", "fixed:1"), ("beta", s2)));
        double largest = weighted.Max(Math.Abs);
        Assert.That(largest, Is.Positive);
        for (int i = 0; i < weighted.Length; i++)
            Assert.That(s2 * specified[i], Is.EqualTo(weighted[i]).Within(1e-5 * largest));
    }

    [TestCase("learned")]
    [TestCase("fixed:0.02")]
    [TestCase("network")]
    [TestCase("mog:2")]
    [TestCase("bernoulli")]
    [TestCase("weighted")]
    [TestCase("weighted:0.1")]
    public void Every_noise_model_trains_and_is_reported(string noise)
    {
        var data = Small.Halves(60);
        var configuration = Small.Configuration().With(("noise", noise), ("epochs", 12), ("learning_rate", 3e-3));
        using var training = new VaeFromScratch.Models.Training.TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new VaeFromScratch.Models.Training.Trainer(model, training, configuration);
        double first = trainer.TrainEpoch()!.Terms[0].Value, last = first;
        while (!trainer.IsFinished)
            last = trainer.TrainEpoch()!.Terms[0].Value;
        Assert.That(last, Is.LessThan(first));
        var json = EvaluationResult.Compute(model, data, configuration).ToJson();
        Assert.That(json["sigma2"] is not null,
            Is.EqualTo(noise != "bernoulli" && !noise.StartsWith("weighted", StringComparison.Ordinal)));
        Assert.That(json["noise_components"]?.AsArray().Count ?? 0, Is.EqualTo(noise == "mog:2" ? 2 : 0));
        Assert.That(json["bce_nats"] is not null, Is.EqualTo(noise == "bernoulli"));
        Assert.That(MembershipMaps.Draw(model, data) is not null, Is.EqualTo(noise == "mog:2"));
    }

    private double[] Gradients(RunConfiguration configuration)
    {
        var data = Small.Halves(5);
        using var model = Small.Create(Compute, configuration, data);
        using var tape = Compute.Tape();
        model.Rng.BeginStep(1);
        tape.Backward(model.Objective(tape.Constant(new(5, 8, 8, 1), data.ToFloats(0, 5))).Seeds());
        return [.. model.Arena.Parameters.Where(p => p.Trainable).SelectMany(p => p.Value.GradientToArray()).Select(g => (double)g)];
    }

    private double[] Nll(NoiseModel noise, float[] decoded, int outputChannels = 1)
    {
        using var tape = Compute.Tape(gradients: false);
        return Array.ConvertAll(noise.NegativeLogLikelihood(tape.Constant(new(3, 2, 2, 1), X),
            tape.Constant(new(3, 2, 2, outputChannels), decoded)).Value.ToArray(), v => (double)v);
    }

    private static double[] PerImage(Func<int, double> pixel) =>
        [.. Enumerable.Range(0, 3).Select(m => Enumerable.Range(4 * m, 4).Sum(pixel))];

    /// <summary>The NLL of residuals around 0, then the update.</summary>
    private double Step(NoiseModel noise, float[] residuals)
    {
        using var tape = Compute.Tape();
        var shape = new Shape(1, 1, residuals.Length, 1);
        double nll = noise.NegativeLogLikelihood(tape.Constant(shape, residuals), tape.Full(shape, 0)).Value.Item();
        noise.AfterStep();
        return nll;
    }

    private static float[] Planted(int n, double pi, double s1, double s2, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, n).Select(_ => (float)(Math.Sqrt(random.NextDouble() < pi ? s1 : s2) * Normal(random)))];
    }

    private static double Normal(Random random) => MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
}
