using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>Critics on Gaussian pairs with known information.</summary>
public sealed class CriticTests
{
    private static readonly CriticOptions Quick = new(Steps: 600, Batch: 64, Hidden: 64, Embedding: 16);

    [TestCase(0.0, 1)]
    [TestCase(0.8, 1)]
    [TestCase(0.6, 4)]
    public void Bounds_lie_on_their_side(double rho, int columns)
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        var (x, y) = SampleInformationTests.Pairs(8192, columns, rho);
        double truth = columns * Gaussian.Information(rho);
        var (infoNce, nwj, mine, smile) = (Fit(new InfoNce(Quick)), Fit(new Nwj(Quick)), Fit(new Mine(Quick)), Fit(new Smile(Quick)));
        var club = new Club(Quick).Fit(compute, x, columns, y, columns, seed: 1);
        Assert.Multiple(() =>
        {
            Expect("infonce", infoNce, BoundKind.Lower, below: 0.12, above: 0);
            Expect("nwj", nwj, BoundKind.Lower, below: 0.2, above: 0);
            Expect("mine", mine, BoundKind.Neither, below: 0.15, above: 0.05);
            Expect("smile", smile, BoundKind.Neither, below: 0.2, above: 0.2);
            Assert.That(club.Bound, Is.EqualTo(BoundKind.Upper));
            Assert.That(club.Value, Is.GreaterThan(truth - 4 * club.StandardError - 0.02), "club");
            Assert.That(compute.Pool.Outstanding, Is.Zero);
        });

        Estimate Fit(CriticEstimator critic) => critic.Fit(compute, x, columns, y, columns, seed: 1);

        void Expect(string name, Estimate estimate, BoundKind bound, double below, double above)
        {
            Assert.That(estimate.Bound, Is.EqualTo(bound), name);
            Assert.That(estimate.Value,
                Is.InRange(truth - below - 4 * estimate.StandardError, truth + above + 4 * estimate.StandardError + 1e-6), name);
        }
    }

    /// <summary>
    /// The total information spread evenly over the columns. A lower bound may say little, never too much; an upper bound may say too much,
    /// never too little.
    /// </summary>
    [TestCase(1, 3.0)]
    [TestCase(1, 10.0)]
    [TestCase(2, 10.0)]
    [TestCase(16, 2.0)]
    [TestCase(16, 10.0)]
    [TestCase(64, 0.0)]
    [TestCase(64, 5.0)]
    [TestCase(64, 10.0)]
    public void Bounds_keep_their_order_from_1_to_64_dimensions_and_up_to_10_nats(int columns, double total)
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        // Many weak dependences take more samples to see than few strong ones; a q that has not seen them puts CLUB below the information,
        // as its documentation says.
        var (x, y) = SampleInformationTests.Pairs(columns < 64 ? 8192 : 32768, columns, Math.Sqrt(1 - Math.Exp(-2 * total / columns)));
        var options = Quick with { Steps = columns < 64 ? 300 : 1000, Embedding = 32 };
        var infoNce = new InfoNce(options).Fit(compute, x, columns, y, columns, seed: 1);
        var nwj = new Nwj(options).Fit(compute, x, columns, y, columns, seed: 1);
        var club = new Club(options).Fit(compute, x, columns, y, columns, seed: 1);
        Assert.Multiple(() =>
        {
            Assert.That(infoNce.Value, Is.LessThanOrEqualTo(Math.Min(total, Math.Log(options.Batch)) + 4 * infoNce.StandardError + 1e-6),
                "infonce");
            Assert.That(nwj.Value, Is.LessThanOrEqualTo(total + 4 * nwj.StandardError + 1e-6), "nwj");
            Assert.That(club.Value, Is.GreaterThanOrEqualTo(total - 4 * club.StandardError - 0.02), "club");
            if (total > 0)
                Assert.That(infoNce.Value, Is.GreaterThan(0.2 * Math.Min(total, Math.Log(options.Batch))), "infonce finds something");
        });
    }

    [Test]
    public void InfoNce_saturates_at_log_batch()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        var (x, y) = SampleInformationTests.Pairs(4096, 8, 0.99);
        var estimate = new InfoNce(Quick with { Batch = 16 }).Fit(compute, x, 8, y, 8, seed: 1);
        Assert.That(8 * Gaussian.Information(0.99), Is.GreaterThan(15));
        Assert.That(estimate.Ceiling, Is.EqualTo(Math.Log(16)));
        Assert.That(estimate.Value, Is.LessThanOrEqualTo(Math.Log(16)).And.GreaterThan(Math.Log(16) - 0.1));
    }

    [Test]
    public void The_seed_decides()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        using var other = new Compute(new CpuBackend(threads: 2));
        var (x, y) = SampleInformationTests.Pairs(512, 1, 0.5);
        var few = Quick with { Steps = 20 };
        var first = new Mine(few).Fit(compute, x, 1, y, 1, seed: 5);
        Assert.That(new Mine(few).Fit(other, x, 1, y, 1, seed: 5), Is.EqualTo(first));
        Assert.That(new Mine(few).Fit(compute, x, 1, y, 1, seed: 6), Is.Not.EqualTo(first));
    }

    [Test]
    public void Too_few_samples_are_refused()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        Assert.That(() => new InfoNce().Fit(compute, new float[100], 1, new float[100], 1, seed: 1),
            Throws.TypeOf<EstimatorException>().With.Message.StartsWith("infonce: 100 samples for batches of 128"));
    }
}
