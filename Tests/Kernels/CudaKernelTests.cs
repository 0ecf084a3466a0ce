using NUnit.Framework;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Every CUDA kernel, run by the emulator behind the managed backend, against the double-precision reference.</summary>
[Category("Cuda")]
public sealed class CudaKernelTests
{
    private CudaBackend fp32 = null!;
    private CudaBackend tf32 = null!;
    private CudaBackend bf16 = null!;
    private CudaBackend tf32ByWarpgroups = null!;
    private CudaBackend bf16ByWarpgroups = null!;

    [OneTimeSetUp]
    public void Open()
    {
        (fp32, tf32, bf16) = (CudaEmulator.Open(), CudaEmulator.Open(Precision.Tf32), CudaEmulator.Open(Precision.Bf16));
        (tf32ByWarpgroups, bf16ByWarpgroups) = (CudaEmulator.Open(Precision.Tf32, tiles: TileTable.PreferringWarpgroups), CudaEmulator.Open(Precision.Bf16, tiles: TileTable.PreferringWarpgroups));
    }

    [OneTimeTearDown]
    public void Close()
    {
        fp32?.Dispose();
        tf32?.Dispose();
        bf16?.Dispose();
        tf32ByWarpgroups?.Dispose();
        bf16ByWarpgroups?.Dispose();
    }

    [TestCaseSource(typeof(KernelCases), nameof(KernelCases.All))]
    public void Kernel_matches_the_reference(KernelCase kernelCase)
    {
        using var result = CaseContext.Evaluate(fp32, kernelCase);
        Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
    }

    private static IEnumerable<KernelCase> MatrixWork() => KernelCases.All().Where(c => c.IsMatrixWork);

    [TestCaseSource(nameof(MatrixWork))]
    public void Tensor_core_kernels_match_the_reference_to_their_precision(KernelCase kernelCase)
    {
        foreach (var backend in (CudaBackend[])[tf32, bf16, tf32ByWarpgroups, bf16ByWarpgroups])
        {
            using var result = CaseContext.Evaluate(backend, kernelCase);
            Assert.That(result.Failures, Is.Empty, $"{kernelCase} in {CudaBackend.NameOf(backend.Precision)}");
        }
    }

    /// <summary>Products of two bf16 numbers are exact in float32, so that on operands that bf16 holds nothing is lost but in the sums.</summary>
    [TestCaseSource(nameof(MatrixWork))]
    public void Bf16_kernel_matches_the_reference_on_rounded_operands_to_fp32(KernelCase kernelCase)
    {
        foreach (var backend in (CudaBackend[])[bf16, bf16ByWarpgroups])
        {
            using var result = CaseContext.Evaluate(backend, kernelCase, leastTolerance: 0, ToBf16);
            Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
        }
    }

    /// <summary>To nearest, ties to even: 16 bits of a float32 are left.</summary>
    private static float ToBf16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
    }
}
