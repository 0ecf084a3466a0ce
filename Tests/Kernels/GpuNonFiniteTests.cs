using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>What NaN, infinities and subnormals among a kernel's inputs become: on a GPU the same as on the CPU.</summary>
[TestFixture, Category("Gpu")]
public sealed class GpuNonFiniteTests
{
    private static readonly CpuBackend Cpu = new(threads: 2);
    private static readonly float[] Special = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e-40f, -float.Epsilon];

    private static IEnumerable<string> Operations => OnGpu.Operations;

    [TestCaseSource(nameof(Operations))]
    public void Kernel_answers_as_on_the_CPU(string operation) => OnGpu.All(operation, kernelCase =>
    {
        using CaseContext cpu = CaseContext.Prepare(Cpu, kernelCase), gpu = OnGpu.Prepare(kernelCase);
        int salt = kernelCase.Label.Sum(c => c);
        for (int i = 0; i < cpu.Inputs.Count; i++)
        {
            if (!Counts(operation, i))
                continue;
            var values = DeviceArrays.Download(Cpu, cpu.Inputs[i]);
            Plant(values, salt + i);
            Cpu.Upload<float>(values, cpu.Inputs[i]);
            OnGpu.Backend.Upload<float>(values, gpu.Inputs[i]);
        }
        cpu.Call!(Cpu);
        gpu.Call!(OnGpu.Backend);
        return cpu.Buffers.Select((buffer, i) =>
            Difference(DeviceArrays.Download(Cpu, buffer), DeviceArrays.Download(OnGpu.Backend, gpu.Buffers[i]), $"array {i}"))
            .FirstOrDefault(difference => difference is not null);
    });

    /// <summary>Whether an operation says what becomes of such numbers in its i-th array.</summary>
    private static bool Counts(string operation, int i) => (operation, i) switch
    {
        // What lies outside an image counts as 0 or not at all, which differs beside a weight (or gradient) that is not finite.
        ("Conv2dForward" or "Conv2dBackwardData" or "Conv2dBackwardWeight", 1) => false,
        // Sums in pairs: no low part is ever the larger.
        ("EncodingMoments", 2) => false,
        _ => true,
    };

    /// <summary>All of the special values in a long array; one, and not always the same, in a short one, which they would fill.</summary>
    private static void Plant(float[] values, int salt)
    {
        var random = new Random(salt);
        if (values.Length >= 64)
            foreach (float special in Special)
                values[random.Next(values.Length)] = special;
        else if (values.Length > 1)
            values[random.Next(values.Length)] = Special[salt % Special.Length];
    }

    private static string? Difference(float[] expected, float[] actual, string what)
    {
        float scale = expected.Where(float.IsFinite).Select(MathF.Abs).DefaultIfEmpty().Max();
        for (int i = 0; i < expected.Length; i++)
        {
            float e = expected[i], a = actual[i];
            bool same = float.IsFinite(e) && float.IsFinite(a) ? MathF.Abs(a - e) <= 1e-5f * MathF.Abs(e) + 2e-6f * scale : e.Equals(a);
            if (!same)
                return $"{what} at {i}: {e:G9} on the CPU, {a:G9} on the device";
        }
        return null;
    }
}
