using NUnit.Framework;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Engine;

/// <summary>A CPU device for a test, and the check that the test gave every buffer back.</summary>
public abstract class OnCpu
{
    protected Compute Compute { get; private set; } = null!;

    [SetUp]
    public void OpenDevice() => Compute = new(new CpuBackend(threads: 2));

    [TearDown]
    public void CloseDevice()
    {
        int leaked = Compute.Pool.Outstanding;
        Compute.Dispose();
        if (TestContext.CurrentContext.Result.Outcome.Status != NUnit.Framework.Interfaces.TestStatus.Failed)
            Assert.That(leaked, Is.Zero, "buffers that the test did not return");
    }

    /// <summary>Reproducible values, uniform in [low, high).</summary>
    protected static float[] Values(int n, int seed = 1, double low = -1, double high = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, n).Select(_ => (float)(low + (high - low) * random.NextDouble()))];
    }
}
