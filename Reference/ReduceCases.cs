using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Reductions over the middle axis of [outer, n, inner].</summary>
public static class ReduceCases
{
    private static readonly (int Outer, int N, int Inner)[] Shapes =
    [
        (1, 1, 1), (1, 7, 1), (3, 8, 1), (5, 9, 1), (1, 17, 1), (1, 1000, 1), (3, 5000, 1), (1, 100_003, 1), (2000, 10, 1), (300, 130, 1),
            (1, 5, 7), (1, 31, 16), (1, 1000, 10), (1, 100_003, 3), (2, 3, 33), (1, 70, 100),
        (1, 1000, 128), (1, 3, 2000), (1, 90, 1568), (700, 10, 5), (3, 400, 70), (1, 9000, 63), (4, 1, 20),
    ];

    private static readonly (int Rows, int Columns)[][] ColumnShapes =
    [
        [(0, 3)], [(1, 1)], [(7, 3)], [(100, 10)], [(1000, 1)], [(513, 32)], [(300, 33)], [(2000, 3)], [(9001, 17)], [(600, 500)],
        [(20_000, 1), (0, 3)], [(90, 5000), (3000, 40), (30_000, 2)], [(100, 1), (100, 1), (1, 1), (100, 1)],
        [(2000, 32), (50_000, 1), (300, 200), (40, 7), (700, 64), (9, 9), (33, 3)],
    ];

    public static IEnumerable<KernelCase> All() =>
        Shapes.SelectMany(s => Of(s.Outer, s.N, s.Inner)).Concat(ColumnShapes.Select(SumColumns)).Concat(Special());

    /// <summary>Every second sum is accumulated to what is there.</summary>
    public static KernelCase SumColumns(params (int Rows, int Columns)[] shapes)
    {
        string label = string.Join(", ", shapes.Select(s => $"{s.Rows}x{s.Columns}"));
        return new("SumColumns", label, c =>
        {
            var sums = new ColumnSum[shapes.Length];
            var expected = new double[shapes.Length][];
            for (int k = 0; k < shapes.Length; k++)
            {
                var (rows, columns) = shapes[k];
                bool accumulate = k % 2 == 1;
                float[] x = c.Hard(rows * columns), old = c.Uniform(columns);
                float scale = 1 - 0.3f * k;
                var y = accumulate ? c.Output(old) : c.Output(columns);
                sums[k] = new(rows, columns, c.Upload(x), y, accumulate, scale);
                var totals = Fold(1, rows, columns, 0.0, (sum, i) => sum + x[i]);
                expected[k] = [.. totals.Select((total, i) => scale * total + (accumulate ? old[i] : 0))];
            }
            c.Run(b => b.SumColumns(sums));
            for (int k = 0; k < shapes.Length; k++)
                c.Expect(sums[k].Y, expected[k], absolute: 3e-6);
        });
    }

