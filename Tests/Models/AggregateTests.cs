using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Estimates of q(z) where the answer is known.</summary>
public sealed class AggregateTests : OnCpu
{
    /// <summary>
    /// (X4): the true information of far-apart posteriors is log N; weights laid down a column instead of the diagonal would say 4.25.
    /// </summary>
    [Test]
    public void Stratified_weights_give_the_information_of_far_apart_posteriors()
    {
        const int images = 60_000, batch = 64, latents = 3;
        using var tape = Compute.Tape(gradients: false);
        float[] places = [.. Enumerable.Range(0, batch * latents).Select(i => 50f * (i / latents))];
        var q = new DiagonalGaussian(tape.Constant(new(batch, latents), places), tape.Full(new(batch, latents), 0));
        using var rng = new Rng(Compute, 4);
        var z = q.Sample(rng).Z;
        Assert.That(Information(MinibatchEstimate.Stratified), Is.EqualTo(Math.Log(images)).Within(1e-3));
        Assert.That(Information(MinibatchEstimate.Batch), Is.EqualTo(Math.Log(batch)).Within(1e-3));
        Assert.That(Information(MinibatchEstimate.Weighted), Is.EqualTo(Math.Log((double)images * batch)).Within(1e-3));

        double Information(MinibatchEstimate estimate) =>
            new AggregatePosterior(q, z, estimate, images).MutualInformation.Value.ToArray().Average();
    }

    [TestCase(2, 60_000)]
    [TestCase(64, 60_000)]
    [TestCase(64, 64)]
    [TestCase(64, 10)]
    public void Stratified_weights_of_a_row_sum_to_one(int batch, int images)
    {
        var w = PairLogWeights.Stratified(batch, images);
        Assert.That(Math.Exp(w.Own) + Math.Exp(w.Next) + (batch - 2) * Math.Exp(w.Other), Is.EqualTo(1).Within(1e-5));
    }

    [Test]
    public void Total_correlation_of_a_correlated_gaussian_is_its_closed_form()
    {
        const int rows = 3000;
        const double ofMeans = 0.7, rho = 0.9;
        using var tape = Compute.Tape(gradients: false);
        using var rng = new Rng(Compute, 4);
        var q = new DiagonalGaussian(tape.Constant(new(rows, 2), Correlated(rows, rho, ofMeans, seed: 2)),
            tape.Full(new(rows, 2), (float)Math.Log(1 - ofMeans)));
        double tc = new AggregatePosterior(q, q.Sample(rng).Z, MinibatchEstimate.Batch, rows).TotalCorrelation.Value.ToArray().Average();
        double ofCodes = rho * ofMeans;
        Assert.That(tc, Is.EqualTo(-0.5 * Math.Log(1 - ofCodes * ofCodes)).Within(0.03));
    }

    /// <summary>(X3), (X4): posteriors that are all the prior leave y independent of z, so that TC(y; z) is 0 in every batch.</summary>
    [TestCase(MinibatchEstimate.Batch, 250)]
    [TestCase(MinibatchEstimate.Stratified, 250)]
    [TestCase(MinibatchEstimate.Stratified, 128)]
    public void Total_correlation_with_an_independent_category_is_zero(MinibatchEstimate estimate, int batch)
    {
        const int categories = 10, images = 60_000;
        using var tape = Compute.Tape(gradients: false);
        using var rng = new Rng(Compute, 4);
        var random = new Random(1);
        var logits = new float[batch * categories];
        for (int i = 0; i < batch; i++)
            logits[i * categories + random.Next(categories)] = 30;
        var q = new DiagonalGaussian(tape.Full(new(batch, 2), 0), tape.Full(new(batch, 2), 0));
        var c = new Categorical(tape.Constant(new(batch, categories), logits));
        var aggregate = new AggregatePosterior(q, q.Sample(rng).Z, estimate, images, c, c.MostProbable());
        Assert.That(aggregate.TotalCorrelation.Value.ToArray().Average(), Is.EqualTo(0).Within(1e-4));
    }

    /// <summary>(X6): the mean log-odds of a discriminator that has learned to tell codes from permuted codes.</summary>
    [Test]
    public void A_discriminator_estimates_the_total_correlation_of_a_correlated_gaussian()
    {
        const double rho = 0.8;
        const int batch = 500;
        var discriminator = new Discriminator(2, new() { Widths = new(32, 32) }, seed: 1);
        using var arena = new ParameterArena(Compute, discriminator.Parameters);
        using var optimiser = new Adam(Compute, arena, beta1: 0.5, beta2: 0.9);
        using var shuffle = new ColumnShuffle(Compute, batch, 2, seed: 3);
        for (int step = 1; step <= 800; step++)
        {
            using var tape = Compute.Tape();
            shuffle.Draw((uint)step, batch);
            var codes = tape.Constant(new(batch, 2), Correlated(batch, rho, 1, step));
            var permuted = shuffle.Apply(tape.Constant(new(batch, 2), Correlated(batch, rho, 1, -step)));
            tape.Backward(LogisticLoss.Discriminator(discriminator.Forward(codes), discriminator.Forward(permuted)).Value.Mean());
            optimiser.BeginStep(step, step < 500 ? 0.01 : 0.001);
            optimiser.Update();
        }
        using var last = Compute.Tape(gradients: false);
        double tc = discriminator.Forward(last.Constant(new(20_000, 2), Correlated(20_000, rho, 1, 12_345))).ToArray().Average();
        Assert.That(tc, Is.EqualTo(-0.5 * Math.Log(1 - rho * rho)).Within(0.07));
    }

