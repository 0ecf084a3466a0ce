using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Matrix products, bias gradients and the ReLU mask.</summary>
public static class MatMulCases
{
    public static IEnumerable<KernelCase> All()
    {
        // Ragged around each vector width and tile height, one of a kind, and the sizes of the papers' networks.
        (int M, int N, int K)[] shapes =
        [
            (1, 1, 1), (1, 17, 3), (2, 1, 40), (3, 4, 5), (5, 8, 16), (6, 7, 9), (7, 15, 33), (13, 16, 31), (14, 31, 17), (15, 32, 64), (16, 33, 15),
            (27, 48, 7), (29, 63, 100), (43, 65, 2), (1, 300, 500), (4, 129, 257), (100, 10, 256), (33, 160, 385), (61, 257, 800), (420, 130, 70), (385, 20, 390), (100, 784, 50),
        ];
        foreach (var (m, n, k) in shapes)
            foreach (bool ta in (bool[])[false, true])
                foreach (bool tb in (bool[])[false, true])
                    yield return Product(new(m, n, k, ta, tb));
        foreach (var (m, n, k) in ((int, int, int)[])[(15, 33, 20), (30, 64, 800), (400, 37, 19), (3, 40, 0)])
            foreach (bool accumulate in (bool[])[false, true])
            {
                yield return Product(new(m, n, k, Accumulate: accumulate), bias: true);
                yield return Product(new(m, n, k, TransposeB: true, Accumulate: accumulate), bias: true, relu: true);
                yield return Product(new(m, n, k, TransposeA: true, Accumulate: accumulate), mask: true);
                yield return Product(new(m, n, k, Accumulate: accumulate), bias: true, relu: true, mask: true);
            }
        // Enough large tiles for a small GPU, and rows of the result that vectors do not fit.
        yield return Product(new(260, 131, 64, TransposeB: true));
        yield return Product(new(260, 131, 64, TransposeB: true, Accumulate: true), bias: true, relu: true, mask: true);
        yield return Product(new(0, 5, 4));
        yield return Product(new(5, 0, 4));
        foreach (var (rows, inputs, outputs) in ((int, int, int)[])[(1, 1, 1), (3, 5, 7), (17, 20, 4), (100, 256, 10), (33, 48, 36), (5, 9, 50), (70, 64, 128), (2600, 16, 128), (0, 3, 2)])
            foreach (var kernelCase in Pair(rows, inputs, outputs))
                yield return kernelCase;
        foreach (var (rows, columns) in ((int, int)[])[(0, 3), (1, 1), (7, 3), (100, 10), (1000, 1), (513, 32), (300, 33), (2000, 3), (9001, 17), (600, 500)])
            foreach (bool accumulate in (bool[])[false, true])
                yield return BiasGradient(rows, columns, accumulate);
        foreach (int n in (int[])[1, 7, 16, 33, 70_001])
            yield return ReluMask(n);
    }

    internal static KernelCase Product(MatMulShape s, bool bias = false, bool relu = false, bool mask = false)
    {
        string label = $"{s.M}x{s.N}x{s.K} {(s.TransposeA ? 'T' : 'N')}{(s.TransposeB ? 'T' : 'N')}{(s.Accumulate ? " accumulate" : "")}{(bias ? " bias" : "")}{(relu ? " relu" : "")}{(mask ? " mask" : "")}";
        return new("MatMul", label, context =>
        {
            float[] a = context.Uniform(s.M * s.K), b = context.Uniform(s.K * s.N), start = context.Uniform(s.M * s.N);
            float[] biases = context.Uniform(s.N), masks = context.Hard(s.M * s.N);
            var c = s.Accumulate ? context.Output(start) : context.Output(s.M * s.N);
            Slice<float> da = context.Upload(a), db = context.Upload(b), dbias = bias ? context.Upload(biases) : default, dmask = mask ? context.Upload(masks) : default;
            context.Run(k => k.MatMul(s, da, db, c, dbias, relu ? Activation.Relu : Activation.None, dmask));
            context.Expect(c, Multiply(s, a, b, start, bias ? biases : null, relu, mask ? masks : null), absolute: 2e-6);
        });
    }

