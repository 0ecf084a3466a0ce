using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>(I6), (X1)-(X4), (X10).</summary>
public sealed class MixtureTests
{
    [TestCase(1, 0.0)]
    [TestCase(1, 1.5)]
    [TestCase(2, 1.0)]
    [TestCase(8, 4.0)]
    [TestCase(64, 0.5)]
    [TestCase(64, 10.0)]
    public void Lower_bound_truth_and_upper_bound_come_in_this_order(int factors, double total)
    {
        var e = Synthetic.Gaussian(2000, [.. Enumerable.Repeat(total / factors, factors)]);
        var mixture = MixtureInformation.Compute(Synthetic.Backend, e, seed: 3);
        var upper = Indicators.Compute(Synthetic.Backend, e);
        Assert.Multiple(() =>
        {
            Assert.That(mixture.Information.Value, Is.LessThanOrEqualTo(total + 4 * mixture.Information.StandardError + 1e-4));
            Assert.That(mixture.Information.Value, Is.LessThanOrEqualTo(Math.Log(2000) + 1e-3));
            Assert.That(upper.Information, Is.EqualTo(total).Within(0.002 * factors));
            foreach (var f in mixture.Factors)
            {
                Assert.That(f.Information.Value, Is.EqualTo(total / factors).Within(4 * f.Information.StandardError + 2e-3),
                    $"factor {f.Factor}");
                Assert.That(f.Information.Value,
                    Is.LessThanOrEqualTo(upper.Factors[f.Factor].Information + 4 * f.Information.StandardError + 1e-4));
            }
        });
    }

    [Test]
    public void Information_beyond_the_ceiling_saturates_at_it()
    {
        var mixture = MixtureInformation.Compute(Synthetic.Backend, Synthetic.Gaussian(512, 5, 5, 5), seed: 1);
        Assert.That(mixture.Ceiling, Is.EqualTo(Math.Log(512)));
        Assert.That(mixture.Information.Ceiling, Is.EqualTo(Math.Log(512)));
        Assert.That(mixture.Information.Value, Is.EqualTo(Math.Log(512)).Within(1e-3), "15 nats are there, log 512 can be seen");
        Assert.That(mixture.Information.InRange, Is.LessThanOrEqualTo(Math.Log(512)));
    }

    [TestCase(0.5)]
    [TestCase(0.95)]
    public void Correlated_gaussians_have_their_total_correlation(double rho)
    {
        // z = sqrt(1 - s2) x + sqrt(s2) eps, x correlated by rho: z is Gaussian with unit variances and correlation rho (1 - s2).
        const int Points = 4000;
        const double S2 = 0.2;
        var (mu, logVar) = (new float[2 * Points], new float[2 * Points]);
        var (a, b) = (Synthetic.Normal(Points, 7), Synthetic.Normal(Points, 8));
        for (int m = 0; m < Points; m++)
        {
            mu[2 * m] = (float)(Math.Sqrt(1 - S2) * a[m]);
            mu[2 * m + 1] = (float)(Math.Sqrt(1 - S2) * (rho * a[m] + Math.Sqrt(1 - rho * rho) * b[m]));
            logVar[2 * m] = logVar[2 * m + 1] = (float)Math.Log(S2);
        }
        var mixture = MixtureInformation.Compute(Synthetic.Backend, new(Points, 2, mu, logVar), seed: 5);
        Assert.That(mixture.TotalCorrelation.Value,
            Is.EqualTo(Gaussian.Information(rho * (1 - S2))).Within(4 * mixture.TotalCorrelation.StandardError + 0.01));
        // |Sigma_x (1 - s2) + s2 I| / s2^2 = ((1)^2 - (rho (1 - s2))^2) / s2^2.
        double information = 0.5 * Math.Log((1 - Math.Pow(rho * (1 - S2), 2)) / (S2 * S2));
        Assert.That(mixture.Information.Value, Is.EqualTo(information).Within(4 * mixture.Information.StandardError + 0.02));
    }

    [Test]
    public void The_kl_splits_into_information_correlation_and_marginals()
    {
        var mixture = MixtureInformation.Compute(Synthetic.Backend, Synthetic.NumPyEncodings(3000), seed: 11);
        double sum = mixture.Information.Value + mixture.TotalCorrelation.Value + mixture.DimensionWiseKl;
        Assert.That(sum, Is.EqualTo(mixture.SampledKl.Value).Within(1e-9));
        Assert.That(mixture.SampledKl.Value, Is.EqualTo(mixture.AnalyticKl).Within(4 * mixture.SampledKl.StandardError));
        Assert.That(mixture.SampledKl.StandardError, Is.LessThan(0.15));
    }

