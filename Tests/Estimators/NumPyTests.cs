using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>Against the numbers that Tests/Interop/estimators.py printed (NumPy 1.24), on data that both make with the same bits.</summary>
public sealed class NumPyTests
{
    [Test]
    public void Information_metrics()
    {
        var data = LabelledCodes();
        var information = InformationMetrics.BinnedInformation(data);
        Assert.Multiple(() =>
        {
            Assert.That(information[0, 1], Is.EqualTo(1.3305952418390636).Within(1e-9));
            Assert.That(information[1, 2], Is.EqualTo(0.7196418238665387).Within(1e-9));
            Assert.That(information[4, 0], Is.EqualTo(0.9862351436338073).Within(1e-9));
            Assert.That(InformationMetrics.Mig(data, 1), Is.EqualTo(0.6102285367692468).Within(1e-9));
            Assert.That(InformationMetrics.Modularity(data, 1), Is.EqualTo(0.9194315810892171).Within(1e-9));
        });
    }

    [Test]
    public void Prediction_metrics()
    {
        var data = LabelledCodes();
        var scores = Sap.Scores(data);
        double sap = Enumerable.Range(0, 4).Average(f =>
        {
            var (first, second) = InformationMetrics.TopTwo(scores, f);
            return first - second;
        });
        var dci = Dci.Fit(data);
        Assert.Multiple(() =>
        {
            Assert.That(sap, Is.EqualTo(0.7084127725017392).Within(1e-9));
            Assert.That(dci.Disentanglement, Is.EqualTo(0.6315399542147032).Within(1e-6));
            Assert.That(dci.Completeness, Is.EqualTo(0.7265158836324007).Within(1e-6));
            Assert.That(dci.Informativeness, Is.EqualTo(0.7781367456926036).Within(1e-6));
        });
    }

    [Test]
    public void Fixed_factor_scores()
    {
        // NumPy with its own draws, two seeds: 0.678 and 0.670, 0.734 and 0.738.
        var data = EntangledCodes();
        Assert.That(FactorVaeScore.Compute(data, 1, votes: 5000, batch: 8), Is.EqualTo(0.674).Within(0.02));
        Assert.That(BetaVaeScore.Compute(data, 1, train: 4000, test: 4000, pairs: 8), Is.EqualTo(0.736).Within(0.025));
    }

    [Test]
    public void Kraskov()
    {
        var (a, b, c) = (Synthetic.Uniform(1000, 30), Synthetic.Uniform(1000, 31), Synthetic.Uniform(1000, 32));
        var (x, y) = (new float[2000], new float[1000]);
        for (int i = 0; i < 1000; i++)
        {
            (x[2 * i], x[2 * i + 1]) = ((float)a[i], (float)b[i]);
            y[i] = (float)((double)x[2 * i] * x[2 * i + 1] + 0.1 * c[i]);
        }
        Assert.That(SampleInformation.Kraskov(x, 2, y, 1).Value, Is.EqualTo(1.7334673693629492).Within(1e-9));
    }

    [Test]
    public void Indicators_of_encodings()
    {
        var indicators = Indicators.Compute(Synthetic.Backend, Synthetic.NumPyEncodings());
        double[] i2 = [0.020994668394323016, 0.317852325549712, 1.1929330595304595, 2.042914080881504, 3.0739883841656948];
        double[] i4 = [0.020994668394323016, 0.31701653090089465, 1.1908721705722578, 2.04288372897099, 3.0730944624940624];
        double[] i5 = [0, 0.29592318073445245, 1.170977460396553, 2.0229005287543997, 3.0496620389727864];
        Assert.Multiple(() =>
        {
            for (int h = 0; h < 5; h++)
            {
                Assert.That(indicators.Factors[h].Information, Is.EqualTo(i2[h]).Within(1e-6), $"(I2) {h}");
                Assert.That(indicators.Factors[h].CentredInformation, Is.EqualTo(i4[h]).Within(1e-6), $"(I4) {h}");
                Assert.That(indicators.Factors[h].VarianceRatioInformation, Is.EqualTo(i5[h]).Within(1e-6), $"(I5) {h}");
            }
            Assert.That(indicators.Dtilde, Is.EqualTo(9.88920834976997).Within(1e-5));
        });
        Assert.That(CategoryInformation.Compute(Synthetic.NumPyEncodings()).Information.Value,
            Is.EqualTo(0.22994163009637802).Within(1e-6));
    }

