using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>
/// The simulator runs kernels as C#, under a debugger if need be, and takes a thousand times as long: a few small cases, with and without
/// barriers.
/// </summary>
[TestFixture, Category("Gpu")]
public sealed class GpuSimulatorTests
{
    private static IEnumerable<KernelCase> Cases =>
        from operation in new[] { "Fill", "Unary Tanh", "Random", "Sum", "Reparameterise", "Softmax", "MatMul", "Conv2dForward",
            "EncodingMoments", "Adam" }
        select KernelCases.All().First(c => c.Operation == operation);

    [Test]
    public void Kernels_match_the_reference()
    {
        using var simulator = Device.Open("simulator");
        Assert.Multiple(() =>
        {
            foreach (var kernelCase in Cases)
            {
                using var result = CaseContext.Evaluate(simulator, kernelCase);
                Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
            }
        });
    }
}