    [Test]
    public void Turning_the_code_leaves_information_and_correlation_as_they_are()
    {
        // (R2) with a permutation and flips; the posterior is diagonal, so other rotations change its family.
        var e = Synthetic.NumPyEncodings(1500);
        var turned = Synthetic.Rearrange(e, [3, 0, 4, 2, 1], [1, -1, -1, 1, -1]);
        var (a, b) =
            (MixtureInformation.Compute(Synthetic.Backend, e, seed: 1), MixtureInformation.Compute(Synthetic.Backend, turned, seed: 2));
        double error = Math.Sqrt(Math.Pow(a.Information.StandardError, 2) + Math.Pow(b.Information.StandardError, 2));
        Assert.That(a.Information.Value, Is.EqualTo(b.Information.Value).Within(4 * error));
        error = Math.Sqrt(Math.Pow(a.TotalCorrelation.StandardError, 2) + Math.Pow(b.TotalCorrelation.StandardError, 2));
        Assert.That(a.TotalCorrelation.Value, Is.EqualTo(b.TotalCorrelation.Value).Within(4 * error));
    }

    [Test]
    public void Stratified_weights_recover_far_apart_posteriors()
    {
        // (X4): a batch of B stands for N points, none of which overlap. Row i weighs itself 1 / N; with the 1 / N laid down a column
        // instead, 4.25 comes out.
        const int B = 64, N = 60_000, M = B - 1;
        var weights = new PairLogWeights(Own: -MathF.Log(N), Next: MathF.Log((float)(N - M) / ((float)N * M)), Other: -MathF.Log(M));
        Assert.That(Math.Exp(weights.Own) + Math.Exp(weights.Next) + (B - 2) * Math.Exp(weights.Other), Is.EqualTo(1).Within(1e-6));
        var mu = new float[2 * B];
        for (int j = 0; j < B; j++)
            (mu[2 * j], mu[2 * j + 1]) = (1000 * j, -1000 * j);
        using var pool = new BufferPool(Synthetic.Backend);
        var (z, logVar, joint, marginal) = (pool.Rent<float>(2 * B), pool.Rent<float>(2 * B), pool.Rent<float>(B), pool.Rent<float>(2 * B));
        Synthetic.Backend.Upload<float>(mu, z);
        Synthetic.Backend.Upload<float>(new float[2 * B], logVar);
        Synthetic.Backend.MixtureLogDensity(new(B, B, 2, z, z, logVar, weights, joint, marginal));
        // z = mu: log q(z|x) is 2 log N(0 | 0, 1).
        double own = 2 * Gaussian.LogDensity(0, 0, 0);
        double information = own - joint.AsSpan().ToArray().Average(v => (double)v);
        Assert.That(information, Is.EqualTo(Math.Log(N)).Within(1e-3), "log N = 11.002; with the 1/N down a column 4.25");
        double marginalInformation = own / 2 - marginal.AsSpan().ToArray().Average(v => (double)v);
        Assert.That(marginalInformation, Is.EqualTo(Math.Log(N)).Within(1e-3), "the weight enters a marginal once, too");
    }

    [Test]
    public void The_same_seed_gives_the_same_bits_on_any_number_of_threads()
    {
        var e = Synthetic.NumPyEncodings(2500);
        using var one = new CpuBackend(threads: 1);
        using var three = new CpuBackend(threads: 3);
        var (a, b) = (MixtureInformation.Compute(one, e, seed: 9), MixtureInformation.Compute(three, e, seed: 9));
        Assert.That(b.Information, Is.EqualTo(a.Information));
        Assert.That(b.TotalCorrelation, Is.EqualTo(a.TotalCorrelation));
        Assert.That(b.Factors, Is.EqualTo(a.Factors));
        Assert.That(b.Joint, Is.EqualTo(a.Joint));
        Assert.That(MixtureInformation.Compute(one, e, seed: 10).Information, Is.Not.EqualTo(a.Information), "another seed draws other z");
    }

    [Test]
    public void Large_sets_are_cut_to_a_seeded_subset()
    {
        Assert.That(PointSubset.SizeFor(20_000, null), Is.EqualTo(20_000));
        Assert.That(PointSubset.SizeFor(20_001, null), Is.EqualTo(10_000));
        Assert.That(PointSubset.SizeFor(300, 1000), Is.EqualTo(300));
        var e = Synthetic.Gaussian(5000, 0.7);
        var mixture = MixtureInformation.Compute(Synthetic.Backend, e, seed: 4, components: 1200);
        Assert.That(mixture.Points, Is.EqualTo(1200));
        Assert.That(mixture.Information.Points, Is.EqualTo(1200));
        Assert.That(mixture.Information.Value, Is.EqualTo(0.7).Within(5 * mixture.Information.StandardError));
    }

    [Test]
    public void A_subset_is_uniform_and_independent_of_chunks()
    {
        var rows = PointSubset.Choose(100_000, 10_000, seed: 2);
        Assert.That(rows, Is.Ordered.Ascending.And.Unique);
        Assert.That(rows, Has.Length.EqualTo(10_000));
        for (int tenth = 0; tenth < 10; tenth++)
            Assert.That(rows.Count(r => r / 10_000 == tenth), Is.EqualTo(1000).Within(150),
                $"tenth {tenth}; 5 standard deviations are 150");
        Assert.That(PointSubset.Choose(100_000, 10_000, seed: 3).Intersect(rows).Count(), Is.EqualTo(1000).Within(150));

        // What a stream keeps, followed by displacement.
        var subset = new PointSubset(100, seed: 2);
        var kept = new HashSet<long>();
        for (long row = 0; row < 5000; row++)
            if (subset.Offer(row, out long displaced))
            {
                kept.Remove(displaced);
                kept.Add(row);
            }
        Assert.That(kept.Order(), Is.EqualTo(subset.Rows));
        Assert.That(subset.Rows.Select(r => (int)r), Is.EqualTo(PointSubset.Choose(5000, 100, seed: 2)));
    }