    [Test]
    public void A_column_shuffle_permutes_each_column_on_its_own_and_repeats_itself()
    {
        const int rows = 40, columns = 5;
        using var shuffle = new ColumnShuffle(Compute, rows, columns, seed: 9);
        float[] codes = [.. Enumerable.Range(0, rows * columns).Select(i => (float)(i / columns + 1000 * (i % columns)))];
        float[] first = Apply(7);
        for (int column = 0; column < columns; column++)
            Assert.That(Enumerable.Range(0, rows).Select(r => first[r * columns + column]).Order(),
                Is.EqualTo(Enumerable.Range(0, rows).Select(r => (float)(r + 1000 * column))));
        int together = Enumerable.Range(0, rows).Count(r => (int)first[r * columns] == (int)first[r * columns + 1] - 1000);
        Assert.That(together, Is.LessThan(8), "factors of one image should hardly ever stay together");
        Assert.That(Apply(7), Is.EqualTo(first));
        Assert.That(Apply(8), Is.Not.EqualTo(first));

        float[] Apply(uint step)
        {
            shuffle.Draw(step, rows);
            using var tape = Compute.Tape(gradients: false);
            return shuffle.Apply(tape.Constant(new(rows, columns), codes)).ToArray();
        }
    }

    [Test]
    public void Covariance_penalties_of_known_covariances()
    {
        // Means on the diagonal of a square: covariance 4 everywhere; posterior variances 1.
        Assert.That(Penalties([2, 2, -2, -2, 2, 2, -2, -2], ofSamples: false), Is.EqualTo((32.0, 18.0)));
        Assert.That(Penalties([2, 2, -2, -2, 2, 2, -2, -2], ofSamples: true), Is.EqualTo((32.0, 32.0)));
        // On its corners: covariance 1, uncorrelated; a shift changes nothing.
        Assert.That(Penalties([4, 6, 4, 4, 2, 6, 2, 4], ofSamples: false), Is.EqualTo((0.0, 0.0)));

        (double, double) Penalties(float[] mu, bool ofSamples)
        {
            using var tape = Compute.Tape(gradients: false);
            var penalty = new CovariancePenalty(new(tape.Constant(new(4, 2), mu), tape.Full(new(4, 2), 0)), ofSamples);
            return (penalty.OffDiagonal.Value.Item(), penalty.Diagonal.Value.Item());
        }
    }

    [Test]
    public void Mmd_is_zero_in_expectation_between_equal_distributions_and_positive_between_others()
    {
        const int draws = 300;
        using var rng = new Rng(Compute, 6);
        double[] equal = new double[draws], shifted = new double[draws];
        for (int i = 0; i < draws; i++)
        {
            using var tape = Compute.Tape(gradients: false);
            Tensor a = rng.Normal(new(12, 3)), b = rng.Normal(new(12, 3));
            equal[i] = MaximumMeanDiscrepancy.Squared(a, b).Item();
            shifted[i] = MaximumMeanDiscrepancy.Squared(a + 1, b).Item();
        }
        double error = Math.Sqrt(equal.Sum(v => v * v) / draws / draws);
        Assert.That(equal.Average(), Is.EqualTo(0).Within(4 * error));
        Assert.That(equal.Min(), Is.Negative, "an unbiased estimate of zero is negative at times");
        Assert.That(shifted.Average(), Is.GreaterThan(20 * error));
    }

    [Test]
    public void Mmd_of_a_single_code_has_no_pairs_within()
    {
        using var tape = Compute.Tape(gradients: false);
        Assert.That(float.IsFinite(MaximumMeanDiscrepancy.Squared(tape.Full(new(1, 3), 1), tape.Full(new(1, 3), 0)).Item()));
    }

    /// <summary>Draws of N(0, variance [[1, rho], [rho, 1]]), [n, 2].</summary>
    private static float[] Correlated(int n, double rho, double variance, int seed)
    {
        var random = new Random(seed);
        var values = new float[2 * n];
        for (int i = 0; i < n; i++)
        {
            double a = MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1),
                b = MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
            values[2 * i] = (float)(Math.Sqrt(variance) * a);
            values[2 * i + 1] = (float)(Math.Sqrt(variance) * (rho * a + Math.Sqrt(1 - rho * rho) * b));
        }
        return values;
    }
}
