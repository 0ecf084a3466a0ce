using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Quality;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>(M7), (G7), (R3), (T4).</summary>
public sealed class QualityTests
{
    [Test]
    public void Importance_sampling_finds_the_likelihood_of_a_gaussian()
    {
        // p(z) = N(0, 1), p(x|z) = N(z, 1), so p(x) = N(0, 2); q is a little off the posterior N(x / 2, 1 / 2).
        const int Images = 50, Samples = 2000;
        var likelihood = new ImportanceLikelihood(Images);
        var random = new Random(3);
        var weights = new float[Images];
        double few = 0;
        for (int s = 0; s < Samples; s++)
        {
            for (int i = 0; i < Images; i++)
            {
                double x = 0.1 * i - 2, mean = 0.5 * x + 0.1,
                    z = mean + Math.Sqrt(0.7) * MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
                weights[i] =
                    (float)(Gaussian.LogDensity(x, z, 0) + Gaussian.LogDensity(z, 0, 0) - Gaussian.LogDensity(z, mean, Math.Log(0.7)));
            }
            likelihood.Add(weights);
            if (s == 0)
                few = likelihood.Result().Nll.Value;
        }
        double truth = Enumerable.Range(0, Images).Average(i => -Gaussian.LogDensity(0.1 * i - 2, 0, Math.Log(2)));
        var result = likelihood.Result();
        Assert.That(result.Nll.Value, Is.EqualTo(truth).Within(4 * result.SamplingError + 1e-4));
        Assert.That(result.SamplingError, Is.GreaterThan(0).And.LessThan(0.01));
        Assert.That(result.Nll.Value, Is.LessThan(few), "the bound falls as samples are added");
        Assert.That(result.SmallestEffectiveSamples, Is.InRange(1, Samples));
        Assert.That(result.Nll.Bound, Is.EqualTo(BoundKind.Upper));
    }

    [Test]
    public void Weights_of_any_size_do_not_overflow()
    {
        var likelihood = new ImportanceLikelihood(2);
        likelihood.Add([-2000, 1000]);
        likelihood.Add([float.NegativeInfinity, 1000]);
        likelihood.Add([-1990, 1000]);
        Assert.That(likelihood.PerImage()[0], Is.EqualTo(1990 + Math.Log(3) - Math.Log(1 + Math.Exp(-10))).Within(1e-9));
        Assert.That(likelihood.PerImage()[1], Is.EqualTo(-1000).Within(1e-9));
        Assert.That(() => likelihood.Add([0, float.NaN]), Throws.TypeOf<EstimatorException>().With.Message.Contains("image 1 is NaN"));
        Assert.That(() => new ImportanceLikelihood(1).Result(), Throws.TypeOf<EstimatorException>().With.Message.Contains("image 0"));
    }

    [Test]
    public void Ssim_of_an_image_with_itself_is_one_and_of_its_negative_below_zero()
    {
        var ssim = new Ssim(16, 12, 1, range: 1);
        float[] image = [.. Synthetic.Uniform(16 * 12, 1).Select(v => (float)v)];
        Assert.That(ssim.Compare(image, image), Is.EqualTo(1).Within(1e-9));
        Assert.That(ssim.Compare(image, Array.ConvertAll(image, v => 1 - v)), Is.LessThan(-0.5));
        Assert.That(ssim.Compare(new float[192], new float[192]), Is.EqualTo(1).Within(1e-12), "black images are equal, not 0 / 0");
    }

    [Test]
    public void Constant_images_differ_in_luminance_only()
    {
        var ssim = new Ssim(11, 11, 1, range: 1);
        var (a, b) = (new float[121], new float[121]);
        Array.Fill(a, 0.25f);
        Array.Fill(b, 0.75f);
        double expected = (2 * 0.25 * 0.75 + 1e-4) / (0.0625 + 0.5625 + 1e-4);
        Assert.That(ssim.Compare(a, b), Is.EqualTo(expected).Within(1e-7));
        Assert.That(new Ssim(11, 11, 1, range: 2).Compare(a, b), Is.EqualTo((0.375 + 4e-4) / (0.625 + 4e-4)).Within(1e-7),
            "the range scales the constants");
    }

    [Test]
    public void A_set_counts_every_ordered_pair()
    {
        const int N = 37, Size = 13 * 13;
        var ssim = new Ssim(13, 13, 1, range: 1);
        float[] images = [.. Synthetic.Uniform(N * Size, 5).Select((v, i) => (float)(0.5 * v + 0.5 * (i / Size) / N))];
        double sum = 0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                if (i != j)
                    sum += ssim.Compare(images.AsSpan(i * Size, Size), images.AsSpan(j * Size, Size));
        var set = ssim.OfSet(images);
        Assert.That(set.MeanWithoutSelf, Is.EqualTo(sum / (N * (N - 1))).Within(1e-9));
        Assert.That(set.MeanWithSelf, Is.EqualTo((sum + N) / (N * N)).Within(1e-9));
        Assert.That(set.Negative, Is.EqualTo(0.5 * (1 - set.MeanWithSelf)));
        Assert.That(set.NegativeWithoutSelf, Is.GreaterThan(set.Negative));
    }

    [Test]
    public void Ssim_refuses_what_it_cannot_compare()
    {
        Assert.That(() => new Ssim(10, 28, 1, 1), Throws.TypeOf<EstimatorException>().With.Message.Contains("11 x 11"));
        Assert.That(() => new Ssim(28, 28, 1, 0), Throws.TypeOf<EstimatorException>());
        Assert.That(() => new Ssim(11, 11, 1, 1).OfSet(new float[121]), Throws.TypeOf<EstimatorException>());
    }

    [Test]
    public void Fano_binds_the_error_of_a_noisy_channel()
    {
        // Ten classes; the label survives with probability 0.7 and is replaced uniformly otherwise: the best error is 0.27.
        const double Keep = 0.7;
        double right = Keep + (1 - Keep) / 10, wrong = (1 - Keep) / 10;
        double information = Math.Log(10) + right * Math.Log(right) + 9 * wrong * Math.Log(wrong);
        double bound = InformationBounds.Fano(Math.Log(10), information, 10);
        Assert.That(bound, Is.GreaterThan(0.05).And.LessThanOrEqualTo(1 - right));
        Assert.That(InformationBounds.Fano(Math.Log(10), Math.Log(10), 10), Is.Zero);
        Assert.That(InformationBounds.Fano(Math.Log(10), 0, 10), Is.EqualTo(1 - Math.Log(2) / Math.Log(10)).Within(1e-12));
    }

    [Test]
    public void The_reconstruction_bound_is_met_by_the_gaussian_channel()
    {
        // X ~ N(0, s2 I_D) sent through z = X + noise: error per dimension s2 n2 / (s2 + n2), information D / 2 log(1 + s2 / n2). Equality
        // holds.
        const int D = 3;
        const double S2 = 2, N2 = 0.5;
        double entropy = D * 0.5 * Math.Log(2 * Math.PI * Math.E * S2), information = D * 0.5 * Math.Log(1 + S2 / N2);
        Assert.That(InformationBounds.SquaredError(entropy, information, D), Is.EqualTo(S2 * N2 / (S2 + N2)).Within(1e-12));
    }
}
