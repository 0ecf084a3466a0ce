using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Convolutions in all three directions, and max pooling.</summary>
public static class ConvCases
{
    public static IEnumerable<KernelCase> All()
    {
        int[] channels = [1, 2, 3, 5, 16, 31, 32, 33, 64];
        int turn = 0;
        int Next() => channels[turn++ % channels.Length];
        foreach (int kernel in (int[])[1, 2, 3, 4, 5, 7])
            foreach (int stride in (int[])[1, 2, 3])
                foreach (int padding in (int[])[0, 1, 2])
                    foreach (var c in Passes(new(2, 9, 8 + turn % 3, Next(), Next(), kernel, kernel, stride, padding)))
                        yield return c;
        // The papers' layers (small batches), ragged images, kernels that are not square, single images, large images cut into bands.
        ConvShape[] shapes =
        [
            new(3, 28, 28, 1, 32, 4, 4, 2, 1), new(5, 14, 14, 32, 32, 4, 4, 2, 1), new(2, 64, 64, 3, 32, 4, 4, 2, 1),
                new(2, 16, 16, 32, 64, 4, 4, 2, 1), new(9, 8, 8, 64, 64, 4, 4, 2, 1),
            new(2, 21, 24, 3, 33, 4, 4, 2, 1), new(2, 21, 24, 33, 5, 4, 4, 2, 1), new(1, 21, 24, 16, 16, 4, 4, 2, 1),
                new(1, 40, 40, 32, 32, 3, 3, 1, 1), new(1, 64, 48, 32, 16, 5, 5, 2, 2),
            new(2, 12, 10, 5, 31, 3, 5, 1, 2), new(2, 10, 12, 31, 64, 5, 2, 2, 1), new(70, 4, 4, 32, 32, 4, 4, 2, 1),
                new(40, 5, 3, 2, 3, 3, 3, 1, 1), new(3, 7, 7, 512, 8, 1, 1, 1, 0),
            new(2, 32, 36, 4, 64, 4, 4, 2, 1), new(1, 48, 20, 2, 8, 5, 3, 3, 2), new(2, 30, 9, 1, 12, 2, 2, 3, 0), new(1, 1, 1, 3, 4, 3, 3,
                1, 1), new(2, 6, 6, 3, 512, 3, 3, 1, 1), new(1, 6, 6, 8, 9, 2, 2, 3, 0), new(300, 6, 6, 9, 10, 3, 3, 1, 1),
        ];
        foreach (var shape in shapes)
            foreach (var c in Passes(shape))
                yield return c;
        // Enough large tiles for a large GPU, in each direction.
        yield return Forward(new(69, 16, 17, 6, 125, 2, 2, 1, 0), bias: true, relu: true, accumulate: false, mask: false);
        yield return BackwardData(new(69, 16, 16, 125, 6, 2, 2, 1, 0), bias: false, relu: false, accumulate: false, mask: true);
        yield return BackwardWeight(new(1, 5, 5, 1020, 128, 4, 4, 2, 1), accumulate: true);
        foreach (var shape in (ConvShape[])[new(2, 9, 10, 5, 33, 4, 4, 2, 1), new(2, 9, 10, 33, 3, 3, 3, 1, 1),
            new(2, 14, 14, 32, 64, 4, 4, 2, 1), new(2, 5, 6, 16, 7, 1, 1, 1, 0), new(2, 9, 10, 1, 16, 4, 4, 2, 1)])
            foreach (bool accumulate in (bool[])[false, true])
                foreach (bool mask in (bool[])[false, true])
                    foreach (bool relu in (bool[])[false, true])
                    {
                        yield return Forward(shape, bias: true, relu, accumulate, mask);
                        yield return BackwardData(shape, bias: true, relu, accumulate, mask);
                    }
        foreach (var shape in (PoolShape[])[new(2, 8, 8, 3, 2, 2), new(3, 9, 7, 17, 3, 2), new(1, 5, 5, 8, 2, 1), new(2, 6, 6, 33, 3, 3),
            new(1, 4, 4, 1, 4, 1)])
        {
            yield return MaxPool(shape);
            yield return MaxPoolGradient(shape, false);
            yield return MaxPoolGradient(shape, true);
        }
    }

