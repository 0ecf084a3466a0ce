using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Maths;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The generator's known answers, its two implementations against each other, and the draws' distributions.</summary>
public sealed class PhiloxTests
{
    private const int N = 1 << 20;
    private static readonly CpuBackend Backend = new(threads: 2);

    // Known-answer vectors of the Random123 library.
    [TestCase(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [TestCase(uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, 0x408f276du, 0x41c83b0eu,
        0xa20bc7c6u, 0x6d5451fdu)]
    [TestCase(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u,
        0x24126ea1u)]
    public void Words_are_the_published_ones(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint w0, uint w1, uint w2, uint w3) =>
        Assert.That(Philox.Words(c0, c1, c2, c3, k0, k1), Is.EqualTo((w0, w1, w2, w3)));

    [Test]
    public void Host_stream_and_vector_draw_are_the_same_numbers()
    {
        const ulong seed = 0x9abcdef012345678;
        var y = Draw(Distribution.Uniform, 1003, 5);
        var host = new Philox(seed, step: 41, stream: 7, draw: 5);
        Assert.That(y, Is.EqualTo(Enumerable.Range(0, 1003).Select(_ => host.NextUniform()).ToArray()));
    }

    [Test]
    public void Uniform_is_flat_and_strictly_inside()
    {
        var y = Draw(Distribution.Uniform, N, 0);
        Assert.That(y.Min(), Is.GreaterThan(0));
        Assert.That(y.Max(), Is.LessThan(1));
        Assert.That(ChiSquare(y, u => u, 256), Is.InRange(160, 370));
    }

    [Test]
    public void Normal_has_the_moments_and_shape_of_the_normal()
    {
        var y = Draw(Distribution.Normal, N, 1);
        double s = 1 / Math.Sqrt(N);
        Assert.That(Moment(y, 1), Is.EqualTo(0).Within(4 * s));
        Assert.That(Moment(y, 2), Is.EqualTo(1).Within(4 * Math.Sqrt(2) * s));
        Assert.That(Moment(y, 3), Is.EqualTo(0).Within(4 * Math.Sqrt(15) * s));
        Assert.That(Moment(y, 4), Is.EqualTo(3).Within(4 * Math.Sqrt(96) * s));
        Assert.That(ChiSquare(y, NormalDistribution, 256), Is.InRange(160, 370));
        Assert.That(y.Zip(y.Skip(1), (a, b) => (double)a * b).Average(), Is.EqualTo(0).Within(4 * s), "neighbours are uncorrelated");
        Assert.That(y.Zip(y.Skip(1), (a, b) => ((double)a * a - 1) * ((double)b * b - 1)).Average(), Is.EqualTo(0).Within(8 * s),
            "so are their squares");
    }

    [Test]
    public void Gumbel_has_the_shape_of_the_Gumbel()
    {
        var y = Draw(Distribution.Gumbel, N, 2);
        Assert.That(y.Average(v => (double)v), Is.EqualTo(0.5772156649).Within(4 * 1.2825 / Math.Sqrt(N)));
        Assert.That(ChiSquare(y, v => Math.Exp(-Math.Exp(-v)), 256), Is.InRange(160, 370));
    }

    [Test]
    public void Streams_steps_draws_and_seeds_differ()
    {
        var seen = new HashSet<(uint, uint, uint, uint)> { Philox.Words(0, 1, 2, 3, 4, 5) };
        for (int word = 0; word < 6; word++)
        {
            uint[] w = [0, 1, 2, 3, 4, 5];
            w[word] ^= 0x80000000;
            Assert.That(seen.Add(Philox.Words(w[0], w[1], w[2], w[3], w[4], w[5])), $"word {word}");
        }
    }

    [Test]
    public void NextBelow_is_flat_and_Shuffle_is_a_permutation()
    {
        var random = new Philox(11, 0, 0);
        var counts = new int[7];
        for (int i = 0; i < 70_000; i++)
            counts[random.NextBelow(7)]++;
        Assert.That(counts.Sum(c => (c - 10_000.0) * (c - 10_000.0) / 10_000), Is.LessThan(25));
        int[] items = Enumerable.Range(0, 1000).ToArray();
        random.Shuffle<int>(items);
        Assert.That(items, Is.Not.Ordered);
        Assert.That(items.Order(), Is.EqualTo(Enumerable.Range(0, 1000)));
    }

    private static float[] Draw(Distribution distribution, int n, uint draw)
    {
        using var pool = new BufferPool(Backend);
        var state = pool.Rent<uint>(4);
        RandomCases.State.CopyTo(state.AsSpan());
        var y = pool.Rent<float>(n);
        Backend.Random(distribution, new(state, draw), y);
        return y.AsSpan().ToArray();
    }

    private static double Moment(float[] y, int power) => y.Average(v => Math.Pow(v, power));

    /// <summary>Chi-square of the probability integral transform over equal cells: cells - 1 degrees of freedom.</summary>
    private static double ChiSquare(float[] y, Func<double, double> distribution, int cells)
    {
        var counts = new int[cells];
        foreach (float v in y)
            counts[Math.Min(cells - 1, (int)(distribution(v) * cells))]++;
        double expected = (double)y.Length / cells;
        return counts.Sum(c => (c - expected) * (c - expected) / expected);
    }

    /// <summary>By Simpson's rule from 0; good to 1e-10 for |x| below 8.</summary>
    private static double NormalDistribution(double x)
    {
        const int steps = 64;
        double a = Math.Min(Math.Abs(x), 8), w = a / steps, sum = 1 + Math.Exp(-a * a / 2);
        for (int i = 1; i < steps; i++)
            sum += (i % 2 == 0 ? 2 : 4) * Math.Exp(-i * w * i * w / 2);
        double half = sum * w / 3 / Math.Sqrt(2 * Math.PI);
        return x > 0 ? 0.5 + half : 0.5 - half;
    }
}
