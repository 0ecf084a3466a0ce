using NUnit.Framework;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>(G1), (G2), (G4), (G5): mixtures of Gaussians as prior and posterior, and the penalised variance.</summary>
public sealed class MixtureLatentTests : OnCpu
{
    private const string TwoCentres = "{\"centres\": [[-2, 0.5], [3, 1]], \"variances\": [[0.5, 2], [1, 0.3]], \"weights\": [0.3, 0.7]}";

    [Test]
    public void The_circle_of_ten_has_neighbours_four_standard_deviations_apart()
    {
        var design = LatentDesign.Parse("circle", 2);
        Assert.That(design.Components, Is.EqualTo(10));
        for (int k = 0; k < 10; k++)
        {
            double[] a = design.Centres[k], b = design.Centres[(k + 1) % 10];
            Assert.That(Math.Sqrt(a[0] * a[0] + a[1] * a[1]), Is.EqualTo(12.94).Within(0.01));
            Assert.That(Math.Sqrt(Math.Pow(a[0] - b[0], 2) + Math.Pow(a[1] - b[1], 2)), Is.EqualTo(8).Within(1e-9));
        }
        Assert.That(design.Centres[0][1], Is.EqualTo(4).Within(1e-9),
            "the first centre stands at pi / 10, counter-clockwise from three o'clock");
        Assert.That(design.Variances.SelectMany(v => v), Has.All.EqualTo(4));
    }

    [Test]
    public void The_line_of_CIFAR_runs_from_six_to_minus_six_in_the_first_third()
    {
        var design = LatentDesign.Parse("line", 300);
        Assert.That(design.Centres[0][99], Is.EqualTo(6));
        Assert.That(design.Centres[9][0], Is.EqualTo(-6).Within(1e-12));
        Assert.That(design.Centres[4][100], Is.Zero);
        Assert.That((design.Variances[3][99], design.Variances[3][100]), Is.EqualTo((0.1, 1.0)));
    }

    [TestCase("ring", "expected circle")]
    [TestCase("circle:1", "expected circle")]
    [TestCase("{\"centres\": [[1, 2], [3]], \"variances\": 4}", "class 1 has 1 coordinates")]
    [TestCase("{\"centres\": [[1, 2], [3, 4]]}", "no variances")]
    [TestCase("{\"centres\": [[1, 2], [3, 4]], \"variances\": -1}", "variances positive")]
    [TestCase("{\"centres\": [[1, 2], [3, 4]], \"variances\": 1, \"weights\": [0.5, 0.6]}", "add up to 1")]
    [TestCase("{\"centres\": [[1, 2], [3, 4]], \"variance\": 1}", "no key 'variance'")]
    [TestCase("{\"centres\": [[1, \"a\"], [3, 4]], \"variances\": 1}", "design: ")]
    [TestCase("{\"centres\": ", "design: ")]
    public void A_design_that_cannot_be_used_is_an_error_that_says_why(string design, string message) =>
        Assert.That(() => LatentDesign.Parse(design, 2), Throws.TypeOf<OptionException>().With.Message.Contains(message));

    [Test]
    public void The_upper_bound_is_the_KL_when_one_component_has_all_weight()
    {
        using var prior = new MixturePrior(Compute, LatentDesign.Parse("{\"centres\": [[-2, 0.5], [300, 1]], \"variances\": 2}", 2));
        using var tape = Compute.Tape(gradients: false);
        double[] mu = [-1.2, 0.1], v = [0.4, 1.7];
        // The other component of the prior is so far away that p(z) is 1/2 of the first one wherever q has mass.
        var q = new GaussianMixture(tape.Constant(new(1, 2), [60, 0]), tape.Constant(new(1, 4), [-1.2f, 0.1f, 5, 5]),
            tape.Constant(new(1, 4), [MathF.Log(0.4f), MathF.Log(1.7f), 0, 0]));
        double kl = Math.Log(2);
        for (int h = 0; h < 2; h++)
            kl += 0.5 * (v[h] / 2 + Math.Pow(mu[h] - (h == 0 ? -2 : 0.5), 2) / 2 - 1 - Math.Log(v[h] / 2));
        Assert.That(q.KlUpperBound(prior).Item(), Is.EqualTo(kl).Within(1e-5));
    }

