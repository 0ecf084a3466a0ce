using MathNet.Numerics.LinearAlgebra;
using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>(M1)-(M6) at their maximum, at their floor, and what may not change them.</summary>
public sealed class DisentanglementTests
{
    private const int Points = 2400;
    private static readonly int[] Sizes = [3, 4, 5];

    [Test]
    public void A_perfect_code_scores_its_maximum()
    {
        var data = Perfect();
        var scores = DisentanglementScores.Compute(Synthetic.Backend, data, seed: 1);
        Assert.Multiple(() =>
        {
            Assert.That(scores.Mig.Mean, Is.EqualTo(1).Within(0.01));
            Assert.That(scores.MigSampled!.Mean, Is.EqualTo(1).Within(0.02));
            Assert.That(scores.Sap.Mean, Is.EqualTo(1).Within(0.01));
            Assert.That(scores.DciDisentanglement.Mean, Is.EqualTo(1).Within(0.01));
            Assert.That(scores.DciCompleteness.Mean, Is.EqualTo(1).Within(0.01));
            Assert.That(scores.DciInformativeness.Mean, Is.EqualTo(1).Within(0.01));
            Assert.That(scores.Modularity.Mean, Is.EqualTo(0.75).Within(0.01), "the dead code counts 0");
            Assert.That(scores.FactorVae.Mean, Is.EqualTo(1));
            Assert.That(scores.BetaVae.Mean, Is.EqualTo(1));
            Assert.That(scores.Mcc!.Mean, Is.EqualTo(1).Within(1e-6));
        });
    }

    /// <summary>A factor that only the category tells, under other names for its values.</summary>
    [Test]
    public void A_factor_that_is_held_in_a_category_counts_as_coded()
    {
        var perfect = Perfect();
        int[] names = [2, 0, 1];
        var means = new float[Points * 2];
        var (logVar, probabilities) = (new float[Points * 2], new float[Points * 3]);
        Array.Fill(logVar, -8);
        for (int m = 0; m < Points; m++)
        {
            perfect.Means.Span.Slice(m * 4 + 1, 2).CopyTo(means.AsSpan(m * 2));
            probabilities[m * 3 + names[perfect.Factors.Span[m * 3]]] = 1;
        }
        var without = new LabelledCodes(Points, means, perfect.Factors, [true, false, false], logVar);
        var with = new LabelledCodes(Points, means, perfect.Factors, [true, false, false], logVar, probabilities);
        var scores = DisentanglementScores.Compute(Synthetic.Backend, with, seed: 1);
        Assert.Multiple(() =>
        {
            Assert.That(InformationMetrics.Mig(without, 1), Is.EqualTo(2.0 / 3).Within(0.02),
                "without the category its factor is not coded");
            Assert.That(scores.Mig.Mean, Is.EqualTo(1).Within(0.01));
            Assert.That(scores.MigSampled!.Mean, Is.EqualTo(1).Within(0.02));
            // (M2): a factor of C classes without an order has chance 1/C as its second best.
            Assert.That(scores.Sap.Mean, Is.EqualTo((2 + 1 - 1.0 / 3) / 3).Within(0.03));
            Assert.That(scores.DciDisentanglement.Mean, Is.EqualTo(1).Within(0.02));
            Assert.That(scores.DciCompleteness.Mean, Is.EqualTo(1).Within(0.02));
            Assert.That(scores.DciInformativeness.Mean, Is.GreaterThan(0.98));
            Assert.That(scores.Modularity.Mean, Is.EqualTo(1).Within(0.01));
            Assert.That(scores.FactorVae.Mean, Is.EqualTo(1));
            Assert.That(scores.BetaVae.Mean, Is.EqualTo(1));
            Assert.That(with.Draw(100, 1).Codes.Span[2], Is.EqualTo(names[with.Draw(100, 1).Factors.Span[0]]), "rows keep their category");
        });
    }

    /// <summary>
    /// (M1) of sampled codes: a category that is right with probability 0.9 has H(y) - H(0.9, 0.05, 0.05) nats in common with its factor.
    /// </summary>
    [Test]
    public void A_category_that_is_unsure_counts_as_much_as_its_draws_tell()
    {
        var perfect = Perfect();
        var probabilities = new float[Points * 3];
        for (int m = 0; m < Points; m++)
            for (int k = 0; k < 3; k++)
                probabilities[m * 3 + k] = k == perfect.Factors.Span[m * 3] ? 0.9f : 0.05f;
        var data = new LabelledCodes(Points, perfect.Means, perfect.Factors, default, perfect.LogVar, probabilities);
        double expected = Math.Log(3) + 0.9 * Math.Log(0.9) + 0.1 * Math.Log(0.05);
        Assert.That(InformationMetrics.SampledInformation(Synthetic.Backend, data, 1)[4, 0], Is.EqualTo(expected).Within(0.02));
    }

