using MathNet.Numerics.LinearAlgebra;
using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Theory;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>(R2)-(R4) and (T4): the theorems of papers 1 and 2 on data where every side of them is known.</summary>
public sealed class TheoryTests
{
    [Test]
    public void A_rotation_moves_the_beta_vae_score_and_neither_information_nor_total_correlation()
    {
        const int Points = 3000, Factors = 4;
        const double Variance = 0.2;
        var y = FactorEquivalence.Factors(Points, Factors, seed: 1);
        var plain = FactorEquivalence.Measure(Synthetic.Backend, y, Matrix<double>.Build.DenseIdentity(Factors), Variance, seed: 1);
        var turned =
            FactorEquivalence.Measure(Synthetic.Backend, y, FactorEquivalence.PairRotation(Factors, Math.PI / 4), Variance, seed: 1);
        Assert.Multiple(() =>
        {
            // The mixture of the 3000 points knows each factor's -1/2 log s2 = 0.805 nats to its error bar and a bias that falls with the
            // points.
            Equal(plain.Information, turned.Information);
            Equal(plain.TotalCorrelation, turned.TotalCorrelation);
            Assert.That(plain.Information.Value, Is.EqualTo(-0.5 * Factors * Math.Log(Variance)).Within(0.15));
            Assert.That(plain.TotalCorrelation.Value, Is.EqualTo(0).Within(0.15));
            Assert.That(plain.BetaVae.Mean, Is.GreaterThan(0.99));
            Assert.That(turned.BetaVae.Mean, Is.EqualTo(0.5).Within(0.12),
                "each factor is mistaken for its partner half of the time, but for what 3000 points happen to give away");
        });

        static void Equal(Estimate a, Estimate b) =>
            Assert.That(b.Value,
                Is.EqualTo(a.Value).Within(4 * Math.Sqrt(a.StandardError * a.StandardError + b.StandardError * b.StandardError)));
    }

    /// <summary>
    /// (R6): I, TC and the distance to the closest Gaussian add up to what (I2) converges to, 1/2 log(s* / s2) a factor with s* = 6 + 1/4.
    /// </summary>
    [Test]
    public void The_estimator_converges_to_the_information_and_its_gap()
    {
        ConsistencyPoint[] points = [.. ((int[])[100, 10_000, 200_000]).Select(m => Consistency.Measure(Synthetic.Backend, m, seed: 3))];
        Assert.That(points[0].Limit, Is.EqualTo(Math.Log(6.25 / 0.25)).Within(1e-4), "by integrals on a grid");
        // Means 6 deviations apart overlap little: x is known but for that, and the code takes 3 x (1/2 + 1/2 / 3) + ... values.
        double values = -3 * (1.0 / 3 * (0.5 + 0.5 / 3)) * Math.Log(1.0 / 3 * (0.5 + 0.5 / 3)) - 6 * (0.5 / 9) * Math.Log(0.5 / 9);
        Assert.That(points[0].Information, Is.EqualTo(values).Within(0.02).And.LessThanOrEqualTo(values));
        Assert.That(points[0].Gap, Is.GreaterThan(0.5), "the theorem assumes it away");
        Assert.That(points[1].Estimate, Is.EqualTo(points[1].Limit).Within(0.03));
        Assert.That(points[2].Estimate, Is.EqualTo(points[2].Limit).Within(0.008));
    }

    /// <summary>(R7): the bound falls as 1 / sqrt(N), and no draw is beyond it.</summary>
    [Test]
    public void Empirical_category_information_stays_within_its_bound()
    {
        const int points = 3000, k = 4;
        var u = Synthetic.Uniform(points * k, 9);
        float[] probabilities = [.. Enumerable.Range(0, points).SelectMany(m =>
        {
            double[] weights = [.. Enumerable.Range(0, k).Select(c => Math.Exp(6 * u[m * k + c]))];
            return weights.Select(w => (float)(w / weights.Sum()));
        })];
        var encodings = new Encodings(points, 1, new float[points], new float[points], probabilities);
        var found = CategoryConcentration.Measure(encodings, [50, 200, 800], draws: 30, seed: 1);
        Assert.That(found.Select(p => p.Deviation), Is.Ordered.Descending);
        foreach (var p in found)
            Assert.That(p.Deviation, Is.Positive.And.LessThan(p.Bound));
        Assert.That(found[0].Bound / found[1].Bound, Is.EqualTo(2).Within(1e-9));
        // K (max(log CK - 1, 1) + e) sqrt(log(2K / delta) / 2N) with shares near 1/4, so that log CK - 1 is below 1.
        Assert.That(found[1].Bound, Is.EqualTo(4 * (1 + Math.E) * Math.Sqrt(Math.Log(8 / 0.05) / 400)).Within(1e-6));
        Assert.That(() => CategoryConcentration.Measure(new Encodings(2, 1, new float[2], new float[2]), [1], 1, 1),
            Throws.TypeOf<EstimatorException>());
    }

