using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Synthetic;

namespace VaeFromScratch.Tests.Engine.Data;

internal sealed class SyntheticSetTests
{
    [Test]
    public void Shapes_lie_where_their_factors_say()
    {
        var set = SyntheticShapes.Create(400, seed: 2);
        Assert.That(set.Factors!.Sizes, Is.EqualTo(new[] { 3, 12, 12, 5, 10 }));
        for (int i = 0; i < set.Count; i++)
        {
            var image = set.Image(i);
            double mass = 0, x = 0, y = 0;
            for (int p = 0; p < image.Length; p++)
                (mass, x, y) = (mass + image[p], x + image[p] * (p % 32 + 0.5), y + image[p] * (p / 32 + 0.5));
            float[] values = set.Factors.Values[(5 * i)..(5 * i + 5)];
            // A square's centre is its middle; the others' lie within the shape.
            double slack = values[0] == 0 ? 0.15 : 32 * values[3] * 0.6;
            Assert.That(x / mass, Is.EqualTo(32 * values[1]).Within(slack), $"column of image {i}");
            Assert.That(y / mass, Is.EqualTo(32 * values[2]).Within(slack), $"row of image {i}");
            if (values[0] == 0)
                Assert.That(mass / 255, Is.EqualTo(Math.Pow(2 * 0.8 * 32 * values[3], 2)).Within(2.5), $"area of image {i}");
            Assert.That(set.Labels![i], Is.EqualTo(set.Factors.Classes[5 * i]));
        }
    }

    [Test]
    public void Different_factors_give_different_pictures()
    {
        var set = SyntheticShapes.Create(3000);
        var byFactors = new Dictionary<string, byte[]>();
        for (int i = 0; i < set.Count; i++)
            byFactors[string.Join(',', set.Factors!.Classes[(5 * i)..(5 * i + 5)])] = set.Image(i).ToArray();
        Assert.That(byFactors.Values.Select(Convert.ToHexString).Distinct().Count(), Is.EqualTo(byFactors.Count));
    }

    [Test]
    public void The_same_seed_gives_the_same_set_and_a_prefix_is_a_shorter_set()
    {
        var set = SyntheticShapes.Create(50);
        Assert.That(SyntheticShapes.Create(20).Pixels, Is.EqualTo(set.Take(20).Pixels));
        Assert.That(SyntheticShapes.Create(50, seed: 2).Pixels, Is.Not.EqualTo(set.Pixels));
        Assert.That(SyntheticShapes.Create(50, split: "test").Pixels, Is.Not.EqualTo(set.Pixels));
        var gaussian = new GaussianFactors(new() { Factors = 3 });
        Assert.That(gaussian.Create(20).Pixels, Is.EqualTo(gaussian.Create(50).Take(20).Pixels));
        Assert.That(gaussian.Create(20, "test").Pixels, Is.Not.EqualTo(gaussian.Create(20).Pixels));
    }

    [Test]
    public void The_map_of_Gaussian_factors_is_one_to_one_and_of_rank_P_everywhere()
    {
        const int p = 5;
        var map = new GaussianFactors(new() { Factors = p });
        var random = new Random(3);
        for (int point = 0; point < 20; point++)
        {
            double[] y = [.. Enumerable.Range(0, p).Select(_ => 2.5 * (2 * random.NextDouble() - 1))];
            double[] at = map.Picture(y);
            double[][] slopes = [.. Enumerable.Range(0, p).Select(i =>
            {
                double[] moved = [.. y];
                moved[i] += 1e-5;
                return map.Picture(moved).Zip(at, (a, b) => (a - b) / 1e-5).ToArray();
            })];
            Assert.That(SmallestSingularValueSquared(slopes), Is.GreaterThan(1e-4), "the Jacobian has full rank");
        }
    }

    [Test]
    public void Factors_are_standard_normal_and_pixels_rarely_clamped()
    {
        var set = new GaussianFactors(new() { Factors = 4 }).Create(4000);
        for (int f = 0; f < 4; f++)
        {
            double[] values = [.. Enumerable.Range(0, set.Count).Select(i => (double)set.Factors!.Values[4 * i + f])];
            Assert.That(values.Average(), Is.Zero.Within(0.07));
            Assert.That(values.Average(v => v * v), Is.EqualTo(1).Within(0.1));
        }
        Assert.That(Enumerable.Range(0, 10).Select(d => set.Factors!.Classes.Count(c => c == d) / 16000.0),
            Is.All.EqualTo(0.1).Within(0.012), "deciles");
        Assert.That(set.Pixels.Count(b => b is 0 or 255) / (double)set.Pixels.Length, Is.LessThan(0.001));
        double mean = set.Pixels.Average(b => b / 255.0);
        Assert.That(set.Pixels.Average(b => Math.Pow(b / 255.0 - mean, 2)), Is.EqualTo(0.01).Within(0.004), "variance of the signal");
    }

