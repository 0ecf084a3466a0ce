using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Reparameterisation, reconstruction terms, the learned variance and encoding moments.</summary>
public static class FusedCases
{
    private static readonly (int Rows, int D)[] Shapes = [(1, 1), (3, 7), (5, 8), (64, 10), (9, 15), (4, 16), (33, 17), (2, 31), (7, 33),
        (100, 128), (3, 1000), (40, 784), (1, 100_003), (3000, 3)];

    public static IEnumerable<KernelCase> All() => Shapes.SelectMany(s => Of(s.Rows, s.D)).Concat(VarianceUpdates());

    public static IEnumerable<KernelCase> Of(int rows, int d)
    {
        string shape = $"{rows}x{d}";
        int n = rows * d;
        yield return new("Reparameterise", shape, c =>
        {
            float[] mu = c.Hard(n, -2, 2, outlier: 8), logVar = c.Hard(n, -6, 2, outlier: 8);
            var draw = new RandomDraw(c.Upload(RandomCases.State), 2);
            Slice<float> m = c.Upload(mu), l = c.Upload(logVar), epsilon = c.Output(n), z = c.Output(n), kl = c.Output(rows);
            c.Run(b => b.Reparameterise(rows, d, m, l, draw, epsilon, z, kl));
            var eps = RandomCases.Draw(Distribution.Normal, RandomCases.State, 2, n);
            c.Expect(epsilon, eps, 1e-6, 1e-6, "epsilon");
            c.Expect(z, Each(n, i => mu[i] + Math.Exp(0.5 * logVar[i]) * eps[i]), 1e-6, 1e-6, "z");
            c.Expect(kl, PerRow(rows, d, i => 0.5 * (Math.Exp(logVar[i]) + (double)mu[i] * mu[i] - 1 - logVar[i])), 1e-6, 1e-6, "kl");
        });
        yield return new("GaussianNll", shape, c =>
        {
            float[] x = c.Uniform(n, 0, 1), mean = c.Hard(n, 0, 1);
            const float variance = 0.037f;
            Slice<float> xs = c.Upload(x), ms = c.Upload(mean), v = c.Upload([variance]), nll = c.Output(rows), squared = c.Output(rows);
            c.Run(b => b.GaussianNll(rows, d, xs, ms, v, nll, squared));
            c.Expect(squared, PerRow(rows, d, i => Square(x[i] - mean[i])), 5e-7, 2e-7, "squared error");
            c.Expect(nll, PerRow(rows, d, i => 0.5 * (Square(x[i] - mean[i]) / variance + Math.Log(2 * Math.PI * variance))), 5e-7, 1e-6,
                "nll");
        });
        yield return new("BernoulliNll", shape, c =>
        {
            float[] x = c.Uniform(n, 0, 1), logits = c.Hard(n, -6, 6, outlier: 120);
            Slice<float> xs = c.Upload(x), a = c.Upload(logits), nll = c.Output(rows);
            c.Run(b => b.BernoulliNll(rows, d, xs, a, nll));
            c.Expect(nll, PerRow(rows, d, i => ElementwiseReference.Softplus(logits[i]) - x[i] * (double)logits[i]), 5e-7, 5e-7);
        });
        yield return new("EncodingMoments", shape, c =>
        {
            float[] mu = c.Hard(n, -2, 2, outlier: 8), logVar = c.Hard(n, -6, 2, outlier: 8);
            Slice<float> m = c.Upload(mu), l = c.Upload(logVar), sums = c.Output(new float[8 * d]);
            // Twice, as two chunks of a stream.
            c.Run(b => b.EncodingMoments(rows, d, m, l, sums));
            var indicators = c.Output(6 * d);
            c.Backend.EncodingMoments(rows, d, m, l, sums, 2L * rows, indicators);
            var values = new float[8 * d];
            c.Backend.Download<float>(sums, values);
            var pairs = Each(4 * d, i => (double)values[2 * i] + values[2 * i + 1]);
            var expected = Each(4 * d, i => 2 * PerColumn(rows, d, i % d,
                k => (i / d) switch { 0 => Math.Exp(logVar[k]), 1 => (double)mu[k] * mu[k], 2 => mu[k], _ => logVar[k] }));
            c.Expect(c.Upload(Array.ConvertAll(pairs, v => (float)v)), expected, 3e-7, 3e-7);
            c.Expect(indicators, Indicators(d, Each(4 * d, i => expected[i] / (2.0 * rows))), 2e-6, 1e-6, "indicators");
        });
        foreach (bool accumulate in new[] { false, true })
        {
            string label = shape + (accumulate ? ", accumulate" : "");
            foreach (string absent in new[] { "", "gz", "gkl" })
                yield return new("ReparameteriseGradient", label + (absent == "" ? "" : $", without {absent}"), c =>
                {
                    float[] gz = absent == "gz" ? new float[n] : c.Uniform(n), gkl = absent == "gkl" ? new float[rows] : c.Uniform(rows),
                        mu = c.Hard(n, -2, 2, 8), logVar = c.Hard(n, -6, 2, 8);
                    float[] eps = c.Uniform(n, -3, 3), old = c.Uniform(2 * n);
                    Slice<float> gzs = absent == "gz" ? default : c.Upload(gz), gkls = absent == "gkl" ? default : c.Upload(gkl),
                        m = c.Upload(mu), l = c.Upload(logVar), e = c.Upload(eps);
                    Slice<float> dmu = accumulate ? c.Output(old[..n]) : c.Output(n), dlogVar = accumulate ? c.Output(old[n..])
                        : c.Output(n);
                    c.Run(b => b.ReparameteriseGradient(rows, d, new(m, l, e), gzs, gkls, dmu, dlogVar, accumulate));
                    c.Expect(dmu, Each(n, i => gz[i] + gkl[i / d] * (double)mu[i] + (accumulate ? old[i] : 0)), 1e-6, 3e-7, "dmu");
                    c.Expect(dlogVar, Each(n, i => 0.5 * gz[i] * eps[i] * Math.Exp(0.5 * logVar[i])
                        + 0.5 * gkl[i / d] * (Math.Exp(logVar[i]) - 1) + (accumulate ? old[n + i] : 0)), 1e-6, 1e-6, "dlogVar");
                });
            yield return new("GaussianNllGradient", label, c =>
            {
                float[] g = c.Uniform(rows), x = c.Uniform(n, 0, 1), mean = c.Hard(n, 0, 1), old = c.Uniform(n);
                const float variance = 0.037f;
                Slice<float> gs = c.Upload(g), xs = c.Upload(x), ms = c.Upload(mean), v = c.Upload([variance]), to = accumulate
                    ? c.Output(old) : c.Output(n);
                c.Run(b => b.GaussianNllGradient(rows, d, gs, xs, ms, v, to, accumulate));
                c.Expect(to, Each(n, i => g[i / d] * ((double)mean[i] - x[i]) / variance + (accumulate ? old[i] : 0)), 1e-6, 3e-7);
            });
            yield return new("BernoulliNllGradient", label, c =>
            {
                float[] g = c.Uniform(rows), x = c.Uniform(n, 0, 1), logits = c.Hard(n, -6, 6, outlier: 120), old = c.Uniform(n);
                Slice<float> gs = c.Upload(g), xs = c.Upload(x), a = c.Upload(logits), to = accumulate ? c.Output(old) : c.Output(n);
                c.Run(b => b.BernoulliNllGradient(rows, d, gs, xs, a, to, accumulate));
                var expected = Each(n, i => g[i / d] * (ElementwiseReference.Sigmoid(logits[i]) - x[i]) + (accumulate ? old[i] : 0));
                c.Expect(to, expected, 1e-6, 3e-7 * Math.Max(1, 1 / expected.Max(Math.Abs)));
            });
        }
    }

