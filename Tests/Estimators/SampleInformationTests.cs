using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>Estimators that see samples only, on Gaussian pairs with I = -1/2 log(1 - rho^2) per dimension.</summary>
public sealed class SampleInformationTests
{
    [TestCase(0.0, 1)]
    [TestCase(0.5, 1)]
    [TestCase(0.95, 1)]
    [TestCase(0.999, 1)]
    [TestCase(0.6, 3)]
    public void Kraskov_finds_the_information_of_gaussians(double rho, int columns)
    {
        var (x, y) = Pairs(3000, columns, rho);
        var estimate = SampleInformation.Kraskov(x, columns, y, columns);
        Assert.That(estimate.Value, Is.EqualTo(columns * Gaussian.Information(rho)).Within(4 * estimate.StandardError + 0.02 * columns));
        Assert.That(estimate.Bound, Is.EqualTo(BoundKind.Neither));
    }

    [Test]
    public void Kraskov_saturates_at_its_ceiling()
    {
        var x = Synthetic.Normal(500, 1).Select(v => (float)v).ToArray();
        var estimate = SampleInformation.Kraskov(x, 1, x, 1);
        Assert.That(estimate.Ceiling, Is.EqualTo(5.285).Within(0.01), "psi(500) - psi(3)");
        Assert.That(estimate.Value, Is.LessThanOrEqualTo(estimate.Ceiling + 1e-9).And.GreaterThan(estimate.Ceiling - 0.5),
            "the information of a copy is infinite");
    }

    [Test]
    public void Kraskov_does_not_care_about_scale()
    {
        var (x, y) = Pairs(400, 1, 0.8);
        var plain = SampleInformation.Kraskov(x, 1, y, 1);
        var scaled = SampleInformation.Kraskov(Array.ConvertAll(x, v => 1024 * v), 1, Array.ConvertAll(y, v => -v / 64), 1);
        Assert.That(scaled.Value, Is.EqualTo(plain.Value).Within(1e-12));
    }

    [Test]
    public void Points_that_coincide_are_counted()
    {
        Assert.That(SampleInformation.Kraskov(new float[10], 1, new float[10], 1).Value, Is.EqualTo(0).Within(1e-12),
            "two constants say nothing about each other");
        Assert.That(() => SampleInformation.Kraskov(new float[10], 1, new float[9], 1),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("same number of rows"));
        Assert.That(() => SampleInformation.Kraskov([1, 2, float.NaN], 1, [1, 2, 3], 1, 1),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("column 0"));
    }

    [Test]
    public void Binning_hides_some_information_and_is_capped()
    {
        var (x, y) = Pairs(20_000, 1, 0.8);
        var estimate = SampleInformation.Binned(x, y);
        Assert.That(estimate.Value, Is.EqualTo(Gaussian.Information(0.8)).Within(0.03));
        Assert.That(SampleInformation.Binned(x, x).Value, Is.EqualTo(Math.Log(20)).Within(1e-9));
        Assert.That(estimate.Ceiling, Is.EqualTo(Math.Log(20)));
        var (a, b) = Pairs(20_000, 1, 0);
        Assert.That(SampleInformation.Binned(a, b).Value, Is.EqualTo(19.0 * 19 / (2 * 20_000)).Within(0.004), "the bias of finite counts");
    }

    [Test]
    public void Bins_have_equal_width_or_equal_counts()
    {
        float[] values = [0, 1, 2, 3, 10];
        Assert.That(Binning.EqualWidth(values, 5), Is.EqualTo([0, 0, 1, 1, 4]));
        Assert.That(Binning.EqualFrequency(values, 5), Is.EqualTo([0, 1, 2, 3, 4]));
        Assert.That(Binning.EqualWidth([7, 7, 7], 5), Is.EqualTo([0, 0, 0]));
    }

    internal static (float[] X, float[] Y) Pairs(int points, int columns, double rho)
    {
        var (x, y) = (new float[points * columns], new float[points * columns]);
        for (int c = 0; c < columns; c++)
        {
            var (a, b) = (Synthetic.Normal(points, 200 + (ulong)c), Synthetic.Normal(points, 300 + (ulong)c));
            for (int i = 0; i < points; i++)
            {
                x[i * columns + c] = (float)a[i];
                y[i * columns + c] = (float)(rho * a[i] + Math.Sqrt(1 - rho * rho) * b[i]);
            }
        }
        return (x, y);
    }
}