    [TestCase(PlantedNoise.Gaussian)]
    [TestCase(PlantedNoise.PerPixel)]
    [TestCase(PlantedNoise.Mixture)]
    public void Planted_noise_has_the_variance_it_says(PlantedNoise kind)
    {
        var clean = new GaussianFactors(new() { Factors = 3, Seed = 4 });
        var noisy = new GaussianFactors(new() { Factors = 3, Seed = 4, Noise = kind, Deviation = 0.02 });
        var set = noisy.Create(3000);
        double[] left = new double[3000], right = new double[3000], fourth = new double[3000];
        for (int i = 0; i < set.Count; i++)
        {
            double[] picture = clean.Picture([.. set.Factors!.Values[(3 * i)..(3 * i + 3)].Select(v => (double)v)]);
            double Residual(int pixel) => Math.Pow(set.Image(i)[pixel] / 255.0 - picture[pixel], 2);
            (left[i], right[i]) = (Residual(28 * 14 + 3), Residual(28 * 14 + 24));
            fourth[i] = left[i] * left[i];
        }
        const double rounding = 1 / (12 * 255.0 * 255);
        Assert.That(left.Average(), Is.EqualTo(noisy.NoiseVariance(28 * 14 + 3) + rounding).Within(15).Percent);
        Assert.That(right.Average(), Is.EqualTo(noisy.NoiseVariance(28 * 14 + 24) + rounding).Within(15).Percent);
        double kurtosis = fourth.Average() / Math.Pow(left.Average(), 2);
        Assert.That(kurtosis, kind == PlantedNoise.Mixture ? Is.GreaterThan(10) : Is.EqualTo(3).Within(0.5));
    }

    [TestCase("synthetic-shapes")]
    [TestCase("synthetic-gaussian")]
    [TestCase("synthetic-noise")]
    [TestCase("synthetic-noise-pixel")]
    [TestCase("synthetic-noise-mixture")]
    public void Made_sets_need_no_files(string name)
    {
        string nowhere = TestFiles.Folder("nothing");
        var info = DatasetCatalogue.Find(name);
        Assert.That(info.IsPresent(nowhere));
        var (train, test) = info.Load(nowhere);
        Assert.That((train.Count, test.Count, train.Split, test.Split), Is.EqualTo((20_000, 5_000, "train", "test")));
        Assert.That(train.Name, Is.EqualTo(name));
        Assert.That(Directory.GetFileSystemEntries(nowhere), Is.Empty);
    }

    [Test]
    public void Unusual_numbers_of_factors_are_refused() =>
        Assert.That(() => new GaussianFactors(new() { Factors = 65 }), Throws.ArgumentException.With.Message.Contains("65 factors"));

    /// <summary>The smallest eigenvalue of the Gram matrix, by inverse power iteration through a plain solve.</summary>
    private static double SmallestSingularValueSquared(double[][] rows)
    {
        int n = rows.Length;
        double[] v = [.. Enumerable.Range(0, n).Select(i => 1.0 + 0.1 * i)];
        double[,] gram = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                gram[i, j] = rows[i].Zip(rows[j], (a, b) => a * b).Sum();
        double eigenvalue = 0;
        for (int iteration = 0; iteration < 100; iteration++)
        {
            double[] w = Solve((double[,])gram.Clone(), [.. v]);
            double length = Math.Sqrt(w.Sum(x => x * x));
            eigenvalue = Math.Sqrt(v.Sum(x => x * x)) / length;
            v = [.. w.Select(x => x / length)];
        }
        return eigenvalue;
    }

    private static double[] Solve(double[,] a, double[] b)
    {
        int n = b.Length;
        for (int k = 0; k < n; k++)
            for (int i = k + 1; i < n; i++)
            {
                double f = a[i, k] / a[k, k];
                for (int j = k; j < n; j++)
                    a[i, j] -= f * a[k, j];
                b[i] -= f * b[k];
            }
        for (int i = n - 1; i >= 0; i--)
        {
            for (int j = i + 1; j < n; j++)
                b[i] -= a[i, j] * b[j];
            b[i] /= a[i, i];
        }
        return b;
    }
}