    private static IEnumerable<KernelCase> VarianceUpdates()
    {
        // Free move, held by the largest change up and down, held by the floor.
        foreach (var (n, old, sum, count, decay, change, floor, expected) in new[]
        {
            (3, 0.5, 60.0, 100.0, 0.9, 0.5, 1e-4, 0.9 * 0.5 + 0.1 * 0.6), (20_000, 0.5, 60.0, 100.0, 0.9, 0.5, 1e-4, 0.9 * 0.5 + 0.1 * 0.6),
            (3, 0.5, 60.0, 10.0, 0.5, 0.1, 1e-4, 0.55), (3, 0.5, 0.6, 100.0, 0.5, 0.1, 1e-4, 0.45),
            (3, 0.01, 0.6, 1e9, 0.5, 0.9, 0.008, 0.008),
        })
            yield return new("UpdateVariance",
                $"{n} errors, {old} towards {sum}/{count}, decay {decay}, change {change}, floor {floor}", c =>
            {
                Slice<float> errors = c.Upload([.. Enumerable.Repeat((float)(sum / n), n)]), variance = c.Output([(float)old]);
                c.Run(b => b.UpdateVariance(errors, count, (float)decay, (float)change, (float)floor, variance));
                c.Expect(variance, [expected], 1e-6, 0);
            });
    }

    private static double Square(float x) => (double)x * x;

    private static double[] Each(int n, Func<int, double> f)
    {
        var y = new double[n];
        for (int i = 0; i < n; i++)
            y[i] = f(i);
        return y;
    }

    private static double[] PerRow(int rows, int d, Func<int, double> f) => Each(rows, r =>
    {
        double sum = 0;
        for (int i = r * d; i < (r + 1) * d; i++)
            sum += f(i);
        return sum;
    });

    private static double PerColumn(int rows, int d, int column, Func<int, double> f)
    {
        double sum = 0;
        for (int r = 0; r < rows; r++)
            sum += f(r * d + column);
        return sum;
    }

    /// <summary>
    /// s*, (I2), (I4), (I5), mean KL and KL(N(0, s*) || N(0, 1)) of each factor, [6, d], from the means of exp(logVar), mu^2, mu and
    /// logVar, [4, d].
    /// </summary>
    private static double[] Indicators(int d, double[] means) => Each(6 * d, i =>
    {
        double variance = means[i % d], square = means[d + i % d], mean = means[2 * d + i % d], logVar = means[3 * d + i % d],
            spread = Math.Max(0, square - mean * mean);
        return (i / d) switch
        {
            0 => variance + square,
            1 => 0.5 * (Math.Log(variance + square) - logVar),
            2 => 0.5 * (Math.Log(variance + spread) - logVar),
            3 => 0.5 * Math.Log(1 + spread / variance),
            4 => 0.5 * (variance + square - 1 - logVar),
            _ => 0.5 * (variance + square - 1 - Math.Log(variance + square)),
        };
    });
}
