using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Reference;
using static VaeFromScratch.Tests.Kernels.DeviceArrays;

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

    /// <summary>
    /// Operands and results in bf16 in memory, in the combinations that a training step has: activations and their gradients; the weight gradient of a layer on the image or on z, and of one
    /// before it; everything. Inputs are numbers that bf16 holds, so that only the result is rounded, to 8 bits.
    /// </summary>
    [TestCaseSource(nameof(MatrixWork))]
    public void Kernels_read_and_write_operands_stored_in_bf16(KernelCase kernelCase)
    {
        const double HalfUnitOfResult = 1.0 / 256;
        foreach (var backend in (CudaBackend[])[bf16, bf16ByWarpgroups])
            foreach (int narrowed in (int[])[CompactBackend.A, CompactBackend.B, CompactBackend.C | CompactBackend.Mask, CompactBackend.A | CompactBackend.B | CompactBackend.C | CompactBackend.Mask])
            {
                using var result = CaseContext.Evaluate(new CompactBackend(backend, narrowed), kernelCase, HalfUnitOfResult, ToBf16);
                Assert.That(result.Failures, Is.Empty, $"{kernelCase}, operands {narrowed} in bf16");
            }
    }

    [Test]
    public void The_sums_of_a_result_in_bf16_are_those_in_float32_rounded_once()
    {
        const int Rows = 70, Columns = 40, Depth = 200;
        float[] inFloat32 = Product(narrowed: CompactBackend.A), inBf16 = Product(narrowed: CompactBackend.A | CompactBackend.C);
        Assert.That(inBf16, Is.EqualTo(Array.ConvertAll(inFloat32, ToBf16)));

        float[] Product(int narrowed)
        {
            var backend = new CompactBackend(bf16, narrowed);
            using var context = new CaseContext(backend, round: ToBf16);
            var c = context.Output(Rows * Columns);
            Slice<float> a = context.Upload(context.Uniform(Rows * Depth)), b = context.Upload(context.Uniform(Depth * Columns));
            ((IBackend)backend).MatMul(new(Rows, Columns, Depth), a, b, c);
            var values = new float[c.Length];
            bf16.Download<float>(c, values);
            Assert.That(backend.Narrowed, Is.EqualTo(int.PopCount(narrowed)));
            return values;
        }
    }

    [Test]
    public void Operands_in_bf16_are_refused_by_backends_that_compute_in_more()
    {
        using var pool = new BufferPool(tf32);
        Operand a = pool.Rent<ushort>(16), c = pool.Rent<float>(16);
        Assert.That(() => ((IBackend)tf32).MatMul(new(4, 4, 4), a, pool.Rent<float>(16), c), Throws.InvalidOperationException.With.Message.Contains("bf16"));
    }
}