    public static IEnumerable<KernelCase> Of(int outer, int n, int inner)
    {
        string shape = $"[{outer}, {n}, {inner}]";
        foreach (bool accumulate in new[] { false, true })
        {
            string label = shape + (accumulate ? ", accumulate" : "");
            yield return new("Sum", label, c =>
            {
                float[] x = c.Hard(outer * n * inner, -1, 3, outlier: 1e4f), old = c.Uniform(outer * inner);
                Slice<float> from = c.Upload(x), y = accumulate ? c.Output(old) : c.Output(outer * inner);
                c.Run(b => b.Sum(from, outer, n, inner, 0.37f, y, accumulate));
                var magnitude = Fold(outer, n, inner, 0.0, (sum, i) => sum + Math.Abs(x[i]));
                var expected = Fold(outer, n, inner, 0.0, (sum, i) => sum + x[i]);
                double worst = 0;
                for (int i = 0; i < expected.Length; i++)
                {
                    expected[i] = 0.37f * expected[i] + (accumulate ? old[i] : 0);
                    worst = Math.Max(worst, 0.37 * magnitude[i]);
                }
                // 1.5e-7 of the sum of magnitudes.
                c.Expect(y, expected, relative: 1e-7, absolute: 1.5e-7 * worst / Math.Max(1e-30, expected.Max(Math.Abs)));
            });
            yield return new("Spread", label, c =>
            {
                float[] y = c.Uniform(outer * inner), old = c.Uniform(outer * n * inner);
                Slice<float> from = c.Upload(y), x = accumulate ? c.Output(old) : c.Output(outer * n * inner);
                c.Run(b => b.Spread(from, outer, n, inner, -0.7f, x, accumulate));
                var expected = new double[outer * n * inner];
                for (int i = 0; i < expected.Length; i++)
                    expected[i] = -0.7f * (double)y[i / (n * inner) * inner + i % inner] + (accumulate ? old[i] : 0);
                c.Expect(x, expected, 1e-7, 1e-7);
            });
        }
        yield return new("Max", shape, c =>
        {
            float[] x = c.Hard(outer * n * inner, -3, -1);
            Slice<float> from = c.Upload(x), y = c.Output(outer * inner);
            c.Run(b => b.Max(from, outer, n, inner, y));
            c.Expect(y, Fold(outer, n, inner, double.NegativeInfinity, (max, i) => Math.Max(max, x[i])), 0, 0);
        });
        yield return new("LogSumExp", shape, c =>
        {
            float[] x = c.Hard(outer * n * inner, -3, 3, outlier: 200);
            Slice<float> from = c.Upload(x), y = c.Output(outer * inner);
            c.Run(b => b.LogSumExp(from, outer, n, inner, y));
            c.Expect(y, LogSumExp(outer, n, inner, x), 3e-7, 1e-7);
        });
    }

    private static IEnumerable<KernelCase> Special()
    {
        const float inf = float.PositiveInfinity, nan = float.NaN;
        float[] rows = [-inf, -inf, -inf, 1, inf, 2, 3, nan, 4, -inf, 0, -inf, inf, -inf, 5];
        foreach (var (outer, inner) in new[] { (5, 1), (1, 5) })
        {
            // With inner = 5 the same triples stand in columns.
            float[] x = inner == 1 ? rows : Enumerable.Range(0, 15).Select(i => rows[i % 5 * 3 + i / 5]).ToArray();
            string label = $"infinities and NaN, [{outer}, 3, {inner}]";
            yield return new("LogSumExp", label, c =>
            {
                Slice<float> from = c.Upload(x), y = c.Output(5);
                c.Run(b => b.LogSumExp(from, outer, 3, inner, y));
                c.Expect(y, [-inf, inf, nan, 0, inf], 0, 0);
            });
            yield return new("Max", label, c =>
            {
                Slice<float> from = c.Upload(x), y = c.Output(5);
                c.Run(b => b.Max(from, outer, 3, inner, y));
                c.Expect(y, [-inf, inf, nan, 0, inf], 0, 0);
            });
            yield return new("Sum", label, c =>
            {
                Slice<float> from = c.Upload(x), y = c.Output(5);
                c.Run(b => b.Sum(from, outer, 3, inner, 1, y));
                c.Expect(y, [-inf, inf, nan, -inf, nan], 0, 0);
            });
        }
        yield return new("Sum", "an infinity in 100003", c =>
        {
            var x = c.Uniform(100_003);
            x[77_777] = inf;
            Slice<float> from = c.Upload(x), y = c.Output(1);
            c.Run(b => b.Sum(from, 1, 100_003, 1, 1, y));
            c.Expect(y, [inf], 0, 0);
        });
    }

    /// <summary>log sum exp over the middle axis, in double precision.</summary>
    public static double[] LogSumExp(int outer, int n, int inner, float[] x)
    {
        var max = Fold(outer, n, inner, double.NegativeInfinity, (m, i) => Math.Max(m, x[i]));
        var sum = Fold(outer, n, inner, 0.0, (s, i) => s + Math.Exp(x[i] - max[i / (n * inner) * inner + i % inner]));
        return Enumerable.Range(0, outer * inner).Select(i => max[i] + Math.Log(sum[i])).ToArray();
    }

    /// <summary>Folds the entries of the middle axis, in order.</summary>
    private static double[] Fold(int outer, int n, int inner, double start, Func<double, int, double> step)
    {
        var y = new double[outer * inner];
        Array.Fill(y, start);
        for (int i = 0; i < outer * n * inner; i++)
        {
            int to = i / (n * inner) * inner + i % inner;
            y[to] = step(y[to], i);
        }
        return y;
    }
}
