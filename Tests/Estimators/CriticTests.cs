using NUnit.Framework;
using VaeFromScratch.Engine;
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
            Assert.That(estimate.Value, Is.InRange(truth - below - 4 * estimate.StandardError, truth + above + 4 * estimate.StandardError + 1e-6), name);
        }
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
        Assert.That(() => new InfoNce().Fit(compute, new float[100], 1, new float[100], 1, seed: 1), Throws.TypeOf<EstimatorException>().With.Message.StartsWith("infonce: 100 samples for batches of 128"));
    }
}
