using System.Runtime.InteropServices;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The same bits for every vector width and number of threads; no garbage in steady state.</summary>
public sealed class CpuDeterminismTests
{
    /// <summary>The digest of <see cref="Calls"/>'s outputs. It changes only when a formula or an order of summation does.</summary>
    private const ulong Expected = 4394742688891494017;

    [Test]
    public void Every_vector_width_gives_the_same_bits()
    {
        TestContext.Out.WriteLine($"{CpuBackend.VectorBits} bits");
        using var backend = new CpuBackend(threads: 2);
        Assert.That(Digest(backend), Is.EqualTo(Expected), $"at {CpuBackend.VectorBits} bits");
    }

    [Test]
    public void The_width_is_the_one_that_was_asked_for()
    {
        string? asked = Environment.GetEnvironmentVariable("DOTNET_PreferredVectorBitWidth");
        int expected = asked is "256" or "128" ? int.Parse(asked) : CpuBackend.VectorBits;
        Assert.That(CpuBackend.VectorBits, Is.EqualTo(expected));
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Every_number_of_threads_gives_the_same_bits(int threads)
    {
        using var backend = new CpuBackend(threads);
        Assert.That(Digest(backend), Is.EqualTo(Expected));
    }

    [Test]
    public void Calls_allocate_nothing_once_warm()
    {
        using var backend = new CpuBackend(threads: 2);
        using var pool = new BufferPool(backend);
        var call = Calls(backend, pool, out _);
        for (int i = 0; i < 3; i++)
            call();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++)
            call();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static ulong Digest(CpuBackend backend)
    {
        using var pool = new BufferPool(backend);
        Calls(backend, pool, out var outputs)();
        ulong hash = 14695981039346656037;
        foreach (var output in outputs)
            foreach (uint word in MemoryMarshal.Cast<float, uint>(output.AsSpan()))
                hash = (hash ^ word) * 1099511628211;
        return hash;
    }

    /// <summary>One call of each kernel at sizes that need several parts and leave tails.</summary>
    private static Action Calls(IBackend k, BufferPool pool, out List<Slice<float>> outputs)
    {
        const int rows = 411, d = 131, n = rows * d, h = 21;
        var results = new List<Slice<float>>();
        uint seed = 1;
        Slice<float> In(int count, float low = -3, float high = 3)
        {
            var x = pool.Rent<float>(count);
            var numbers = new Philox(seed++, 0, 0);
            foreach (ref float v in x.AsSpan())
                v = low + (high - low) * numbers.NextUniform();
            return x;
        }
        Slice<float> Out(int count)
        {
            var y = pool.Rent<float>(count);
            y.AsSpan().Fill(0.25f);
            results.Add(y);
            return y;
        }
        var state = pool.Rent<uint>(4);
        RandomCases.State.CopyTo(state.AsSpan());
        Slice<float> x = In(n), g = In(n), positive = In(n, 0.1f, 4), row = In(d), one = In(1, 0.5f, 1), gRows = In(rows);
        Slice<float> y1 = Out(n), y2 = Out(n), y3 = Out(n), y4 = Out(n), y5 = Out(n), y6 = Out(n), y7 = Out(n), y8 = Out(n), y9 = Out(n),
            y10 = Out(n), y11 = Out(n), y12 = Out(n);
        Slice<float> r1 = Out(rows), r2 = Out(rows), r3 = Out(rows), r4 = Out(rows), r5 = Out(rows), c1 = Out(d), c2 = Out(d), c3 = Out(d),
            c4 = Out(d), c5 = Out(d), s1 = Out(1), s2 = Out(1), moments = Out(8 * d);
        Slice<float> z = In(rows * h), mu = In(rows * h), logVar = In(rows * h, -2, 1), joint = Out(rows), marginal = Out(rows * h),
            dz = Out(rows * h), dmu = Out(rows * h), dlogVar = Out(rows * h);
        Slice<float> m = Out(n), v = Out(n), p = Out(n), hyper = In(3, 0.1f, 0.2f);
        var weights = PairLogWeights.Uniform(rows);
        outputs = results;
        return () =>
        {
            k.Unary<Exp>(x, y1);
            k.Unary<Log>(positive, y2);
            k.Unary<Tanh>(x, y3);
            k.Unary<Softplus>(x, y4);
            k.Unary<Sigmoid>(x, y5);
            k.Unary<Log1p>(positive, y6);
            k.UnaryGradient<Tanh>(g, x, y3, y7, true);
            k.Binary<Divide>(x, positive, y8);
            k.Binary<Multiply>(x, row, y9);
            k.BinaryGradient<Multiply>(false, g, x, row, y9, c1, false);
            k.BinaryGradient<Add>(false, g, x, one, y9, s1, false);
            k.Sum(x, 1, n, 1, 1, s2);
            k.Sum(x, rows, d, 1, 1, r1);
            k.Sum(x, 1, rows, d, 1, c2);
            k.LogSumExp(x, rows, d, 1, r2);
            k.LogSumExp(x, 1, rows, d, c3);
            k.Softmax(rows, d, x, y10);
            k.LogSoftmax(rows, d, x, y11);
            k.GumbelSoftmax(rows, d, x, one, new(state, 1), y12);
            k.Random(Distribution.Normal, new(state, 2), m);
            k.Random(Distribution.Uniform, new(state, 3), v);
            k.Random(Distribution.Gumbel, new(state, 4), p);
            k.Adam(p, g, m, v, new(0.9f, 0.999f, 1e-8f, 0.01f), hyper);
            k.Reparameterise(rows, d, x, g, new(state, 5), y1, y2, r3);
            k.ReparameteriseGradient(rows, d, new(x, g, y1), g, gRows, y4, y5, true);
            k.GaussianNll(rows, d, x, g, one, r4, r5);
            k.BernoulliNll(rows, d, positive, x, r4);
            k.BatchNormForward(rows, d, x, new(row, c1, c2, c4, 0.1f, 1e-5f), new(c3, c5), y6, Activation.Relu);
            k.EncodingMoments(rows, d, x, g, moments);
            var mixture = new MixtureOperands(rows, rows, h, z, mu, logVar, weights, joint, marginal);
            k.MixtureLogDensity(mixture);
            k.MixtureLogDensityGradient(mixture, joint, marginal, dz, dmu, dlogVar, default);
        };
    }
}
