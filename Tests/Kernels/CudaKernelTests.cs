using NUnit.Framework;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Every CUDA kernel, run by the emulator behind the managed backend, against the double-precision reference.</summary>
[Category("Cuda")]
public sealed class CudaKernelTests
{
    private const double Tf32Tolerance = 2e-3;

    private CudaBackend fp32 = null!;
    private CudaBackend tf32 = null!;

    [OneTimeSetUp]
    public void Open() => (fp32, tf32) = (CudaEmulator.Open(), CudaEmulator.Open(Precision.Tf32));

    [OneTimeTearDown]
    public void Close()
    {
        fp32?.Dispose();
        tf32?.Dispose();
    }

    [TestCaseSource(typeof(KernelCases), nameof(KernelCases.All))]
    public void Kernel_matches_the_reference(KernelCase kernelCase)
    {
        using var result = CaseContext.Evaluate(fp32, kernelCase);
        Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
    }

    private static IEnumerable<KernelCase> MatrixWork() => KernelCases.All().Where(c => c.IsMatrixWork);

    [TestCaseSource(nameof(MatrixWork))]
    public void Tensor_core_kernel_matches_the_reference_to_tf32(KernelCase kernelCase)
    {
        using var result = CaseContext.Evaluate(tf32, kernelCase, Tf32Tolerance);
        Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
    }
}
