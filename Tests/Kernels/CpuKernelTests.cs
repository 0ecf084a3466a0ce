using NUnit.Framework;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Every kernel on the CPU against the double-precision reference.</summary>
public sealed class CpuKernelTests
{
    private static readonly CpuBackend Backend = new(threads: 2);

    [TestCaseSource(typeof(KernelCases), nameof(KernelCases.All))]
    public void Kernel_matches_the_reference(KernelCase kernelCase)
    {
        using var result = CaseContext.Evaluate(Backend, kernelCase);
        Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
    }
}