    [Test]
    public void Noise_scores_the_floor()
    {
        var factors = Perfect().Factors;
        var noise = new double[Points, 6];
        for (int h = 0; h < 6; h++)
        {
            var u = Synthetic.Uniform(Points, 400 + (ulong)h);
            for (int m = 0; m < Points; m++)
                noise[m, h] = u[m];
        }
        var logVar = new float[Points * 6];
        Array.Fill(logVar, -4);
        var scores =
            DisentanglementScores.Compute(Synthetic.Backend, new(Points, Synthetic.Flatten(noise), factors, default, logVar), seed: 1);
        Assert.Multiple(() =>
        {
            Assert.That(scores.Mig.Mean, Is.EqualTo(0).Within(0.01));
            Assert.That(scores.MigSampled!.Mean, Is.EqualTo(0).Within(0.02));
            Assert.That(scores.Sap.Mean, Is.EqualTo(0).Within(0.01));
            Assert.That(scores.DciInformativeness.Mean, Is.EqualTo(0).Within(0.01));
            Assert.That(scores.Modularity.Mean, Is.LessThan(0.6),
                "plug-in information of noise is not 0 but grows with the number of classes");
            Assert.That(scores.FactorVae.Mean, Is.EqualTo(1.0 / 3).Within(0.1));
            Assert.That(scores.BetaVae.Mean, Is.EqualTo(1.0 / 3).Within(0.1));
            Assert.That(scores.BetaVae.HalfWidth, Is.GreaterThan(0));
        });
    }

    [Test]
    public void A_collapsed_code_scores_zero()
    {
        var data = new LabelledCodes(Points, new float[Points * 4], Perfect().Factors);
        Assert.Multiple(() =>
        {
            Assert.That(InformationMetrics.Mig(data, 1), Is.Zero);
            Assert.That(InformationMetrics.Modularity(data, 1), Is.Zero);
            Assert.That(Sap.Compute(data, 1), Is.Zero);
            Assert.That(Dci.Compute(data, 1), Is.EqualTo(new Dci(0, 0, 0)));
            Assert.That(FactorVaeScore.Compute(data, 1), Is.Zero, "every code is pruned");
        });
    }

    [Test]
    public void Order_and_sign_of_codes_do_not_matter()
    {
        var data = NumPyTests.LabelledCodes();
        int[] order = [4, 2, 0, 5, 1, 3];
        var codes = new float[data.Codes.Length];
        for (int m = 0; m < data.Points; m++)
            for (int h = 0; h < 6; h++)
                codes[m * 6 + h] = (h % 2 == 0 ? -1 : 1) * data.Codes.Span[m * 6 + order[h]];
        var turned = new LabelledCodes(data.Points, codes, data.Factors, data.Categorical);
        Assert.Multiple(() =>
        {
            // A flip moves the points that lie on the border of two bins.
            Assert.That(InformationMetrics.Mig(turned, 1), Is.EqualTo(InformationMetrics.Mig(data, 1)).Within(0.01));
            Assert.That(InformationMetrics.Modularity(turned, 1), Is.EqualTo(InformationMetrics.Modularity(data, 1)).Within(0.01));
            Assert.That(Sap.Compute(turned, 1), Is.EqualTo(Sap.Compute(data, 1)).Within(1e-6));
            var (a, b) = (Dci.Compute(turned, 1), Dci.Compute(data, 1));
            Assert.That(a.Disentanglement, Is.EqualTo(b.Disentanglement).Within(1e-6));
            Assert.That(a.Completeness, Is.EqualTo(b.Completeness).Within(1e-6));
            Assert.That(a.Informativeness, Is.EqualTo(b.Informativeness).Within(1e-6));
            Assert.That(FactorVaeScore.Compute(turned, 1), Is.EqualTo(FactorVaeScore.Compute(data, 1)));
        });
    }