    [TestCase(900, null)]
    [TestCase(900, 250)]
    [TestCase(20_003, null)]
    public void A_stream_keeps_the_points_that_memory_would(int points, int? requested)
    {
        var e = Synthetic.NumPyEncodings(points);
        var sample = new EncodingSample(e.Factors, seed: 6, requested, e.Categories);
        foreach (var (from, to) in new[] { (0, 1), (1, 311), (311, points) })
            sample.Add(e.Mu.Span[(from * 5)..(to * 5)], e.LogVar.Span[(from * 5)..(to * 5)], e.Probabilities.Span[(from * 3)..(to * 3)]);
        var expected = e.Rows(PointSubset.Choose(points, PointSubset.SizeFor(points, requested), seed: 6));
        var kept = sample.Result();
        Assert.That(kept.Points, Is.EqualTo(points > 20_000 ? 10_000 : requested ?? points));
        Assert.That(kept.Mu.ToArray(), Is.EqualTo(expected.Mu.ToArray()));
        Assert.That(kept.LogVar.ToArray(), Is.EqualTo(expected.LogVar.ToArray()));
        Assert.That(kept.Probabilities.ToArray(), Is.EqualTo(expected.Probabilities.ToArray()));
    }

    [Test]
    public void Narrow_posteriors_far_from_the_origin_keep_their_density()
    {
        // (z - mu)^2 / s2 expanded into products would cancel here: mu^2 / s2 is e^10 10^4.
        var (mu, logVar) = (new float[600], new float[600]);
        var u = Synthetic.Uniform(600, 77);
        for (int m = 0; m < 600; m++)
            (mu[m], logVar[m]) = ((float)(100 + 0.01 * u[m]), -10);
        var e = new Encodings(600, 1, mu, logVar);
        var shifted = new Encodings(600, 1, Array.ConvertAll(mu, v => v - 100), logVar);
        var (far, near) =
            (MixtureInformation.Compute(Synthetic.Backend, e, seed: 1), MixtureInformation.Compute(Synthetic.Backend, shifted, seed: 1));
        Assert.That(far.Information.Value, Is.EqualTo(near.Information.Value).Within(1e-3));
    }

    [Test]
    public void Posteriors_narrower_than_float32_can_place_are_still_told_apart()
    {
        // sigma is 2e-9 where neighbouring floats lie 1e-6 apart: a draw falls on its mean or on a neighbour many deviations away.
        var (mu, logVar) = (new float[400], new float[400]);
        for (int i = 0; i < 400; i++)
            (mu[i], logVar[i]) = (8 + 0.01f * (i / 2) + 0.003f * (i % 2), -40);
        var mixture = MixtureInformation.Compute(Synthetic.Backend, new(200, 2, mu, logVar), seed: 1);
        Assert.That(mixture.Information.Value, Is.EqualTo(Math.Log(200)).Within(0.05));
        Assert.That(mixture.Factors[1].Information.Value, Is.EqualTo(Math.Log(200)).Within(0.05));
    }

    [Test]
    public void What_cannot_be_is_an_error()
    {
        var e = new Encodings(2, 1, new float[] { 0, 1 }, new float[] { 0, -90 });
        Assert.That(() => MixtureInformation.Compute(Synthetic.Backend, e, 1),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("logvar of factor 0 in row 1 is -90"));
        Assert.That(() => MixtureInformation.Compute(Synthetic.Backend, Synthetic.Gaussian(10, 1), 1, components: 0),
            Throws.TypeOf<EstimatorException>());
        Assert.That(() => MixtureInformation.CheckInformation("I(x; z)", new(9.3, 0.01, BoundKind.Lower, Math.Log(10_000), 10_000), 0.01),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("outside 0 to 9.21034"));
        Assert.That(() => MixtureInformation.CheckInformation("I(x; z)", new(-0.1, 0.01, BoundKind.Lower, Math.Log(10_000), 10_000), 0.01),
            Throws.TypeOf<EstimatorException>());
        Assert.That(() => MixtureInformation.CheckNotNegative("TC", new(double.NaN, 0.01, BoundKind.Neither, 1, 100), 0.01),
            Throws.TypeOf<EstimatorException>());
    }

    [Test]
    public void One_point_carries_no_information()
    {
        var mixture = MixtureInformation.Compute(Synthetic.Backend, new(1, 2, new float[] { 3, -1 }, new float[] { 0, 1 }), seed: 1);
        Assert.That(mixture.Information.Value, Is.EqualTo(0).Within(1e-5));
        Assert.That(mixture.Information.StandardError, Is.Zero);
    }
}
