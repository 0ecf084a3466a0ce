using MathNet.Numerics.LinearAlgebra;
using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>Do models find the same factors, or the true ones: MCC and UDR; and a mixture fitted to codes.</summary>
public sealed class IdentifiabilityTests
{
    private const int Points = 2000;

    [Test]
    public void Mcc_is_one_up_to_order_sign_and_scale_and_falls_when_factors_are_turned()
    {
        float[][] factors = [Normal(1), Normal(2), Normal(3)];
        float[][] same = [Scaled(factors[2], -3), Scaled(factors[0], 0.1), Normal(9), Scaled(factors[1], 7)];
        Assert.That(Mcc.OfColumns(same, factors), Is.EqualTo(1).Within(1e-6));
        // Each of the turned factors has correlation cos(45 degrees) with the one it is matched to; the third is found.
        double c = Math.Sqrt(0.5);
        float[][] turned = [Sum(factors[0], c, factors[1], c), Sum(factors[0], c, factors[1], -c), factors[2]];
        Assert.That(Mcc.OfColumns(turned, factors), Is.EqualTo((2 * c + 1) / 3).Within(0.02));
        Assert.That(Mcc.OfColumns([Normal(20), Normal(21), Normal(22)], factors), Is.LessThan(0.1));
        Assert.That(Mcc.OfColumns([new float[Points]], [factors[0]]), Is.Zero, "a constant says nothing");
    }

    [Test]
    public void Mcc_of_labelled_codes_leaves_out_what_has_no_order()
    {
        int[] factors = [.. Enumerable.Range(0, Points).SelectMany(m => (int[])[m % 3, m / 3 % 5])];
        float[] codes = [.. Enumerable.Range(0, Points).SelectMany(m => (float[])[-2f * (m / 3 % 5), 1])];
        Assert.That(Mcc.Compute(new(Points, codes, factors, [true, false]), 1), Is.EqualTo(1).Within(1e-6));
        Assert.That(() => Mcc.Compute(new(Points, codes, factors, [true, true]), 1),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("order"));
    }

    /// <summary>Duan et al. (2020), equation 3: one informative factor in each direction scores r^2 / sum r.</summary>
    [Test]
    public void Udr_is_one_for_equal_models_up_to_order_and_a_monotone_map()
    {
        float[] a = Normal(1), b = Normal(2);
        var first = new ComparedCodes([a, b, Normal(5)], [2, 1, 0.001]);
        var second = new ComparedCodes([Array.ConvertAll(b, v => -MathF.Exp(v)), Array.ConvertAll(a, v => v * v * v)], [1, 2]);
        double[] equal = Udr.Scores([first, second]);
        Assert.That(equal, Has.All.InRange(0.9, 1.0), "what is left is the chance correlation of a and b");
        // Turned by 45 degrees every factor of one is as like both of the other: r = c each, c^2 / 2c = c / 2.
        double c = Math.Sqrt(0.5);
        var turned = new ComparedCodes([Sum(a, c, b, c), Sum(a, c, b, -c)], [1, 1]);
        Assert.That(Udr.Scores([first, turned])[0], Is.EqualTo(c / 2).Within(0.03));
        double[] three = Udr.Scores([first, second, turned]);
        Assert.That(three[0], Is.EqualTo(0.5 * (equal[0] + Udr.Scores([first, turned])[0])).Within(1e-9), "the median of two");
        Assert.That(Udr.Scores([new([a], [0]), new([b], [0])]), Is.All.Zero, "nothing is informative");
        Assert.That(() => Udr.Scores([first]), Throws.TypeOf<EstimatorException>().With.Message.Contains("at least two"));
    }

    [Test]
    public void A_fitted_mixture_finds_two_clusters_and_gains_their_density()
    {
        // Half at -4, half at 4 in the first of two factors, standard deviation 1/2: the density is known.
        double[] noise = Synthetic.Normal(2 * Points, 77);
        var codes = Matrix<double>.Build.Dense(Points, 2, (m, h) => 0.5 * noise[2 * m + h] + (h == 0 ? m % 2 == 0 ? -4 : 4 : 0));
        var fit = GaussianMixtureFit.Fit(codes, 2, seed: 3);
        Assert.That(fit.Weights, Is.All.EqualTo(0.5).Within(0.01));
        Assert.That(fit.Means.Select(m => m[0]).Order(), Is.EqualTo(new double[] { -4, 4 }).Within(0.05));
        // h of the mixture: log 2 + log(2 pi e / 4).
        Assert.That(-fit.LogDensity(codes).Average(), Is.EqualTo(Math.Log(2) + Math.Log(2 * Math.PI * Math.E * 0.25)).Within(0.05));
        var drawn = fit.Sample(4000, seed: 1);
        Assert.That(drawn.Column(0).Count(v => v > 0) / 4000.0, Is.EqualTo(0.5).Within(0.03));
        Assert.That(drawn.Column(0).Select(v => (Math.Abs(v) - 4) * (Math.Abs(v) - 4)).Average(), Is.EqualTo(0.25).Within(0.02));
        Assert.That(drawn.Row(0), Is.EqualTo(fit.Sample(4000, seed: 1).Row(0)), "the seed decides");
        Assert.That(() => GaussianMixtureFit.Fit(codes, Points + 1, 1), Throws.TypeOf<EstimatorException>());
    }

    private static float[] Normal(ulong seed) => [.. Synthetic.Normal(Points, 500 + seed).Select(v => (float)v)];

    private static float[] Scaled(float[] x, double factor) => Array.ConvertAll(x, v => (float)(factor * v));

    private static float[] Sum(float[] x, double a, float[] y, double b) => [.. x.Select((v, i) => (float)(a * v + b * y[i]))];
}
