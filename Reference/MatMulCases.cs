using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Matrix products and the ReLU mask.</summary>
public static class MatMulCases
{
    public static IEnumerable<KernelCase> All()
    {
        // Ragged around each vector width and tile height, one of a kind, and the sizes of the papers' networks.
        (int M, int N, int K)[] shapes =
        [
            (1, 1, 1), (1, 17, 3), (2, 1, 40), (3, 4, 5), (5, 8, 16), (6, 7, 9), (7, 15, 33), (13, 16, 31), (14, 31, 17), (15, 32, 64),
                (16, 33, 15),
            (27, 48, 7), (29, 63, 100), (43, 65, 2), (1, 300, 500), (4, 129, 257), (100, 10, 256), (33, 160, 385), (61, 257, 800),
                (420, 130, 70), (385, 20, 390), (100, 784, 50),
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
        // The same for a large GPU.
        foreach (bool ta in (bool[])[false, true])
            foreach (bool tb in (bool[])[false, true])
                yield return Product(new(2039, 1021, 19, ta, tb));
        yield return Product(new(2039, 1021, 19, Accumulate: true), bias: true, relu: true, mask: true);
        yield return Product(new(0, 5, 4));
        yield return Product(new(5, 0, 4));
        foreach (int n in (int[])[1, 7, 16, 33, 70_001])
            yield return ReluMask(n);
    }

    public static KernelCase Product(MatMulShape s, bool bias = false, bool relu = false, bool mask = false)
    {
        string label =
            $"{s.M}x{s.N}x{s.K} "
            + $"{(s.TransposeA ? 'T' : 'N')}{(s.TransposeB ? 'T' : 'N')}{(s.Accumulate ? " accumulate" : "")}{(bias ? " bias" : "")}{(relu ? " relu" : "")}{(mask ? " mask" : "")}";
        return new("MatMul", label, context =>
        {
            float[] a = context.Uniform(s.M * s.K), b = context.Uniform(s.K * s.N), start = context.Uniform(s.M * s.N);
            float[] biases = context.Uniform(s.N), masks = context.Hard(s.M * s.N);
            var c = s.Accumulate ? context.Output(start) : context.Output(s.M * s.N);
            Slice<float> da = context.Upload(a), db = context.Upload(b), dbias = bias ? context.Upload(biases) : default, dmask = mask
                ? context.Upload(masks) : default;
            context.Run(k => k.MatMul(s, da, db, c, dbias, relu ? Activation.Relu : Activation.None, dmask));
            context.Expect(c, Multiply(s, a, b, start, bias ? biases : null, relu, mask ? masks : null), absolute: 2e-6);
        });
    }

    public static double[] Multiply(MatMulShape s, float[] a, float[] b, float[] start, float[]? bias, bool relu, float[]? mask)
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
    public static double Finish(double value, int index, float[]? addTo, bool relu, float[]? mask)
    {
        if (mask is not null && mask[index] <= 0)
            value = 0;
        if (addTo is not null)
            value += addTo[index];
        return relu ? Math.Max(0, value) : value;
    }

    public static KernelCase ReluMask(int n) => new("ReluMask", $"{n}", context =>
    {
        float[] y = context.Hard(n), g = context.Hard(n);
        var dg = context.Output(g);
        var dy = context.Upload(y);
        context.Run(k => k.ReluMask(dy, dg));
        context.Expect(dg, [.. g.Select((v, i) => y[i] > 0 ? (double)v : 0)], relative: 0, absolute: 0);
    });
}
