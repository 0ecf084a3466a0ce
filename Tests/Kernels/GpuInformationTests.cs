using NUnit.Framework;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The information estimator at the size of a test set, 10 000 images of 128 factors, against double precision.</summary>
[TestFixture, Category("Gpu")]
public sealed class GpuInformationTests
{
    private const int Images = 10_000, Factors = 128;

    /// <summary>
    /// (I1), (I2), (I4), (I5), the mean KL and the aggregate's KL of every factor, each to 1e-6 of itself, or of 1 nat where it is smaller.
    /// </summary>
    [Test]
    public void Indicators_agree_with_double_precision_in_one_launch()
    {
        var backend = OnGpu.Backend;
        var random = new Random(3);
        // From factors that hold 4 nats to factors that are switched off, and means that are not 0.
        float[] mu = Draw((i, normal) => 0.5f * (i % 3) + normal * MathF.Exp(-4f * i / Factors));
        float[] logVar = Draw((i, normal) => 0.1f * normal - 6f + 6f * i / Factors);
        using var pool = new BufferPool(backend);
        Slice<float> means = DeviceArrays.Upload(backend, pool, mu), logVars = DeviceArrays.Upload(backend, pool, logVar);
        Slice<float> sums = DeviceArrays.Upload(backend, pool, new float[8 * Factors]), result = pool.Rent<float>(6 * Factors);
        long before = backend.Launches;
        backend.EncodingMoments(Images, Factors, means, logVars, sums, Images, result);
        Assert.That(backend.Launches - before, Is.EqualTo(1));

        float[] indicators = DeviceArrays.Download(backend, result);
        double worst = 0;
        for (int factor = 0; factor < Factors; factor++)
        {
            double[] expected = Indicators(mu, logVar, factor);
            for (int i = 0; i < expected.Length; i++)
            {
                double error = Math.Abs(indicators[i * Factors + factor] - expected[i]) / Math.Max(1, Math.Abs(expected[i]));
                worst = Math.Max(worst, error);
            }
        }
        TestContext.Out.WriteLine($"{Images} x {Factors}, one launch: {worst:E1} relative at most");
        Assert.That(worst, Is.LessThan(1e-6));

        float[] Draw(Func<int, float, float> value) => [.. Enumerable.Range(0, Images * Factors).Select(k => value(k % Factors,
            MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(MathF.Tau * random.NextSingle())))];
    }

    /// <summary>As equations.md defines them, from the means over all images.</summary>
    private static double[] Indicators(float[] mu, float[] logVar, int factor)
    {
        double variance = Mean(k => Math.Exp(logVar[k])), square = Mean(k => (double)mu[k] * mu[k]), mean = Mean(k => mu[k]);
        double log = Mean(k => logVar[k]), spread = Mean(k => (mu[k] - mean) * (mu[k] - mean)), total = variance + square;
        return
        [
            total, 0.5 * (Math.Log(total) - log), 0.5 * (Math.Log(variance + spread) - log), 0.5 * Math.Log(1 + spread / variance),
            0.5 * (total - 1 - log), 0.5 * (total - 1 - Math.Log(total)),
        ];

        double Mean(Func<int, double> f) => Enumerable.Range(0, Images).Average(image => f(image * Factors + factor));
    }
}
