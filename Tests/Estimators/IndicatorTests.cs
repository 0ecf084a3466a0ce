using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>(I1)-(I5), (D1)-(D8), (M8).</summary>
public sealed class IndicatorTests
{
    [TestCase(0.0)]
    [TestCase(0.01)]
    [TestCase(0.5)]
    [TestCase(2.5)]
    [TestCase(10.0)]
    public void A_linear_gaussian_factor_has_its_closed_form(double information)
    {
        var factor = Indicators.Compute(Synthetic.Backend, Synthetic.Gaussian(20_000, information)).Factors[0];
        Assert.Multiple(() =>
        {
            Assert.That(factor.Information, Is.EqualTo(information).Within(1e-3));
            Assert.That(factor.CentredInformation, Is.EqualTo(information).Within(1e-3));
            Assert.That(factor.VarianceRatioInformation, Is.EqualTo(information).Within(1e-3));
            Assert.That(factor.AggregateVariance, Is.EqualTo(1).Within(1e-3));
            Assert.That(factor.NormalVariance, Is.True);
            Assert.That(factor.Kl, Is.EqualTo(information).Within(1e-3));
        });
    }

    [Test]
    public void No_information_is_exactly_zero()
    {
        var logVar = new float[300];
        Array.Fill(logVar, -1.7f);
        var indicators = Indicators.Compute(Synthetic.Backend, new(100, 3, new float[300], logVar));
        Assert.That(indicators.Information, Is.EqualTo(0).Within(1e-6));
        Assert.That(indicators.InfluentialFactors, Is.Zero);
        Assert.That(indicators.ActiveUnits, Is.Zero);
        Assert.That(indicators.NormalVarianceFactors, Is.Zero, "the aggregate variance is e^-1.7");
    }

    [Test]
    public void The_identities_hold_on_irregular_encodings()
    {
        var e = Synthetic.NumPyEncodings(4001);
        var indicators = Indicators.Compute(Synthetic.Backend, e);
        Assert.Multiple(() =>
        {
            Assert.That(indicators.D4, Is.EqualTo(indicators.D5).Within(1e-5 * indicators.D5));
            Assert.That(indicators.D6, Is.EqualTo(indicators.Information).Within(1e-5 * indicators.Information));
            foreach (var f in indicators.Factors)
            {
                Assert.That(f.Information, Is.GreaterThanOrEqualTo(f.CentredInformation - 1e-6));
                Assert.That(f.CentredInformation, Is.GreaterThanOrEqualTo(f.VarianceRatioInformation - 1e-6));
                double centring = 0.5 * Math.Log(1 + f.Mean * f.Mean / (f.MeanVariance + f.VarianceOfMean));
                Assert.That(f.Information - f.CentredInformation, Is.EqualTo(centring).Within(1e-6), "(I2) - (I4)");
                Assert.That(f.KlInformation, Is.EqualTo(f.Information).Within(1e-6), "(D7)");
            }
            Assert.That(indicators.Dtilde, Is.EqualTo(KlInDouble(e)).Within(1e-5));
        });
    }

    [Test]
    public void Two_narrow_clusters_show_that_the_variance_ratio_is_no_lower_bound()
    {
        var (mu, logVar) = (new float[2000], new float[2000]);
        for (int m = 0; m < 2000; m++)
            (mu[m], logVar[m]) = (m % 2 == 0 ? 3 : -3, -4);
        var e = new Encodings(2000, 1, mu, logVar);
        var factor = Indicators.Compute(Synthetic.Backend, e).Factors[0];
        double truth = MixtureInformation.Compute(Synthetic.Backend, e, seed: 1).Information.Value;
        Assert.That(factor.VarianceRatioInformation, Is.EqualTo(3.1).Within(0.01));
        Assert.That(truth, Is.EqualTo(Math.Log(2)).Within(0.001));
    }

    [Test]
    public void A_stream_cut_anywhere_gives_the_same_bits()
    {
        var e = Synthetic.NumPyEncodings(70_001);
        var whole = Indicators.Compute(Synthetic.Backend, e);
        using var moments = new MomentAccumulator(Synthetic.Backend, e.Factors);
        int[] cuts = [1, 7, 52_428, 52_430, 60_000];
        for (int i = 0, from = 0; i <= cuts.Length; i++)
        {
            int to = i < cuts.Length ? cuts[i] : e.Points;
            moments.Add(e.Mu.Span[(from * e.Factors)..(to * e.Factors)], e.LogVar.Span[(from * e.Factors)..(to * e.Factors)]);
            from = to;
        }
        var streamed = moments.Result();
        Assert.That(streamed.Points, Is.EqualTo(70_001));
        for (int h = 0; h < e.Factors; h++)
            Assert.That(streamed.Factors[h], Is.EqualTo(whole.Factors[h]));
    }

