using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Functions of one and two tensors and their gradients.</summary>
public static class ElementwiseCases
{
    // Around each register width, several vectors with a tail, and more than one part with a tail.
    private static readonly int[] Lengths = [1, 7, 8, 9, 15, 16, 17, 31, 33, 1000, 100_003];

    private static readonly float[] Special = [0f, -0f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.Epsilon,
        -float.Epsilon, 1e-40f, -1e-40f, 1e-20f, float.MaxValue,
        -float.MaxValue, 1f, -1f, 100f, -100f, 0.625f, -0.625f, 88.8f, 1.17549435e-38f, 3e-8f, -0.99999994f, 16777216f];

    /// <summary>Length of the result, of a, of b.</summary>
    private static readonly (int N, int A, int B)[] Broadcasts =
    [
        (1000, 1, 1000), (1000, 1000, 1), (999, 3, 999), (1000, 1000, 10), (1002, 6, 1002), (4 * 130, 130, 4 * 130),
            (64 * 784, 64 * 784, 784), (100_000, 100_000, 1), (90_003, 90_003, 3),
        (7 * 1200, 7 * 1200, 1200), (33, 33, 11), (5000, 1, 5000), (5000, 5000, 1), (20_000, 1, 20_000),
    ];

    public static IEnumerable<KernelCase> All() =>
        ElementwiseReference.Unary.SelectMany(k => Unary(k, Lengths))
            .Concat(ElementwiseReference.Binary.SelectMany(k => Binary(k, [.. Lengths.Select(n => (n, n, n)), .. Broadcasts])));

    /// <summary>The cases of one kernel at these lengths, then at special values and in place.</summary>
    public static IEnumerable<KernelCase> Unary(UnaryReference k, int[] lengths)
    {
        foreach (int n in lengths)
        {
            yield return new($"Unary {k.Name}", $"{n}", c =>
            {
                var x = c.Hard(n, k.Low, k.High);
                Slice<float> from = c.Upload(x), to = c.Output(n);
                c.Run(b => k.Calls().Forward(b, from, to, k.P));
                c.Expect(to, Map(x, v => k.F(v, k.P)), relative: 4e-7, absolute: 1e-37);
            });
            foreach (bool accumulate in new[] { false, true })
                yield return new($"UnaryGradient {k.Name}", $"{n}{(accumulate ? ", accumulate" : "")}", c =>
                {
                    float[] x = c.Hard(n, k.Low, k.High, outlier: 8), g = c.Uniform(n), old = c.Uniform(n);
                    var y = Map(x, v => k.F(v, k.P));
                    Slice<float> gs = c.Upload(g), xs = c.Upload(x), ys = c.Upload(Array.ConvertAll(y, v => (float)v)), to = accumulate
                        ? c.Output(old) : c.Output(n);
                    c.Run(b => k.Calls().Gradient(b, gs, xs, ys, to, accumulate, k.P));
                    var expected = new double[n];
                    for (int i = 0; i < n; i++)
                        expected[i] = g[i] * k.Slope(x[i], k.P) + (accumulate ? old[i] : 0);
                    // A gradient from y is right to the rounding of y, whatever its own size.
                    c.Expect(to, expected, relative: 1e-6, absolute: 3e-7 * Math.Max(1, 1 / expected.Max(Math.Abs)));
                });
        }
        yield return new($"Unary {k.Name}", "special values", c =>
        {
            Slice<float> from = c.Upload(Special), to = c.Output(Special.Length);
            c.Run(b => k.Calls().Forward(b, from, to, k.P));
            c.Expect(to, Map(Special, v => (float)k.F(v, k.P)), relative: 1e-6, absolute: 0);
        });
        yield return new($"Unary {k.Name}", "in place", c =>
        {
            var x = c.Uniform(53, k.Low, k.High);
            var to = c.Output(x);
            c.Run(b => k.Calls().Forward(b, to, to, k.P));
            c.Expect(to, Map(x, v => k.F(v, k.P)), relative: 4e-7, absolute: 1e-7);
        });
    }

    /// <summary>The cases of one kernel at these lengths of result, a and b, then at special values.</summary>
    public static IEnumerable<KernelCase> Binary(BinaryReference k, (int N, int A, int B)[] lengths)
    {
        foreach (var (n, na, nb) in lengths)
        {
            yield return new($"Binary {k.Name}", $"{na} with {nb}", c =>
            {
                float[] a = c.Hard(na, -2, 2), b = c.Hard(nb, k.LowB, k.HighB);
                Slice<float> sa = c.Upload(a), sb = c.Upload(b), y = c.Output(n);
                c.Run(backend => k.Calls().Forward(backend, sa, sb, y));
                c.Expect(y, Repeat(n, i => k.F(a[i % na], b[i % nb])), relative: 1e-7, absolute: 1e-40);
            });
            foreach (bool ofA in new[] { true, false })
                foreach (bool accumulate in new[] { false, true })
                    yield return new($"BinaryGradient {k.Name}",
                        $"{na} with {nb}, of {(ofA ? "a" : "b")}{(accumulate ? ", accumulate" : "")}", c =>
                    {
                        int m = ofA ? na : nb;
                        float[] a = c.Hard(na, -2, 2, outlier: 3), b = c.Uniform(nb, k.LowB, k.HighB), g = c.Uniform(n), old = c.Uniform(m);
                        Slice<float> sa = c.Upload(a), sb = c.Upload(b), sg = c.Upload(g), d = accumulate ? c.Output(old) : c.Output(m);
                        var y = c.Upload(Array.ConvertAll(Repeat(n, i => k.F(a[i % na], b[i % nb])), v => (float)v));
                        c.Run(backend => k.Calls().Gradient(backend, ofA, sg, sa, sb, y, d, accumulate));
                        double[] expected = accumulate ? Array.ConvertAll(old, v => (double)v) : new double[m], magnitude = new double[m];
                        for (int i = 0; i < n; i++)
                        {
                            double term = g[i] * (ofA ? k.SlopeA : k.SlopeB)(a[i % na], b[i % nb]);
                            expected[i % m] += term;
                            magnitude[i % m] += Math.Abs(term);
                        }
                        double scale = expected.Max(Math.Abs), repeats = magnitude.Max();
                        c.Expect(d, expected, relative: 4e-7, absolute: 2e-7 * Math.Max(1, repeats / Math.Max(scale, 1e-30)));
                    });
        }
        yield return new($"Binary {k.Name}", "special values", c =>
        {
            int n = Special.Length;
            float[] a = new float[n * n], b = new float[n * n];
            for (int i = 0; i < n * n; i++)
                (a[i], b[i]) = (Special[i / n], Special[i % n]);
            Slice<float> sa = c.Upload(a), sb = c.Upload(b), y = c.Output(n * n);
            c.Run(backend => k.Calls().Forward(backend, sa, sb, y));
            c.Expect(y, Repeat(n * n, i => (float)k.F(a[i], b[i])), relative: 0, absolute: 0);
        });
    }

    private static double[] Map(float[] x, Func<double, double> f) => Array.ConvertAll(x, v => f(v));

    private static double[] Repeat(int n, Func<int, double> f)
    {
        var y = new double[n];
        for (int i = 0; i < n; i++)
            y[i] = f(i);
        return y;
    }
}