    [Test]
    public void The_metrics_statistic_is_that_of_the_corrected_formula()
    {
        var q = FactorEquivalence.Rotation(5, seed: 3);
        Assert.That((q * q.Transpose() - Matrix<double>.Build.DenseIdentity(5)).FrobeniusNorm(), Is.LessThan(1e-12));
        for (int fixedFactor = 0; fixedFactor < 5; fixedFactor++)
        {
            var measured = FactorEquivalence.FixedFactorDifference(q, fixedFactor, pairs: 40_000, seed: 7);
            for (int h = 0; h < 5; h++)
            {
                double expected = BetaVaeScore.ExpectedDifference(q[h, fixedFactor]);
                // The deviation of |N(0, s^2)| is 0.603 s, over the root of 40 000.
                Assert.That(measured[h], Is.EqualTo(expected).Within(0.02), $"factor {fixedFactor}, code {h}");
                if (expected > 0.2)
                    Assert.That(measured[h], Is.Not.EqualTo(Math.Sqrt(2) * expected).Within(0.05),
                        "the factor 2 sqrt(2 / pi) as printed in (35)");
            }
        }
    }

    [Test]
    public void No_classifier_beats_fano([Values(0.05, 0.3, 0.6, 1.5, 6)] double spread)
    {
        var code = LabelChannel.Measure(Synthetic.Backend, labels: 10, spread, points: 4000, seed: 2);
        Assert.Multiple(() =>
        {
            Assert.That(code.Error, Is.GreaterThanOrEqualTo(code.Bound));
            Assert.That(code.Bound, Is.GreaterThanOrEqualTo(code.WeakerBound - 0.01), "I(X; Z) is at least I(Y; Z)");
            Assert.That(code.Information, Is.LessThanOrEqualTo(code.CodeInformation + 0.02));
            Assert.That(code.Information, Is.InRange(-0.01, Math.Log(10) + 0.01));
            if (spread == 0.05)
                Assert.That((code.Error, code.Bound), Is.EqualTo((0.0, 0.0)));
            if (spread == 6)
                Assert.That(code.Bound, Is.GreaterThan(0.5));
        });
    }

    [Test]
    public void The_kl_is_the_information_and_what_the_aggregate_misses_of_the_prior()
    {
        // (R4): with (I2) exactly, with (I6) within the error bars, factor by factor.
        var e = Synthetic.NumPyEncodings(3000);
        var indicators = Indicators.Compute(Synthetic.Backend, e);
        var mixture = MixtureInformation.Compute(Synthetic.Backend, e, seed: 1);
        foreach (var f in indicators.Factors)
        {
            Assert.That(f.Information + f.AggregateKl, Is.EqualTo(f.Kl).Within(1e-6));
            var (information, priorKl) = (mixture.Factors[f.Factor].Information, mixture.Factors[f.Factor].PriorKl);
            double error = Math.Sqrt(information.StandardError * information.StandardError + priorKl.StandardError * priorKl.StandardError);
            Assert.That(information.Value + priorKl.Value, Is.EqualTo(f.Kl).Within(4 * error + 1e-3));
        }
    }

    [Test]
    public void The_reconstruction_bound_holds_and_is_met_by_the_optimal_code()
    {
        var source = Source();
        double smallest = source.Variances[0];
        var optimal = source.Encode(Synthetic.Backend, source.Dimensions, 0.5 * smallest, points: 20_000, seed: 1);
        Assert.That(optimal.SquaredError, Is.EqualTo(optimal.Bound).Within(0.02 * optimal.Bound));
        Assert.That(optimal.SquaredError, Is.EqualTo(0.5 * smallest).Within(0.02 * smallest));
        Assert.That(optimal.Information, Is.EqualTo(source.Variances.Sum(v => 0.5 * Math.Log(v / (0.5 * smallest)))).Within(0.05));
        double last = double.PositiveInfinity;
        for (int factors = 1; factors < source.Dimensions; factors++)
        {
            var code = source.Encode(Synthetic.Backend, factors, 0.1 * smallest, points: 5000, seed: 1);
            Assert.That(code.SquaredError, Is.GreaterThan(code.Bound),
                $"{factors} factors leave components out that the bound would share the information with");
            Assert.That(code.SquaredError, Is.LessThan(last));
            last = code.SquaredError;
        }
    }

    [Test]
    public void The_scalar_form_as_printed_is_broken_by_vectors()
    {
        // Paper 1, (10) prints exp(2 (h(X) - I)) / (2 pi e) for vectors too: with 6 dimensions it asks for an error of (2 pi e)^5 where the
        // optimal code has 6.
        var source = new GaussianSource(Matrix<double>.Build.DenseIdentity(6) * 4);
        var code = source.Encode(Synthetic.Backend, 6, 1, points: 5000, seed: 1);
        double asPrinted = Math.Exp(2 * (source.Entropy - code.Information)) / (2 * Math.PI * Math.E);
        Assert.That(code.SquaredError * 6, Is.LessThan(asPrinted));
        Assert.That(code.SquaredError, Is.EqualTo(code.Bound).Within(0.04), "5000 points");
    }

    [Test]
    public void Sources_and_codes_that_cannot_be_are_refused()
    {
        Assert.That(() => new GaussianSource(Matrix<double>.Build.Dense(2, 2, 1)),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("positive definite"));
        Assert.That(() => Source().Encode(Synthetic.Backend, 2, 100, 10, 1),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("distortion 100"));
        Assert.That(() => Source().Encode(Synthetic.Backend, 7, 0.01, 10, 1),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("7 of 6 factors"));
    }

    private static GaussianSource Source()
    {
        var q = FactorEquivalence.Rotation(6, seed: 5);
        return new(q * Matrix<double>.Build.DenseOfDiagonalArray([9, 4, 2, 1, 0.5, 0.3]) * q.Transpose());
    }
}
