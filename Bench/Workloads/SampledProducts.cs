using VaeFromScratch.Kernels;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Bench.Workloads;

/// <summary>
/// Matrix products and convolutions at benchmark sizes. Their whole double-precision reference would take minutes, so each is compared at a
/// thousand entries
/// spread over the result, first and last included; the tests compare every entry at smaller sizes.
/// </summary>
internal static class SampledProducts
{
    private const int Samples = 1000;
    private const double Tolerance = 2e-6;

    public static KernelCase MatMul(MatMulShape s) =>
        new("MatMul", $"{(s.TransposeA ? 'T' : 'N')}{(s.TransposeB ? 'T' : 'N')} {s.M}x{s.K}x{s.N}", context =>
    {
        float[] a = context.Uniform(s.M * s.K), b = context.Uniform(s.K * s.N);
        Slice<float> da = context.Upload(a), db = context.Upload(b), c = context.Output(s.M * s.N);
        context.Run(k => k.MatMul(s, da, db, c));
        context.ExpectAt(c, Spread(s.M * s.N), at =>
        {
            int i = at / s.N, j = at % s.N;
            double sum = 0;
            for (int k = 0; k < s.K; k++)
                sum += (double)a[s.TransposeA ? k * s.M + i : i * s.K + k] * b[s.TransposeB ? j * s.K + k : k * s.N + j];
            return sum;
        }, absolute: Tolerance);
    });

    /// <summary>y = x * w + bias.</summary>
    public static KernelCase Forward(ConvShape s) => new("Conv2dForward", Label(s), context =>
    {
        float[] x = context.Uniform(s.InSize), w = context.Uniform(s.WeightSize), bias = context.Uniform(s.OutChannels);
        Slice<float> dx = context.Upload(x), dw = context.Upload(w), db = context.Upload(bias), y = context.Output(s.OutSize);
        context.Run(k => k.Conv2dForward(s, dx, dw, y, db));
        context.ExpectAt(y, Spread(s.OutSize), at =>
        {
            var (n, oh, ow, o) = Split(at, s.OutHeight, s.OutWidth, s.OutChannels);
            double sum = bias[o];
            for (int kh = 0; kh < s.KernelHeight; kh++)
                for (int kw = 0; kw < s.KernelWidth; kw++)
                    if (Pixel(s, n, oh, ow, kh, kw) is >= 0 and var pixel)
                        for (int c = 0; c < s.InChannels; c++)
                            sum += (double)x[pixel * s.InChannels + c] * w[Weight(s, kh, kw, c, o)];
            return sum;
        }, absolute: Tolerance);
    });

    /// <summary>dx from dy; with <paramref name="bias"/> it is the forward pass of the transposed convolution.</summary>
    public static KernelCase BackwardData(ConvShape s, bool bias = false) => new("Conv2dBackwardData", Label(s), context =>
    {
        float[] dy = context.Uniform(s.OutSize), w = context.Uniform(s.WeightSize), biases = context.Uniform(s.InChannels);
        Slice<float> ddy = context.Upload(dy), dw = context.Upload(w), db = bias ? context.Upload(biases) : default,
            dx = context.Output(s.InSize);
        context.Run(k => k.Conv2dBackwardData(s, ddy, dw, dx, db));
        context.ExpectAt(dx, Spread(s.InSize), at =>
        {
            var (n, h, v, c) = Split(at, s.Height, s.Width, s.InChannels);
            double sum = bias ? biases[c] : 0;
            for (int kh = 0; kh < s.KernelHeight; kh++)
                for (int kw = 0; kw < s.KernelWidth; kw++)
                {
                    int down = h + s.Padding - kh, right = v + s.Padding - kw, oh = down / s.Stride, ow = right / s.Stride;
                    if (down < 0 || right < 0 || down % s.Stride != 0 || right % s.Stride != 0 || oh >= s.OutHeight || ow >= s.OutWidth)
                        continue;
                    for (int o = 0; o < s.OutChannels; o++)
                        sum += (double)dy[((n * s.OutHeight + oh) * s.OutWidth + ow) * s.OutChannels + o] * w[Weight(s, kh, kw, c, o)];
                }
            return sum;
        }, absolute: Tolerance);
    });

    /// <summary>dw, and dbias where <paramref name="bias"/>, as a layer's backward pass asks for them.</summary>
    public static KernelCase BackwardWeight(ConvShape s, bool bias = false) => new("Conv2dBackwardWeight", Label(s), context =>
    {
        float[] x = context.Uniform(s.InSize), dy = context.Uniform(s.OutSize);
        Slice<float> dx = context.Upload(x), ddy = context.Upload(dy), dw = context.Output(s.WeightSize), db = bias
            ? context.Output(s.OutChannels) : default;
        context.Run(k =>
        {
            k.Conv2dBackwardWeight(s, dx, ddy, dw, accumulate: false);
            if (bias)
                k.SumColumns([new(s.OutSize / s.OutChannels, s.OutChannels, ddy, db, Accumulate: false)]);
        });
        context.ExpectAt(dw, Spread(s.WeightSize, Samples / 4), at =>
        {
            var (kh, kw, c, o) = Split(at, s.KernelWidth, s.InChannels, s.OutChannels);
            double sum = 0;
            for (int n = 0; n < s.Batch; n++)
                for (int oh = 0; oh < s.OutHeight; oh++)
                    for (int ow = 0; ow < s.OutWidth; ow++)
                        if (Pixel(s, n, oh, ow, kh, kw) is >= 0 and var pixel)
                            sum += (double)x[pixel * s.InChannels + c] * dy[((n * s.OutHeight + oh) * s.OutWidth + ow) * s.OutChannels + o];
            return sum;
        }, absolute: Tolerance);
        if (bias)
            context.ExpectAt(db, Spread(s.OutChannels), at =>
            {
                double sum = 0;
                for (int i = at; i < dy.Length; i += s.OutChannels)
                    sum += dy[i];
                return sum;
            }, absolute: 2 * Tolerance, what: "dbias");
    });

    private static string Label(ConvShape s) =>
        $"{s.Batch}x{s.Height}x{s.Width} {s.InChannels}->{s.OutChannels} {s.KernelHeight}x{s.KernelWidth}/{s.Stride}";

    /// <summary>Up to that many indices below n, evenly spread, with steps that are no multiple of the number of channels.</summary>
    private static int[] Spread(int n, int samples = Samples)
    {
        if (n <= samples)
            return [.. Enumerable.Range(0, n)];
        return [.. Enumerable.Range(0, samples).Select(i => (int)((long)i * (n - 1) / (samples - 1)))];
    }

    private static (int, int, int, int) Split(int index, int b, int c, int d) =>
        (index / d / c / b, index / d / c % b, index / d % c, index % d);

    /// <summary>Index of the pixel that a tap reads; negative in the padding.</summary>
    private static int Pixel(ConvShape s, int n, int oh, int ow, int kh, int kw)
    {
        int h = oh * s.Stride + kh - s.Padding, w = ow * s.Stride + kw - s.Padding;
        return h < 0 || h >= s.Height || w < 0 || w >= s.Width ? -1 : (n * s.Height + h) * s.Width + w;
    }

    private static int Weight(ConvShape s, int kh, int kw, int c, int o) =>
        ((kh * s.KernelWidth + kw) * s.InChannels + c) * s.OutChannels + o;
}
