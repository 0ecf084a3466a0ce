using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Softmax, log-softmax, Gumbel-softmax and their gradients over rows.</summary>
public static class SoftmaxCases
{
    private static readonly (int Rows, int N)[] Shapes =
        [(1, 1), (3, 2), (2000, 10), (33, 15), (5, 16), (40, 17), (7, 31), (9, 33), (70, 1000), (1, 100_003)];

    public static IEnumerable<KernelCase> All() => Shapes.SelectMany(s => Of(s.Rows, s.N));

    public static IEnumerable<KernelCase> Of(int rows, int n)
    {
        string shape = $"{rows}x{n}";
        yield return new("Softmax", shape, c =>
        {
            float[] x = c.Hard(rows * n, -5, 5, outlier: 90);
            Slice<float> from = c.Upload(x), y = c.Output(rows * n);
            c.Run(b => b.Softmax(rows, n, from, y));
            c.Expect(y, Softmax(rows, n, i => x[i]), 2e-6, 1e-37);
        });
        yield return new("LogSoftmax", shape, c =>
        {
            float[] x = c.Hard(rows * n, -5, 5, outlier: 90);
            Slice<float> from = c.Upload(x), y = c.Output(rows * n);
            c.Run(b => b.LogSoftmax(rows, n, from, y));
            c.Expect(y, Array.ConvertAll(Softmax(rows, n, i => x[i]), Math.Log), 5e-7, 5e-7);
        });
        yield return new("GumbelSoftmax", shape, c =>
        {
            float[] x = c.Uniform(rows * n, -5, 5);
            const float temperature = 0.6f;
            var draw = new RandomDraw(c.Upload(RandomCases.State), 3);
            Slice<float> from = c.Upload(x), t = c.Upload([temperature]), y = c.Output(rows * n);
            c.Run(b => b.GumbelSoftmax(rows, n, from, t, draw, y));
            var noise = RandomCases.Draw(Distribution.Gumbel, RandomCases.State, 3, rows * n);
            c.Expect(y, Softmax(rows, n, i => (x[i] + noise[i]) / temperature), 1e-5, 1e-6);
        });
        yield return new("SoftmaxCrossEntropy", shape, c =>
        {
            float[] x = c.Hard(rows * n, -5, 5, outlier: 90);
            int[] classes = Classes(rows, n);
            Slice<float> from = c.Upload(x), loss = c.Output(rows);
            var own = c.Upload(classes);
            c.Run(b => b.SoftmaxCrossEntropy(rows, n, from, own, loss));
            var softmax = Softmax(rows, n, i => x[i]);
            c.Expect(loss, [.. classes.Select((k, r) => -Math.Log(softmax[r * n + k]))], 5e-7, 5e-7);
        });
        yield return new("GumbelSoftmax", $"{shape}, temperature 0", c =>
        {
            float[] x = c.Uniform(rows * n, -5, 5);
            // Two largest entries: the first of them counts.
            (x[0], x[n - 1]) = (1e4f, 1e4f);
            var draw = new RandomDraw(c.Upload(RandomCases.State), 3);
            Slice<float> from = c.Upload(x), t = c.Upload([0f]), y = c.Output(rows * n);
            c.Run(b => b.GumbelSoftmax(rows, n, from, t, draw, y));
            var noise = RandomCases.Draw(Distribution.Gumbel, RandomCases.State, 3, rows * n);
            var expected = new double[rows * n];
            for (int r = 0; r < rows; r++)
                expected[Enumerable.Range(r * n, n).MaxBy(i => (float)(x[i] + noise[i]))] = 1;
            c.Expect(y, expected, 0, 0);
        });
        foreach (bool accumulate in new[] { false, true })
        {
            string label = shape + (accumulate ? ", accumulate" : "");
            yield return new("SoftmaxCrossEntropyGradient", label, c =>
            {
                float[] x = c.Hard(rows * n, -5, 5, outlier: 90), g = c.Uniform(rows), old = c.Uniform(rows * n);
                int[] classes = Classes(rows, n);
                Slice<float> from = c.Upload(x), gs = c.Upload(g), dx = accumulate ? c.Output(old) : c.Output(rows * n);
                var own = c.Upload(classes);
                c.Run(b => b.SoftmaxCrossEntropyGradient(rows, n, gs, from, own, dx, accumulate));
                var softmax = Softmax(rows, n, i => x[i]);
                // With one class the gradient is 0.
                c.Expect(dx, [.. softmax.Select((p, i) => g[i / n] * (p - (i % n == classes[i / n] ? 1 : 0)) + (accumulate ? old[i] : 0))],
                    2e-6, 3e-7);
            });
            yield return new("SoftmaxGradient", label,
                c => Gradient(c, rows, n, accumulate, false, 1, (b, g, y, _, dx) => b.SoftmaxGradient(rows, n, g, y, dx, accumulate)));
            yield return new("LogSoftmaxGradient", label,
                c => Gradient(c, rows, n, accumulate, true, 1, (b, g, y, _, dx) => b.LogSoftmaxGradient(rows, n, g, y, dx, accumulate)));
            yield return new("GumbelSoftmaxGradient", label, c => Gradient(c, rows, n, accumulate, false, 0.6f,
                (b, g, y, t, dx) => b.GumbelSoftmaxGradient(rows, n, g, y, t, dx, accumulate)));
        }
    }

    private static void Gradient(CaseContext c, int rows, int n, bool accumulate, bool log, float temperature,
        Action<IBackend, Slice<float>, Slice<float>, Slice<float>, Slice<float>> call)
    {
        float[] x = c.Uniform(rows * n, -3, 3), g = c.Uniform(rows * n), old = c.Uniform(rows * n);
        var softmax = Softmax(rows, n, i => x[i]);
        float[] y = Array.ConvertAll(softmax, v => (float)(log ? Math.Log(v) : v));
        Slice<float> gs = c.Upload(g), ys = c.Upload(y), t = c.Upload([temperature]), dx = accumulate ? c.Output(old) : c.Output(rows * n);
        c.Run(b => call(b, gs, ys, t, dx));
        var expected = new double[rows * n];
        for (int r = 0; r < rows; r++)
        {
            double sum = 0;
            for (int i = r * n; i < (r + 1) * n; i++)
                sum += log ? g[i] : g[i] * (double)y[i];
            for (int i = r * n; i < (r + 1) * n; i++)
                expected[i] = (log ? g[i] - Math.Exp(y[i]) * sum : y[i] * (g[i] - sum) / temperature) + (accumulate ? old[i] : 0);
        }
        c.Expect(dx, expected, 3e-6, 1e-6 * Math.Max(1, 1e-6 / Math.Max(1e-30, expected.Max(Math.Abs))));
    }

    private static int[] Classes(int rows, int n) => [.. Enumerable.Range(0, rows).Select(r => r * 7 % n)];

    private static double[] Softmax(int rows, int n, Func<int, double> x)
    {
        var y = new double[rows * n];
        for (int r = 0; r < rows; r++)
        {
            double max = double.NegativeInfinity, sum = 0;
            for (int i = r * n; i < (r + 1) * n; i++)
                max = Math.Max(max, x(i));
            for (int i = r * n; i < (r + 1) * n; i++)
                sum += y[i] = Math.Exp(x(i) - max);
            for (int i = r * n; i < (r + 1) * n; i++)
                y[i] /= sum;
        }
        return y;
    }
}