    private static IEnumerable<KernelCase> Passes(ConvShape shape)
    {
        if (shape.Height + 2 * shape.Padding < shape.KernelHeight || shape.Width + 2 * shape.Padding < shape.KernelWidth)
            yield break;
        yield return Forward(shape, bias: false, relu: false, accumulate: false, mask: false);
        yield return BackwardData(shape, bias: false, relu: false, accumulate: false, mask: false);
        yield return BackwardWeight(shape, accumulate: false);
        yield return BackwardWeight(shape, accumulate: true);
    }

    private static string Label(ConvShape s, params string[] words) =>
        $"{s.Batch}x{s.Height}x{s.Width}x{s.InChannels}->{s.OutChannels} "
            + $"{s.KernelHeight}x{s.KernelWidth}/{s.Stride}/{s.Padding}{string.Concat(words.Where(w => w != "").Select(w => " " + w))}";

    private static KernelCase Forward(ConvShape s, bool bias, bool relu, bool accumulate, bool mask) =>
        new("Conv2dForward", Label(s, bias ? "bias" : "", relu ? "relu" : "", accumulate ? "accumulate" : "", mask ? "mask" : ""),
            context =>
        {
            float[] x = context.Uniform(s.InSize), w = context.Uniform(s.WeightSize), biases = context.Uniform(s.OutChannels),
                start = context.Uniform(s.OutSize), masks = context.Hard(s.OutSize);
            var sums = new double[s.OutSize];
            Walk(s, (xi, wi, yi) => sums[yi] += (double)x[xi] * w[wi]);
            Slice<float> dx = context.Upload(x), dw = context.Upload(w), db = bias ? context.Upload(biases) : default, dm = mask
                ? context.Upload(masks) : default;
            var y = accumulate ? context.Output(start) : context.Output(s.OutSize);
            context.Run(k => k.Conv2dForward(s, dx, dw, y, db, relu ? Activation.Relu : Activation.None, accumulate, dm));
            context.Expect(y, Finish(sums, s.OutChannels, bias ? biases : null, accumulate ? start : null, relu, mask ? masks : null),
                absolute: 2e-6);
        });

    private static KernelCase BackwardData(ConvShape s, bool bias, bool relu, bool accumulate, bool mask) =>
        new("Conv2dBackwardData", Label(s, bias ? "bias" : "", relu ? "relu" : "", accumulate ? "accumulate" : "", mask ? "mask" : ""),
            context =>
        {
            float[] dy = context.Uniform(s.OutSize), w = context.Uniform(s.WeightSize), biases = context.Uniform(s.InChannels),
                start = context.Uniform(s.InSize), masks = context.Hard(s.InSize);
            var sums = new double[s.InSize];
            Walk(s, (xi, wi, yi) => sums[xi] += (double)dy[yi] * w[wi]);
            Slice<float> ddy = context.Upload(dy), dw = context.Upload(w), db = bias ? context.Upload(biases) : default, dm = mask
                ? context.Upload(masks) : default;
            var dx = accumulate ? context.Output(start) : context.Output(s.InSize);
            context.Run(k => k.Conv2dBackwardData(s, ddy, dw, dx, db, relu ? Activation.Relu : Activation.None, accumulate, dm));
            context.Expect(dx, Finish(sums, s.InChannels, bias ? biases : null, accumulate ? start : null, relu, mask ? masks : null),
                absolute: 2e-6);
        });

    private static KernelCase BackwardWeight(ConvShape s, bool accumulate) =>
        new("Conv2dBackwardWeight", Label(s, accumulate ? "accumulate" : ""), context =>
    {
        float[] x = context.Uniform(s.InSize), dy = context.Uniform(s.OutSize), start = context.Uniform(s.WeightSize);
        var sums = new double[s.WeightSize];
        Walk(s, (xi, wi, yi) => sums[wi] += (double)x[xi] * dy[yi]);
        Slice<float> dx = context.Upload(x), ddy = context.Upload(dy);
        var dw = accumulate ? context.Output(start) : context.Output(s.WeightSize);
        context.Run(k => k.Conv2dBackwardWeight(s, dx, ddy, dw, accumulate));
        context.Expect(dw, Finish(sums, s.OutChannels, null, accumulate ? start : null, relu: false, null), absolute: 2e-6);
    });