    [Test]
    public void The_number_of_threads_does_not_show()
    {
        var e = Synthetic.NumPyEncodings(70_001);
        using var one = new CpuBackend(threads: 1);
        using var three = new CpuBackend(threads: 3);
        Assert.That(Indicators.Compute(three, e).Factors, Is.EqualTo(Indicators.Compute(one, e).Factors));
    }

    [Test]
    public void Order_and_sign_of_factors_do_not_matter()
    {
        var e = Synthetic.NumPyEncodings();
        int[] order = [3, 0, 4, 2, 1];
        var turned = Indicators.Compute(Synthetic.Backend, Synthetic.Rearrange(e, order, [1, -1, -1, 1, -1]));
        var plain = Indicators.Compute(Synthetic.Backend, e);
        for (int h = 0; h < 5; h++)
            Assert.That(turned.Factors[h].Information, Is.EqualTo(plain.Factors[order[h]].Information).Within(1e-12));
        Assert.That(turned.Ranked.Select(f => order[f.Factor]), Is.EqualTo(plain.Ranked.Select(f => f.Factor)));
    }

    [Test]
    public void A_stream_of_millions_keeps_its_digits()
    {
        // The mean of mu^2 drowns in float32 sums long before a million rows.
        const int Rows = 1 << 18, Chunks = 8;
        var (mu, logVar) = (new float[Rows], new float[Rows]);
        var u = Synthetic.Uniform(Rows, 90);
        for (int i = 0; i < Rows; i++)
            (mu[i], logVar[i]) = ((float)(30 + u[i]), (float)(-3 + u[i]));
        using var moments = new MomentAccumulator(Synthetic.Backend, 1);
        for (int c = 0; c < Chunks; c++)
            moments.Add(mu, logVar);
        var factor = moments.Result().Factors[0];
        double variance = logVar.Average(v => Math.Exp(v)), square = mu.Average(v => (double)v * v),
            logarithm = logVar.Average(v => (double)v);
        Assert.That(factor.Information, Is.EqualTo(0.5 * (Math.Log(variance + square) - logarithm)).Within(1e-6));
        Assert.That(factor.VarianceOfMean, Is.EqualTo(1.0 / 12).Within(1e-3));
    }

    [TestCase(float.NaN, 0f, "mu of factor 1 in row 2 is NaN")]
    [TestCase(float.PositiveInfinity, 0f, "mu of factor 1 in row 2 is")]
    [TestCase(0f, float.NaN, "logvar of factor 1 in row 2 is NaN")]
    [TestCase(0f, 89f, "logvar of factor 1 in row 2 is 89, expected at most 88")]
    public void Bad_entries_are_named(float badMu, float badLogVar, string expected)
    {
        var (mu, logVar) = (new float[200], new float[200]);
        (mu[5], logVar[5]) = (badMu, badLogVar);
        var error = Assert.Throws<EstimatorException>(() => Indicators.Compute(Synthetic.Backend, new(100, 2, mu, logVar)));
        Assert.That(error!.Message, Does.Contain(expected).And.Contain("check"));
    }

    [Test]
    public void Wrong_lengths_are_refused()
    {
        Assert.That(() => new Encodings(3, 2, new float[6], new float[5]),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("logVar has 5 values where [3, 2] needs 6"));
        using var moments = new MomentAccumulator(Synthetic.Backend, 4);
        Assert.That(() => moments.Add(new float[6], new float[6]), Throws.TypeOf<EstimatorException>());
        Assert.That(moments.Result, Throws.TypeOf<EstimatorException>().With.Message.Contains("no encodings"));
    }

    [Test]
    public void Reduced_reconstruction_keeps_the_most_informative_share()
    {
        var indicators = Indicators.Compute(Synthetic.Backend, Synthetic.Gaussian(5000, 0.3, 2, 0.1, 1, 0));
        var kept = ReducedReconstruction.Keep(indicators, 30);
        Assert.Multiple(() =>
        {
            Assert.That(kept.Factors, Is.EqualTo([1, 3]), "30 % of 5 factors rounds up to 2");
            Assert.That(kept.Information, Is.EqualTo(3).Within(0.01));
            Assert.That(kept.Mask(5), Is.EqualTo([0, 1, 0, 1, 0]));
            Assert.That(ReducedReconstruction.Keep(indicators, 20).Factors, Has.Count.EqualTo(1));
            Assert.That(ReducedReconstruction.Keep(indicators, 0).Factors, Is.Empty);
            Assert.That(ReducedReconstruction.Keep(indicators, 100).Factors, Has.Count.EqualTo(5));
            Assert.That(() => ReducedReconstruction.Keep(indicators, 101), Throws.TypeOf<EstimatorException>());
        });
    }

    private static double KlInDouble(Encodings e)
    {
        double kl = 0;
        for (int i = 0; i < e.Mu.Length; i++)
            kl += 0.5 * (Math.Exp(e.LogVar.Span[i]) + (double)e.Mu.Span[i] * e.Mu.Span[i] - 1 - e.LogVar.Span[i]) / e.Points;
        return kl;
    }
}