    /// <summary>Two linear layers on one input, forward and backward.</summary>
    internal static IEnumerable<KernelCase> Pair(int rows, int inputs, int outputs)
    {
        string label = $"{rows}x{inputs}x2*{outputs}";
        yield return new("LinearPair", label, context =>
        {
            float[] x = context.Uniform(rows * inputs);
            float[][] w = [context.Uniform(inputs * outputs), context.Uniform(inputs * outputs)], bias = [context.Uniform(outputs), context.Uniform(outputs)];
            var dx = context.Upload(x);
            SlicePair dw = Upload(context, w), db = Upload(context, bias), y = new(context.Output(rows * outputs), context.Output(rows * outputs));
            context.Run(k => k.LinearPair(rows, inputs, outputs, dx, dw, db, y));
            for (int i = 0; i < 2; i++)
                context.Expect(i == 0 ? y.First : y.Second, Multiply(new(rows, outputs, inputs), x, w[i], [], bias[i], false, null), absolute: 2e-6, what: $"output {i}");
        });
        foreach (bool accumulate in (bool[])[false, true])
        {
            string and = label + (accumulate ? " accumulate" : "");
            yield return new("LinearPairBackwardData", and, context =>
            {
                float[][] g = [context.Uniform(rows * outputs), context.Uniform(rows * outputs)], w = [context.Uniform(inputs * outputs), context.Uniform(inputs * outputs)];
                float[] start = context.Uniform(rows * inputs), mask = context.Hard(rows * inputs);
                SlicePair dg = Upload(context, g), dw = Upload(context, w);
                var dx = accumulate ? context.Output(start) : context.Output(rows * inputs);
                var dmask = context.Upload(mask);
                context.Run(k => k.LinearPairBackwardData(rows, inputs, outputs, dg, dw, dx, accumulate, dmask));
                var shape = new MatMulShape(rows, inputs, outputs, TransposeB: true, Accumulate: accumulate);
                double[] first = Multiply(shape, g[0], w[0], start, null, false, mask), second = Multiply(shape with { Accumulate = false }, g[1], w[1], start, null, false, mask);
                context.Expect(dx, [.. first.Zip(second, (a, b) => a + b)], absolute: 2e-6);
            });
            yield return new("LinearPairBackwardWeight", and, context =>
            {
                float[] x = context.Uniform(rows * inputs);
                float[][] g = [context.Uniform(rows * outputs), context.Uniform(rows * outputs)], starts = [context.Uniform(inputs * outputs), context.Uniform(inputs * outputs)];
                float[][] biasStarts = [context.Uniform(outputs), context.Uniform(outputs)];
                var dx = context.Upload(x);
                var dg = Upload(context, g);
                SlicePair dw = Outputs(context, starts, accumulate), db = Outputs(context, biasStarts, accumulate);
                context.Run(k => k.LinearPairBackwardWeight(rows, inputs, outputs, dx, dg, dw, db, accumulate));
                var shape = new MatMulShape(inputs, outputs, rows, TransposeA: true, Accumulate: accumulate);
                for (int i = 0; i < 2; i++)
                {
                    context.Expect(i == 0 ? dw.First : dw.Second, Multiply(shape, x, g[i], starts[i], null, false, null), absolute: 2e-6, what: $"weights {i}");
                    var sums = Enumerable.Range(0, outputs).Select(j => (accumulate ? biasStarts[i][j] : 0.0) + Enumerable.Range(0, rows).Sum(r => (double)g[i][r * outputs + j]));
                    context.Expect(i == 0 ? db.First : db.Second, [.. sums], absolute: 3e-6, what: $"biases {i}");
                }
            });
        }

        static SlicePair Upload(CaseContext context, float[][] values) => new(context.Upload(values[0]), context.Upload(values[1]));

        static SlicePair Outputs(CaseContext context, float[][] starts, bool accumulate) =>
            accumulate ? new(context.Output(starts[0]), context.Output(starts[1])) : new(context.Output(starts[0].Length), context.Output(starts[1].Length));
    }

    internal static double[] Multiply(MatMulShape s, float[] a, float[] b, float[] start, float[]? bias, bool relu, float[]? mask)
    {
        var c = new double[s.M * s.N];
        for (int i = 0; i < s.M; i++)
            for (int j = 0; j < s.N; j++)
            {
                double sum = bias is null ? 0 : bias[j];
                for (int k = 0; k < s.K; k++)
                    sum += (double)a[s.TransposeA ? k * s.M + i : i * s.K + k] * b[s.TransposeB ? j * s.K + k : k * s.N + j];
                c[i * s.N + j] = Finish(sum, i * s.N + j, s.Accumulate ? start : null, relu, mask);
            }
        return c;
    }

    /// <summary>What happens to a product before it is stored: the mask on what is added, the sum, the activation.</summary>
    internal static double Finish(double value, int index, float[]? addTo, bool relu, float[]? mask)
    {
        if (mask is not null && mask[index] <= 0)
            value = 0;
        if (addTo is not null)
            value += addTo[index];
        return relu ? Math.Max(0, value) : value;
    }

    internal static KernelCase BiasGradient(int rows, int columns, bool accumulate) => new("BiasGradient", $"{rows}x{columns}{(accumulate ? " accumulate" : "")}", context =>
    {
        float[] g = context.Hard(rows * columns), start = context.Uniform(columns);
        var expected = new double[columns];
        for (int j = 0; j < columns; j++)
        {
            expected[j] = accumulate ? start[j] : 0;
            for (int i = 0; i < rows; i++)
                expected[j] += g[i * columns + j];
        }
        var d = accumulate ? context.Output(start) : context.Output(columns);
        var dg = context.Upload(g);
        context.Run(k => k.BiasGradient(rows, columns, dg, d, accumulate));
        context.Expect(d, expected, absolute: 3e-6);
    });

    internal static KernelCase ReluMask(int n) => new("ReluMask", $"{n}", context =>
    {
        float[] y = context.Hard(n), g = context.Hard(n);
        var dg = context.Output(g);
        var dy = context.Upload(y);
        context.Run(k => k.ReluMask(dy, dg));
        context.Expect(dg, [.. g.Select((v, i) => y[i] > 0 ? (double)v : 0)], relative: 0, absolute: 0);
    });
}