    [Test]
    public void Mixture_of_encodings()
    {
        // NumPy averaged 200 draws per point, which leaves its error negligible beside the one draw here.
        double[] information = [0.018875449239181857, 0.31618739750164315, 1.1242427220037365, 1.9197140806617268, 3.013672514700525];
        double[] priorKl = [0.0018086205282355104, 0.030622676476977504, 0.10606961996245529, 0.6032662430065565, 2.7565763331495092];
        var mixture = MixtureInformation.Compute(Synthetic.Backend, Synthetic.NumPyEncodings(), seed: 1);
        Assert.Multiple(() =>
        {
            for (int h = 0; h < 5; h++)
            {
                var f = mixture.Factors[h];
                Assert.That(f.Information.Value, Is.EqualTo(information[h]).Within(4 * f.Information.StandardError + 1e-3), $"(I6) {h}");
                Assert.That(f.PriorKl.Value, Is.EqualTo(priorKl[h]).Within(4 * f.PriorKl.StandardError + 1e-3), $"(X2) {h}");
            }
            Expect(mixture.Information, 5.351448463620247, "(X1)");
            Expect(mixture.TotalCorrelation, 1.041243700486567, "(X3)");
            Expect(mixture.Joint!.Information, 5.436344525135661, "(X3) I(x; y, z)");
            Expect(mixture.Joint.TotalCorrelation, 1.1918028288427505, "(X3) TC(y; z)");
        });

        static void Expect(Estimate estimate, double expected, string what) =>
            Assert.That(estimate.Value, Is.EqualTo(expected).Within(4 * estimate.StandardError + 1e-3), what);
    }

    [Test]
    public void Ssim_of_a_set()
    {
        const int N = 7, Height = 14, Width = 17, Channels = 2;
        var u = Synthetic.Uniform(N * Height * Width * Channels, 70);
        var images = new float[u.Length];
        for (int i = 0; i < u.Length; i++)
        {
            int x = i / Channels % Width, n = i / (Height * Width * Channels);
            images[i] = (float)(0.4 * u[i] + 0.6 * (x / (double)(Width - 1) * n / N));
        }
        var ssim = new Ssim(Height, Width, Channels, range: 1);
        int size = Height * Width * Channels;
        var set = ssim.OfSet(images);
        Assert.That(ssim.Compare(images.AsSpan(0, size), images.AsSpan(size, size)), Is.EqualTo(0.09948194272018199).Within(1e-7));
        Assert.That(set.MeanWithSelf, Is.EqualTo(0.21628349356365298).Within(1e-7));
        Assert.That(set.MeanWithoutSelf, Is.EqualTo(0.08566407582426182).Within(1e-7));
    }

    internal static LabelledCodes LabelledCodes(int points = 2000)
    {
        var f = Factors(points);
        var codes = new double[points, 6];
        var n = Enumerable.Range(0, 6).Select(h => Synthetic.Uniform(points, 20 + (ulong)h)).ToArray();
        double[] shape = [0, 1, -1];
        for (int m = 0; m < points; m++)
        {
            codes[m, 0] = f[m * 4 + 1] / 4.0 + 0.3 * (n[0][m] - 0.5);
            codes[m, 1] = 0.8 * f[m * 4 + 2] / 3 + 0.5 * f[m * 4 + 3] / 7 + 0.2 * (n[1][m] - 0.5);
            codes[m, 2] = f[m * 4 + 3] / 7.0 + 0.3 * f[m * 4 + 1] / 4 + 0.1 * (n[2][m] - 0.5);
            codes[m, 3] = n[3][m] - 0.5;
            codes[m, 4] = shape[f[m * 4]] + 0.4 * f[m * 4 + 2] / 3 + 0.9 * (n[4][m] - 0.5);
            codes[m, 5] = 0.02 * (n[5][m] - 0.5);
        }
        return new(points, Synthetic.Flatten(codes), f, [true, false, false, false]);
    }

    internal static LabelledCodes EntangledCodes(int points = 2000)
    {
        var f = Factors(points);
        var codes = new double[points, 5];
        var n = Enumerable.Range(0, 5).Select(h => Synthetic.Uniform(points, 80 + (ulong)h)).ToArray();
        for (int m = 0; m < points; m++)
        {
            double a = f[m * 4] / 2.0, b = f[m * 4 + 1] / 4.0, c = f[m * 4 + 2] / 3.0, d = f[m * 4 + 3] / 7.0;
            double[] row = [a + b, a - b, c + 0.8 * d, d + 0.4 * c];
            for (int h = 0; h < 4; h++)
                codes[m, h] = row[h] + 0.3 * (n[h][m] - 0.5);
            codes[m, 4] = 0.02 * (n[4][m] - 0.5);
        }
        return new(points, Synthetic.Flatten(codes), f);
    }

    private static int[] Factors(int points)
    {
        int[] sizes = [3, 5, 4, 8];
        var factors = new int[points * 4];
        for (int k = 0; k < 4; k++)
        {
            var u = Synthetic.Uniform(points, 10 + (ulong)k);
            for (int m = 0; m < points; m++)
                factors[m * 4 + k] = (int)(u[m] * sizes[k]);
        }
        return factors;
    }
}
