using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>One step of each optimiser.</summary>
public static class OptimiseCases
{
    /// <summary>What the sum of squares is added to.</summary>
    private const float Start = 3;

    public static IEnumerable<KernelCase> All() => new[] { 1, 7, 16, 33, 1000, 100_003 }.SelectMany(Of);

    public static IEnumerable<KernelCase> Of(int n)
    {
        foreach (float decay in new[] { 0f, 0.05f })
            yield return new("Adam", $"{n}, decay {decay}", c =>
            {
                var (p, g, m) = (c.Uniform(n), c.Hard(n), c.Uniform(n));
                float[] v = c.Uniform(n, 0, 1);
                const float rate = 1e-2f, b1 = 0.9f, b2 = 0.999f, epsilon = 1e-8f;
                double one = 1 - Math.Pow(b1, 3), two = 1 - Math.Pow(b2, 3);
                Slice<float> ps = c.Output(p), gs = c.Upload(g), ms = c.Output(m), vs = c.Output(v);
                Slice<float> hyper = c.Upload([rate, (float)one, (float)two]), norm = c.Output([Start]);
                c.Run(b => b.Adam(ps, gs, ms, vs, new(b1, b2, epsilon, decay), hyper, norm));
                double[] first = Each(n, i => b1 * (double)m[i] + (1 - b1) * (double)g[i]),
                    second = Each(n, i => b2 * (double)v[i] + (1 - b2) * (double)g[i] * g[i]);
                c.Expect(ms, first, 1e-6, 1e-7, "m");
                c.Expect(vs, second, 1e-6, 1e-7, "v");
                c.Expect(ps, Each(n, i => p[i] * (1 - (double)rate * decay)
                    - rate * (first[i] / one) / (Math.Sqrt(second[i] / two) + epsilon)), 1e-6, 3e-7, "p");
                c.Expect(norm, [Start + g.Sum(x => (double)x * x)], 1e-6, 0, "squared norm");
            });
        yield return new("RmsProp", $"{n}", c =>
        {
            var (p, g, v) = (c.Uniform(n), c.Hard(n), c.Uniform(n, 0, 1));
            Slice<float> ps = c.Output(p), gs = c.Upload(g), vs = c.Output(v), hyper = c.Upload([1e-2f]), norm = c.Output([Start]);
            c.Run(b => b.RmsProp(ps, gs, vs, 0.99f, 1e-8f, hyper, norm));
            var second = Each(n, i => 0.99f * (double)v[i] + (1 - 0.99f) * (double)g[i] * g[i]);
            c.Expect(vs, second, 1e-6, 1e-7, "v");
            c.Expect(ps, Each(n, i => p[i] - 1e-2f * g[i] / (Math.Sqrt(second[i]) + 1e-8)), 1e-6, 3e-7, "p");
            c.Expect(norm, [Start + g.Sum(x => (double)x * x)], 1e-6, 0, "squared norm");
        });
        yield return new("Sgd", $"{n}", c =>
        {
            var (p, g, u) = (c.Uniform(n), c.Hard(n), c.Uniform(n));
            Slice<float> ps = c.Output(p), gs = c.Upload(g), us = c.Output(u), hyper = c.Upload([1e-2f]), norm = c.Output([Start]);
            c.Run(b => b.Sgd(ps, gs, us, 0.9f, 0.01f, hyper, norm));
            var velocity = Each(n, i => 0.9f * (double)u[i] + g[i] + 0.01f * (double)p[i]);
            c.Expect(us, velocity, 1e-6, 1e-7, "velocity");
            c.Expect(ps, Each(n, i => p[i] - 1e-2f * velocity[i]), 1e-6, 3e-7, "p");
            c.Expect(norm, [Start + g.Sum(x => (double)x * x)], 1e-6, 0, "squared norm");
        });
    }

    private static double[] Each(int n, Func<int, double> f) => Enumerable.Range(0, n).Select(f).ToArray();
}