    /// <summary>The convolution as the sum over (x, w, y) index triples; each pass adds the product of two into the third.</summary>
    public static void Walk(ConvShape s, Action<int, int, int> visit)
    {
        for (int n = 0; n < s.Batch; n++)
            for (int oh = 0; oh < s.OutHeight; oh++)
                for (int ow = 0; ow < s.OutWidth; ow++)
                    for (int kh = 0; kh < s.KernelHeight; kh++)
                        for (int kw = 0; kw < s.KernelWidth; kw++)
                        {
                            int h = oh * s.Stride + kh - s.Padding, w = ow * s.Stride + kw - s.Padding;
                            if (h < 0 || h >= s.Height || w < 0 || w >= s.Width)
                                continue;
                            int x = ((n * s.Height + h) * s.Width + w) * s.InChannels, tap = (kh * s.KernelWidth + kw) * s.InChannels,
                                y = ((n * s.OutHeight + oh) * s.OutWidth + ow) * s.OutChannels;
                            for (int c = 0; c < s.InChannels; c++)
                                for (int o = 0; o < s.OutChannels; o++)
                                    visit(x + c, (tap + c) * s.OutChannels + o, y + o);
                        }
    }

    private static double[] Finish(double[] sums, int channels, float[]? bias, float[]? addTo, bool relu, float[]? mask)
    {
        for (int i = 0; i < sums.Length; i++)
            sums[i] = MatMulCases.Finish(sums[i] + (bias is null ? 0 : bias[i % channels]), i, addTo, relu, mask);
        return sums;
    }

    public static KernelCase MaxPool(PoolShape s) => new("MaxPool", s.ToString(), context =>
    {
        float[] x = context.Hard(s.InSize);
        var (maxima, argmax) = Pool(s, x);
        var dx = context.Upload(x);
        var y = context.Output(s.OutSize);
        var where = context.Upload(new int[s.OutSize]);
        context.Run(k => k.MaxPool(s, dx, y, where));
        context.Expect(y, maxima, relative: 0, absolute: 0);
        var got = new int[s.OutSize];
        context.Backend.Download<int>(where, got);
        if (!got.AsSpan().SequenceEqual(argmax))
            context.Failures.Add("argmax is not the first largest entry of each window");
    });

    public static KernelCase MaxPoolGradient(PoolShape s, bool accumulate) =>
        new("MaxPoolGradient", $"{s}{(accumulate ? " accumulate" : "")}", context =>
    {
        float[] g = context.Uniform(s.OutSize), start = context.Uniform(s.InSize);
        var (_, argmax) = Pool(s, context.Hard(s.InSize));
        var expected = new double[s.InSize];
        for (int i = 0; i < expected.Length && accumulate; i++)
            expected[i] = start[i];
        for (int i = 0; i < argmax.Length; i++)
            expected[argmax[i]] += g[i];
        var dx = accumulate ? context.Output(start) : context.Output(s.InSize);
        Slice<float> dg = context.Upload(g);
        var where = context.Upload(argmax);
        context.Run(k => k.MaxPoolGradient(s, dg, where, dx, accumulate));
        context.Expect(dx, expected);
    });

    private static (double[] Maxima, int[] Argmax) Pool(PoolShape s, float[] x)
    {
        var maxima = new double[s.OutSize];
        var argmax = new int[s.OutSize];
        for (int i = 0; i < s.OutSize; i++)
        {
            int c = i % s.Channels, ow = i / s.Channels % s.OutWidth, oh = i / s.Channels / s.OutWidth % s.OutHeight,
                n = i / s.Channels / s.OutWidth / s.OutHeight;
            maxima[i] = double.NegativeInfinity;
            for (int kh = 0; kh < s.Kernel; kh++)
                for (int kw = 0; kw < s.Kernel; kw++)
                {
                    int from = ((n * s.Height + oh * s.Stride + kh) * s.Width + ow * s.Stride + kw) * s.Channels + c;
                    if (x[from] > maxima[i])
                        (maxima[i], argmax[i]) = (x[from], from);
                }
        }
        return (maxima, argmax);
    }
}
