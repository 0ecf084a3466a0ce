using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>How far the elementary functions are from the true value, in units of the last place, over the whole float range.</summary>
public sealed class RealMathTests
{
    private const uint Stride = 1531;
    private static readonly CpuBackend Backend = new(threads: 2);

    [Test]
    public void Exp_is_within_its_stated_accuracy() => AssertUlp<Exp>(Math.Exp, float.NegativeInfinity, float.PositiveInfinity, 1);

    [Test]
    public void Log_is_within_its_stated_accuracy() => AssertUlp<Log>(Math.Log, 0, float.PositiveInfinity, 1);

    [Test]
    public void Log1p_is_within_its_stated_accuracy() => AssertUlp<Log1p>(ElementwiseReference.Log1p, -1, float.PositiveInfinity, 1.5);

    [Test]
    public void Tanh_is_within_its_stated_accuracy() => AssertUlp<Tanh>(Math.Tanh, float.NegativeInfinity, float.PositiveInfinity, 1.5);

    [Test]
    public void Sigmoid_is_within_its_stated_accuracy() =>
        AssertUlp<Sigmoid>(ElementwiseReference.Sigmoid, -110, float.PositiveInfinity, 2.6);

    [Test]
    public void Softplus_is_within_its_stated_accuracy() =>
        AssertUlp<Softplus>(ElementwiseReference.Softplus, float.NegativeInfinity, float.PositiveInfinity, 2);

    [Test]
    public void Exp2OfNormal_is_within_its_stated_accuracy() => AssertUlp<Exp2OfNormal>(x => Math.Pow(2, x), -126, 127, 1);

    [Test]
    public void Exp2OfNormal_is_its_smallest_value_below_and_NaN_at_NaN()
    {
        float[] inputs = [-126.5f, -1e30f, float.NegativeInfinity, float.NaN];
        using var pool = new BufferPool(Backend);
        Slice<float> from = pool.Rent<float>(inputs.Length), to = pool.Rent<float>(inputs.Length);
        inputs.CopyTo(from.AsSpan());
        ((IBackend)Backend).Unary<Exp2OfNormal>(from, to);
        float least = MathF.ScaleB(1, -126);
        Assert.That(to.AsSpan().ToArray(), Is.EqualTo((float[])[least, least, least, float.NaN]));
    }

    private readonly struct Exp2OfNormal : IUnaryKernel
    {
        public static string Name => "Exp2OfNormal";

        public static V Forward<V>(V x, V p) where V : struct, IReal<V> => RealMath.Exp2OfNormal(x);

        public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> => throw new NotSupportedException();
    }

    private static void AssertUlp<K>(Func<double, double> f, float low, float high, double bound) where K : struct, IUnaryKernel
    {
        var inputs = new List<float>();
        for (ulong bits = 0; bits <= uint.MaxValue; bits += Stride)
        {
            float x = BitConverter.UInt32BitsToSingle((uint)bits);
            if (x >= low && x <= high)
                inputs.Add(x);
        }
        // Where the functions do something: every range of binary exponents near 1, densely.
        for (double x = Math.Max(low, -40); x < Math.Min(high, 90); x += 1.0 / 4099)
            inputs.Add((float)x);
        using var pool = new BufferPool(Backend);
        Slice<float> from = pool.Rent<float>(inputs.Count), to = pool.Rent<float>(inputs.Count);
        inputs.CopyTo(from.AsSpan());
        ((IBackend)Backend).Unary<K>(from, to);
        double worst = 0;
        float at = 0;
        for (int i = 0; i < inputs.Count; i++)
        {
            double expected = f(inputs[i]);
            if (!double.IsFinite(expected) || Math.Abs(expected) > float.MaxValue)
            {
                Assert.That(to.AsSpan()[i], Is.EqualTo((float)expected), $"{K.Name}({inputs[i]:G9})");
                continue;
            }
            double unit = Math.ScaleB(1, Math.Max(-149, (expected == 0 ? -149 : Math.ILogB(expected)) - 23)),
                error = Math.Abs(to.AsSpan()[i] - expected) / unit;
            if (error > worst)
                (worst, at) = (error, inputs[i]);
        }
        TestContext.Out.WriteLine($"{K.Name}: {worst:F3} ulp at {at:G9}, {inputs.Count} inputs");
        Assert.That(worst, Is.LessThanOrEqualTo(bound), $"{K.Name}({at:G9})");
    }
}