    [Test]
    public void The_upper_bound_is_above_the_mixtures_KL()
    {
        const int draws = 20_000;
        using var prior = new MixturePrior(Compute, LatentDesign.Parse(TwoCentres, 2));
        using var rng = new Rng(Compute, 5);
        var random = new Random(4);
        for (int repeat = 0; repeat < 5; repeat++)
        {
            rng.BeginStep((uint)repeat);
            using var tape = Compute.Tape(gradients: false);
            float[] logits = Uniform(2), mu = Uniform(4), logVar = Uniform(4);
            var one = new GaussianMixture(tape.Constant(new(1, 2), logits), tape.Constant(new(1, 4), mu), tape.Constant(new(1, 4), logVar));
            var many = new GaussianMixture(tape.Constant(new(draws, 2), Repeat(logits)), tape.Constant(new(draws, 4), Repeat(mu)),
                tape.Constant(new(draws, 4), Repeat(logVar)));
            var z = many.Sample(rng);
            float[] codes = z.ToArray(), ofPrior = prior.LogDensity(z).ToArray();
            double[] w = Softmax(logits);
            double[] ratios = [.. Enumerable.Range(0, draws).Select(i =>
                Math.Log(w[0] * Density(codes, i, mu, logVar, 0) + w[1] * Density(codes, i, mu, logVar, 1)) - ofPrior[i])];
            double monteCarlo = ratios.Average(), error = Math.Sqrt(ratios.Average(r => (r - monteCarlo) * (r - monteCarlo)) / draws);
            Assert.That(one.KlUpperBound(prior).Item(), Is.GreaterThan(monteCarlo - 3 * error));
            Assert.That(monteCarlo, Is.Positive);
        }

        float[] Uniform(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)(3 * random.NextDouble() - 1.5))];
        float[] Repeat(float[] row) => [.. Enumerable.Repeat(row, draws).SelectMany(r => r)];
    }

    [Test]
    public void The_priors_density_is_the_mixtures_and_its_draws_have_its_moments()
    {
        const int draws = 40_000;
        using var prior = new MixturePrior(Compute, LatentDesign.Parse(TwoCentres, 2));
        using var rng = new Rng(Compute, 2);
        using var tape = Compute.Tape(gradients: false);
        float[] point = [0.3f, 0.8f];
        double expected = 0.3 * Normal(0.3, -2, 0.5) * Normal(0.8, 0.5, 2) + 0.7 * Normal(0.3, 3, 1) * Normal(0.8, 1, 0.3);
        Assert.That(prior.LogDensity(tape.Constant(new(1, 2), point)).Item(), Is.EqualTo(Math.Log(expected)).Within(1e-5));
        float[] z = prior.Draw(draws, rng).ToArray();
        double[] x = [.. Enumerable.Range(0, draws).Select(i => (double)z[2 * i])];
        // Mean 0.3 * -2 + 0.7 * 3 = 1.5; second moment 0.3 (4 + 0.5) + 0.7 (9 + 1) = 8.35.
        Assert.That(x.Average(), Is.EqualTo(1.5).Within(0.06));
        Assert.That(x.Average(v => v * v), Is.EqualTo(8.35).Within(0.15));
        Assert.That(x.Count(v => v is > -0.2 and < 0.2) / (double)draws, Is.LessThan(0.01),
            "draws lie in the components, not between them");
    }

    [Test]
    public void A_relaxed_sample_lies_between_the_components_and_an_exact_one_in_one_of_them()
    {
        using var rng = new Rng(Compute, 3);
        using var tape = Compute.Tape(gradients: false);
        const int rows = 2000;
        var q = new GaussianMixture(tape.Full(new(rows, 2), 0), tape.Full(new(rows, 2), 0) + tape.Constant(new(2), [-10, 10]),
            tape.Full(new(rows, 2), -20));
        float[] exact = q.Sample(rng).ToArray(), relaxed = q.RelaxedSample(tape.Full(Shape.Scalar, 1), rng).ToArray();
        Assert.That(exact.Select(Math.Abs), Has.All.EqualTo(10).Within(1e-2));
        Assert.That(exact.Count(v => v > 0), Is.EqualTo(rows / 2).Within(4 * Math.Sqrt(rows) / 2));
        Assert.That(relaxed.Count(v => Math.Abs(v) < 8), Is.GreaterThan(rows / 4));
    }

    [Test]
    public void The_most_probable_component_stands_for_the_mixture()
    {
        using var tape = Compute.Tape(gradients: false);
        var q = new GaussianMixture(tape.Constant(new(2, 2), [1, 1.5f, -0.2f, -3]), tape.Constant(new(2, 4), [1, 2, 3, 4, 5, 6, 7, 8]),
            tape.Constant(new(2, 4), [0, 0, -1, -2, -3, -4, 0, 0]));
        var best = q.MostProbable();
        Assert.That(best.Mu.ToArray(), Is.EqualTo(new float[] { 3, 4, 5, 6 }));
        Assert.That(best.LogVar.ToArray(), Is.EqualTo(new float[] { -1, -2, -3, -4 }));
    }

    [Test]
    public void The_penalised_variance_is_the_residual_plus_lambda_2_and_minimises_the_objective()
    {
        const double lambda2 = 0.4;
        const int images = 3, pixels = 50;
        float[] x = Draws(images * pixels, 1), g = Draws(images * pixels, 2);
        double residual = x.Zip(g, (a, b) => Math.Pow(a - b, 2)).Average();
        var noise = new PenalisedNoise(new(Start: 0.7, Decay: 0, MaximumChange: 0.5), lambda2);
        using var arena = new ParameterArena(Compute, noise.Parameters);
        for (int step = 0; step < 30; step++)
        {
            using var tape = Compute.Tape(gradients: false);
            noise.NegativeLogLikelihood(tape.Constant(new(images, pixels), x), tape.Constant(new(images, pixels), g));
            noise.AfterStep();
        }
        Assert.That(noise.Variance, Is.EqualTo(residual + lambda2).Within(1e-5));

        using var last = Compute.Tape(gradients: false);
        double value = noise.NegativeLogLikelihood(last.Constant(new(images, pixels), x),
            last.Constant(new(images, pixels), g)).Value.ToArray().Average() + noise.Penalty(pixels).Value.Item();
        Assert.That(value, Is.EqualTo(At(residual + lambda2)).Within(1e-3));
        Assert.That(At(residual + lambda2), Is.LessThan(At(1.01 * (residual + lambda2))).And.LessThan(At(0.99 * (residual + lambda2))));

        double At(double b) => pixels * (residual / (2 * b) + 0.5 * Math.Log(2 * Math.PI * b) + lambda2 / (2 * b));
        static float[] Draws(int count, int seed)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, count).Select(_ => (float)random.NextDouble())];
        }
    }

    private static double[] Softmax(float[] logits)
    {
        double sum = logits.Sum(l => Math.Exp(l));
        return [.. logits.Select(l => Math.Exp(l) / sum)];
    }

    private static double Density(float[] z, int i, float[] mu, float[] logVar, int k) =>
        Normal(z[2 * i], mu[2 * k], Math.Exp(logVar[2 * k])) * Normal(z[2 * i + 1], mu[2 * k + 1], Math.Exp(logVar[2 * k + 1]));

    private static double Normal(double x, double mean, double variance) =>
        Math.Exp(-0.5 * (x - mean) * (x - mean) / variance) / Math.Sqrt(2 * Math.PI * variance);
}
