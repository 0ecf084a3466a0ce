using System.Runtime.InteropServices;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Maths;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>
/// Functions and draws are the same formulas on every device, with every rounding stated: not one bit differs from the CPU's.
/// </summary>
[TestFixture, Category("Gpu")]
public sealed class GpuBitsTests
{
    private const int N = 1_000_000;
    private static readonly CpuBackend Cpu = new(threads: 2);

    private static IEnumerable<UnaryReference> Unary => ElementwiseReference.Unary;

    private static IEnumerable<BinaryReference> Binary => ElementwiseReference.Binary;

    [TestCaseSource(nameof(Unary))]
    public void Unary_functions_and_gradients(UnaryReference k)
    {
        float[] x = Values(k.Low, k.High, 1), g = Values(-1, 1, 2);
        var y = OnBoth(k.Name, [x], (b, s, to) => k.Calls().Forward(b, s[0], to, k.P));
        OnBoth($"{k.Name}, gradient", [g, x, y], (b, s, to) => k.Calls().Gradient(b, s[0], s[1], s[2], to, false, k.P));
    }

    [TestCaseSource(nameof(Binary))]
    public void Binary_functions_and_gradients(BinaryReference k)
    {
        float[] first = Values(-2, 2, 1), second = Values(k.LowB, k.HighB, 2), g = Values(-1, 1, 3);
        var y = OnBoth(k.Name, [first, second], (b, s, to) => k.Calls().Forward(b, s[0], s[1], to));
        foreach (bool ofA in new[] { true, false })
            OnBoth($"{k.Name}, gradient", [g, first, second, y],
                (b, s, to) => k.Calls().Gradient(b, ofA, s[0], s[1], s[2], s[3], to, false));
    }

    [Test]
    public void Draws()
    {
        foreach (var distribution in Enum.GetValues<Distribution>())
            Draws(distribution);
    }

    private void Draws(Distribution distribution)
    {
        var state = RandomCases.State.Select(BitConverter.UInt32BitsToSingle).ToArray();
        OnBoth($"{distribution}", [state], (b, s, to) => b.Random(distribution, new(new Slice<uint>(s[0].Address, state.Length), 5), to));
    }

    /// <summary>
    /// Half from the range that a function is for, the rest of any magnitude: subnormal, huge, infinite, zeros of both signs. No NaN.
    /// </summary>
    private static float[] Values(double low, double high, ulong seed)
    {
        var random = new Philox(seed, 0, 0);
        var x = new float[N];
        float[] planted = [0f, -0f, float.Epsilon, -float.Epsilon, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue,
            -float.MaxValue, 1.17549435e-38f, -1e-40f];
        for (int i = 0; i < N; i++)
        {
            x[i] = i % 2 == 0 ? (float)(low + (high - low) * random.NextUniform()) : BitConverter.UInt32BitsToSingle(random.NextWord());
            if (float.IsNaN(x[i]) || i % 100 == 1)
                x[i] = planted[random.NextBelow(planted.Length)];
        }
        return x;
    }

    private static float[] OnBoth(string what, float[][] inputs, Action<IBackend, Slice<float>[], Slice<float>> call)
    {
        float[] expected = On(Cpu, inputs, call), actual = On(OnGpu.Backend, inputs, call);
        ReadOnlySpan<uint> expectedBits = MemoryMarshal.Cast<float, uint>(expected), actualBits = MemoryMarshal.Cast<float, uint>(actual);
        var different = new List<string>();
        int count = 0;
        for (int i = 0; i < N; i++)
            if (expectedBits[i] != actualBits[i] && !(float.IsNaN(expected[i]) && float.IsNaN(actual[i])) && count++ < 5)
                different.Add(
                    $"[{i}] of {string.Join(", ", inputs.Where(x => x.Length == N).Select(x => $"{x[i]:G9}"))}: CPU {expected[i]:G9}, "
                    + $"device {actual[i]:G9}");
        Assert.That(count, Is.Zero, $"{what}: {string.Join("; ", different)}");
        return expected;
    }

    private static float[] On(IBackend backend, float[][] inputs, Action<IBackend, Slice<float>[], Slice<float>> call)
    {
        using var pool = new BufferPool(backend);
        var slices = Array.ConvertAll(inputs, x => DeviceArrays.Upload(backend, pool, x));
        var to = pool.Rent<float>(N);
        call(backend, slices, to);
        return DeviceArrays.Download(backend, to);
    }
}