    [Test]
    public void Rotating_two_factors_moves_the_scores_as_theory_says()
    {
        // (R2): z = Q y. The statistic of a code whose weight for the fixed factor is q is 2 / sqrt(pi) sqrt(1 - q^2).
        const int Count = 20_000;
        var other = Synthetic.Normal(Count, 4);
        double angle = Math.PI / 6, q = Math.Cos(angle), fixedValue = 0.4, sum = 0;
        for (int i = 0; i + 1 < Count; i += 2)
            sum += Math.Abs((q * fixedValue + Math.Sin(angle) * other[i]) - (q * fixedValue + Math.Sin(angle) * other[i + 1]));
        Assert.That(sum / (Count / 2), Is.EqualTo(BetaVaeScore.ExpectedDifference(q)).Within(0.02));
        Assert.That(BetaVaeScore.ExpectedDifference(1), Is.Zero);
        Assert.That(BetaVaeScore.ExpectedDifference(0), Is.EqualTo(2 / Math.Sqrt(Math.PI)));
    }

    [Test]
    public void The_seed_decides_and_nothing_else()
    {
        var data = NumPyTests.EntangledCodes();
        double first = BetaVaeScore.Compute(data, 7, 300, 200, 8);
        Assert.That(BetaVaeScore.Compute(data, 7, 300, 200, 8), Is.EqualTo(first));
        var score = Score.Over(7, s => FactorVaeScore.Compute(data, s, 200, 8));
        Assert.That(score.Values, Has.Count.EqualTo(5));
        Assert.That(score.Values.Distinct().Count(), Is.GreaterThan(1));
        Assert.That(score.Values[0], Is.EqualTo(FactorVaeScore.Compute(data, 7, 200, 8)));
    }

    [Test]
    public void A_confidence_interval_is_students()
    {
        double[] values = [1, 2, 3, 4, 5];
        var score = Score.Over(0, s => values[(int)s]);
        Assert.That(score.Mean, Is.EqualTo(3).Within(1e-12));
        Assert.That(score.HalfWidth, Is.EqualTo(2.776445 * Math.Sqrt(2.5 / 5)).Within(1e-5));
    }

    [Test]
    public void The_lasso_shrinks_and_selects()
    {
        var u = Synthetic.Normal(1000, 1);
        var x = Matrix<double>.Build.DenseOfColumns([u, Synthetic.Normal(1000, 2)]);
        var w = Lasso.Fit(x, Vector<double>.Build.Dense(u), 0.1);
        double square = u.Average(v => v * v);
        Assert.That(w[0], Is.EqualTo((square - 0.1) / square).Within(0.01));
        Assert.That(w[1], Is.EqualTo(0).Within(0.02));
        Assert.That(Lasso.Fit(x, Vector<double>.Build.Dense(u), 2), Is.EqualTo(new double[] { 0, 0 }), "a penalty above every correlation");
    }

    [Test]
    public void Factors_that_do_not_vary_are_left_out_or_refused()
    {
        var data = Perfect();
        var constant = new LabelledCodes(Points, data.Codes, new int[Points]);
        Assert.That(() => InformationMetrics.Mig(constant, 1), Throws.TypeOf<EstimatorException>());
        Assert.That(() => FactorVaeScore.Compute(constant, 1),
            Throws.TypeOf<EstimatorException>().With.Message.StartsWith("factorvae score"));
        Assert.That(() => BetaVaeScore.Compute(constant, 1), Throws.TypeOf<EstimatorException>().With.Message.StartsWith("beta-vae score"));
        Assert.That(() => Dci.Compute(constant, 1), Throws.TypeOf<EstimatorException>());
        Assert.That(() => Sap.Compute(constant, 1), Throws.TypeOf<EstimatorException>());
        Assert.That(() => InformationMetrics.MigSampled(Synthetic.Backend, NumPyTests.LabelledCodes(), 1),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("no log variances"));
        Assert.That(() => new LabelledCodes(2, new float[2], new int[] { 0, -3 }),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("point 1 is -3"));
        Assert.That(data.WithFactors(2, 0).Sizes, Is.EqualTo([5, 3]));
    }

    /// <summary>Each factor has a code of its own; one code is dead.</summary>
    private static LabelledCodes Perfect()
    {
        var (codes, factors, logVar) = (new float[Points * 4], new int[Points * 3], new float[Points * 4]);
        for (int f = 0; f < 3; f++)
        {
            var u = Synthetic.Uniform(Points, 500 + (ulong)f);
            for (int m = 0; m < Points; m++)
            {
                factors[m * 3 + f] = (int)(u[m] * Sizes[f]);
                codes[m * 4 + f] = factors[m * 3 + f];
                logVar[m * 4 + f] = -8;
            }
        }
        return new(Points, codes, factors, default, logVar);
    }
}
