using System.Runtime.Intrinsics;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>
/// What matrix products and convolutions promise beside their values: the same bits on any number of threads, no allocation, the machine's
/// widest vectors.
/// </summary>
public sealed class ProductTests
{
    /// <summary>A call on outputs and inputs that are filled alike each time.</summary>
    private sealed record Call(string Name, int OutputSize, int[] InputSizes, Action<IBackend, Slice<float>, Slice<float>[]> Run)
    {
        public override string ToString() => Name;
    }

    private static IEnumerable<Call> Calls()
    {
        foreach (var (m, n, k) in ((int, int, int)[])[(100, 500, 784), (37, 70, 1200), (900, 96, 100), (700, 40, 900), (1, 300, 700),
            (64, 64, 4000)])
            foreach (var s in (MatMulShape[])[new(m, n, k), new(m, n, k, TransposeB: true), new(m, n, k, TransposeA: true),
                new(m, n, k, true, true, Accumulate: true)])
                yield return new($"MatMul {s}", m * n, [m * k, k * n, n], (b, y, x) => b.MatMul(s, x[0], x[1], y, x[2], Activation.Relu));
        foreach (var s in (ConvShape[])[new(20, 28, 28, 1, 32, 4, 4, 2, 1), new(20, 14, 14, 32, 32, 4, 4, 2, 1), new(3, 64, 64, 3, 33, 5, 5,
            2, 2), new(1, 48, 48, 16, 40, 3, 3, 1, 1), new(50, 8, 8, 64, 64, 4, 4, 2, 1), new(9, 12, 12, 40, 24, 1, 1, 1, 0)])
        {
            yield return new($"Conv2dForward {s}", s.OutSize, [s.InSize, s.WeightSize, s.OutChannels],
                (b, y, x) => b.Conv2dForward(s, x[0], x[1], y, x[2], Activation.Relu));
            yield return new($"Conv2dBackwardData {s}", s.InSize, [s.OutSize, s.WeightSize, s.InSize],
                (b, y, x) => b.Conv2dBackwardData(s, x[0], x[1], y, reluMask: x[2]));
            yield return new($"Conv2dBackwardWeight {s}", s.WeightSize, [s.InSize, s.OutSize],
                (b, y, x) => b.Conv2dBackwardWeight(s, x[0], x[1], y, accumulate: false));
            yield return new($"SumColumns {s}", s.OutChannels, [s.OutSize],
                (b, y, x) => b.SumColumns([new(s.OutSize / s.OutChannels, s.OutChannels, x[0], y, Accumulate: false)]));
        }
    }

    [TestCaseSource(nameof(Calls))]
    public void Bits_do_not_depend_on_the_number_of_threads(object callObject)
    {
        var call = (Call)callObject;
        float[] alone = Evaluate(call, 1);
        foreach (int threads in (int[])[2, 3, 5])
            Assert.That(Evaluate(call, threads).AsSpan().SequenceEqual(alone), Is.True, $"{threads} threads give other bits than 1");
        Assert.That(alone, Has.Some.Not.Zero);
    }

    [TestCaseSource(nameof(Calls))]
    public void Repeated_calls_allocate_nothing(object callObject)
    {
        var call = (Call)callObject;
        using var backend = new CpuBackend(2);
        using var pool = new BufferPool(backend);
        var (y, x) = Inputs(call, pool);
        call.Run(backend, y, x);
        long scratch = backend.ScratchBytes, before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 3; i++)
            call.Run(backend, y, x);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(backend.ScratchBytes, Is.EqualTo(scratch));
    }

    [Test]
    public void Kernels_use_the_widest_accelerated_vectors()
    {
        int bits = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
        Assert.That(CpuBackend.VectorBits, Is.EqualTo(bits));
    }

    [Test]
    public void Sums_over_many_pixels_keep_their_accuracy()
    {
        var s = new ConvShape(100, 14, 14, 2, 3, 3, 3, 1, 1);
        using var backend = new CpuBackend(2);
        using var pool = new BufferPool(backend);
        Slice<float> x = pool.Rent<float>(s.InSize), dy = pool.Rent<float>(s.OutSize), dw = pool.Rent<float>(s.WeightSize);
        x.AsSpan().Fill(0.1f);
        dy.AsSpan().Fill(0.3f);
        backend.Conv2dBackwardWeight(s, x, dy, dw, accumulate: false);
        // The centre tap sees every one of the 19 600 pixels, all with the same sign: the worst case for a running sum.
        double expected = (double)0.1f * 0.3f * 100 * 14 * 14;
        Assert.That(dw.AsSpan()[4 * 6], Is.EqualTo(expected).Within(2e-6 * expected));
    }

    [Test]
    public void Relu_keeps_NaN_and_infinity()
    {
        using var backend = new CpuBackend(1);
        using var pool = new BufferPool(backend);
        Slice<float> a = pool.Rent<float>(3), b = pool.Rent<float>(1), c = pool.Rent<float>(3);
        new float[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity }.CopyTo(a.AsSpan());
        b.AsSpan()[0] = 1;
        backend.MatMul(new(3, 1, 1), a, b, c, default, Activation.Relu, default);
        Assert.That(c.AsSpan().ToArray(), Is.EqualTo(new[] { float.NaN, float.PositiveInfinity, 0 }));
    }

    [Test]
    public void Wrong_sizes_are_refused_with_the_sizes()
    {
        using var backend = new CpuBackend(1);
        using var pool = new BufferPool(backend);
        var three = pool.Rent<float>(3);
        Assert.That(() => backend.MatMul(new(2, 2, 2), three, three, three, default, Activation.None, default),
            Throws.ArgumentException.With.Message.Contains("a has 3 elements"));
        Assert.That(() => backend.Conv2dForward(new(1, 2, 2, 1, 1, 4, 4, 1, 0), three, three, three, default, Activation.None, false,
            default), Throws.ArgumentException.With.Message.Contains("no output"));
        Assert.That(() => backend.MaxPool(new(1, 2, 2, 1, 4, 1), three, three, default),
            Throws.ArgumentException.With.Message.Contains("no window"));
    }

    [Test]
    public void Dispose_frees_the_working_memory()
    {
        var backend = new CpuBackend(2);
        using (var pool = new BufferPool(backend))
        {
            var call = Calls().First();
            var (y, x) = Inputs(call, pool);
            call.Run(backend, y, x);
            Assert.That(backend.ScratchBytes, Is.Positive);
        }
        backend.Dispose();
        Assert.That(backend.ScratchBytes, Is.Zero);
    }

    private static (Slice<float> Output, Slice<float>[] Inputs) Inputs(Call call, BufferPool pool)
    {
        var random = new Random(7);
        Slice<float> Filled(int n)
        {
            var slice = pool.Rent<float>(n);
            foreach (ref float v in slice.AsSpan())
                v = random.NextSingle() - 0.5f;
            return slice;
        }
        return (Filled(call.OutputSize), [.. call.InputSizes.Select(Filled)]);
    }

    private static float[] Evaluate(Call call, int threads)
    {
        using var backend = new CpuBackend(threads);
        using var pool = new BufferPool(backend);
        var (y, x) = Inputs(call, pool);
        call.Run(backend, y, x);
        return y.AsSpan().ToArray();
    }
}
