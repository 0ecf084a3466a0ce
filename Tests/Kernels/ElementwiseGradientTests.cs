using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Each elementwise gradient is the central difference of the double-precision function, away from kinks.</summary>
public sealed class ElementwiseGradientTests
{
    private const double Step = 1e-5;
    private static readonly CpuBackend Backend = new(threads: 1);

    private static IEnumerable<UnaryReference> Unary => ElementwiseReference.Unary;

    private static IEnumerable<BinaryReference> Binary => ElementwiseReference.Binary;

    [TestCaseSource(nameof(Unary))]
    public void Unary_gradient_is_the_central_difference(UnaryReference k)
    {
        var inputs = Grid(k.Low, k.High).Where(x => k.Kinks.All(kink => Math.Abs(x - kink) > 1e-3)).ToArray();
        using var pool = new BufferPool(Backend);
        Slice<float> x = Upload(pool, inputs), g = Upload(pool, inputs.Select(_ => 1f)), y = pool.Rent<float>(inputs.Length),
            dx = pool.Rent<float>(inputs.Length);
        k.Calls().Forward(Backend, x, y, k.P);
        k.Calls().Gradient(Backend, g, x, y, dx, false, k.P);
        for (int i = 0; i < inputs.Length; i++)
        {
            double difference = (k.F(inputs[i] + Step, k.P) - k.F(inputs[i] - Step, k.P)) / (2 * Step);
            Assert.That(dx.AsSpan()[i], Is.EqualTo(difference).Within(1e-5 * Math.Max(1, Math.Abs(difference))),
                $"{k.Name} at {inputs[i]}");
        }
    }

    [TestCaseSource(nameof(Binary))]
    public void Binary_gradients_are_the_central_differences(BinaryReference k)
    {
        var pairs = (from first in Grid(-2, 2)
                     from second in Grid(k.LowB, k.HighB)
                     where Math.Abs(first - second) > 1e-3
                     select (A: first, B: second)).ToArray();
        int n = pairs.Length;
        using var pool = new BufferPool(Backend);
        Slice<float> a = Upload(pool, pairs.Select(p => p.A)), b = Upload(pool, pairs.Select(p => p.B)),
            g = Upload(pool, pairs.Select(_ => 1f)), y = pool.Rent<float>(n);
        Slice<float> da = pool.Rent<float>(n), db = pool.Rent<float>(n);
        k.Calls().Forward(Backend, a, b, y);
        k.Calls().Gradient(Backend, true, g, a, b, y, da, false);
        k.Calls().Gradient(Backend, false, g, a, b, y, db, false);
        for (int i = 0; i < n; i++)
        {
            var (p, q) = pairs[i];
            double byA = (k.F(p + Step, q) - k.F(p - Step, q)) / (2 * Step), byB = (k.F(p, q + Step) - k.F(p, q - Step)) / (2 * Step);
            Assert.That(da.AsSpan()[i], Is.EqualTo(byA).Within(1e-5 * Math.Max(1, Math.Abs(byA))), $"{k.Name} by a at {pairs[i]}");
            Assert.That(db.AsSpan()[i], Is.EqualTo(byB).Within(1e-5 * Math.Max(1, Math.Abs(byB))), $"{k.Name} by b at {pairs[i]}");
        }
    }

    private static IEnumerable<float> Grid(double low, double high) =>
        Enumerable.Range(0, 61).Select(i => (float)(low + (high - low) * (i + 0.37) / 61));

    private static Slice<float> Upload(BufferPool pool, IEnumerable<float> values)
    {
        var array = values.ToArray();
        var slice = pool.Rent<float>(array.Length);
        array.CopyTo(slice.AsSpan());
        return slice;
    }
}
