using NUnit.Framework;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>(Q1), (Q3) on decoders whose information is known.</summary>
public sealed class QBoundTests : OnCpu
{
    private static readonly QBoundOptions Options = new([32], LearningRate: 3e-3, MaximumPasses: 20);

    [Test]
    public void A_linear_gaussian_decoders_information_bounds_the_bound_from_above()
    {
        // x' = 2 z (1, -1) / sqrt 2 + noise of variance 1 in each pixel: I(z; x') = log(1 + 4) / 2.
        const int points = 4000;
        double truth = 0.5 * Math.Log(5), entropy = 0.5 * Math.Log(2 * Math.PI * Math.E);
        var bound = new QBound(Options).Fit(Compute, Draw, Draw(99), 0, 1, 0, entropy, seed: 1).Factors!.Value;
        Assert.That(bound.Value, Is.LessThan(truth + 3 * bound.StandardError));
        Assert.That(bound.Value, Is.GreaterThan(0.8 * truth));

        CodedImages Draw(int seed)
        {
            var random = new Random(seed);
            var (images, factors) = (new float[2 * points], new float[points]);
            for (int n = 0; n < points; n++)
            {
                factors[n] = (float)Normal(random);
                images[2 * n] = (float)(Math.Sqrt(2) * factors[n] + Normal(random));
                images[2 * n + 1] = (float)(-Math.Sqrt(2) * factors[n] + Normal(random));
            }
            return new(images, 2, [], factors);
        }
    }

    [Test]
    public void A_category_through_a_symmetric_channel_stays_below_its_information()
    {
        // x' shows the category, or with probability 0.4 any of the four: a symmetric channel.
        const int points = 4000, k = 4;
        double right = 0.6 + 0.4 / k, wrong = 0.4 / k, truth = Math.Log(k) + right * Math.Log(right) + (k - 1) * wrong * Math.Log(wrong);
        var bound = new QBound(Options).Fit(Compute, Draw, Draw(99), k, 0, Math.Log(k), 0, seed: 1).Category!.Value;
        Assert.That(bound.Value, Is.LessThan(truth + 3 * bound.StandardError));
        Assert.That(bound.Value, Is.GreaterThan(0.9 * truth));
        Assert.That(bound.Ceiling, Is.EqualTo(Math.Log(k)));

        CodedImages Draw(int seed)
        {
            var random = new Random(seed);
            var (images, category) = (new float[k * points], new float[k * points]);
            for (int n = 0; n < points; n++)
            {
                int c = random.Next(k), shown = random.NextDouble() < 0.4 ? random.Next(k) : c;
                category[k * n + c] = 1;
                images[k * n + shown] = 1;
            }
            return new(images, k, category, []);
        }
    }

    [Test]
    public void A_collapsed_category_scores_nothing_where_the_priors_entropy_would_score_log_k()
    {
        const int points = 2000, k = 10;
        var images = Values(4 * points);
        var category = new float[k * points];
        for (int n = 0; n < points; n++)
            category[k * n + 3] = 1;
        var set = new CodedImages(images, 4, category, []);
        Assert.That(new QBound(Options).Fit(Compute, _ => set, set, k, 0, categoryEntropy: 0, 0, seed: 1).Category!.Value.Value,
            Is.InRange(-0.02, 1e-6));
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
