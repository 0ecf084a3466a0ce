using System.Numerics;

namespace VaeFromScratch.Estimators.Quality;

/// <summary>Similarity over all ordered pairs of a set of images, and what (G7) makes of it.</summary>
/// <param name="MeanWithSelf">Mean SSIM over n^2 ordered pairs, the n pairs of an image with itself (SSIM 1) included.</param>
/// <param name="MeanWithoutSelf">Mean SSIM over n (n - 1) ordered pairs; NaN is never given, n is at least 2.</param>
public sealed record SsimOfSet(double MeanWithSelf, double MeanWithoutSelf)
{
    /// <summary>(G7) as the paper sums it: (1 - mean) / 2 with the self-pairs, in [0, 1]; larger is more diverse.</summary>
    public double Negative => 0.5 * (1 - MeanWithSelf);

    /// <summary>(G7) without the self-pairs.</summary>
    public double NegativeWithoutSelf => 0.5 * (1 - MeanWithoutSelf);
}

/// <summary>
/// Single-scale structural similarity (Wang et al. 2004): an 11 x 11 Gaussian window with sigma 1.5, only where it fits, K1 = 0.01, K2 =
/// 0.03.
/// </summary>
/// <remarks>Images of several channels are compared channel by channel and averaged.</remarks>
public sealed class Ssim
{
    /// <summary>Pixels on a side of the window; images must be at least this large.</summary>
    public const int Window = 11;

    private const double Sigma = 1.5;
    private static readonly double[] Kernel = GaussianWindow();

    private readonly int height;
    private readonly int width;
    private readonly int channels;
    private readonly double c1;
    private readonly double c2;

    /// <param name="range">Largest minus smallest value a pixel can have: 1 for [0, 1], 2 for [-1, 1].</param>
    /// <exception cref="EstimatorException">The images are smaller than the window or the range is not positive.</exception>
    public Ssim(int height, int width, int channels, double range)
    {
        if (height < Window || width < Window || channels < 1 || !(range > 0))
            throw new EstimatorException(
                $"ssim: images of {height} x {width} x {channels} with data range {range}; expected at least {Window} x {Window} x 1 and "
                + $"a positive range");
        (this.height, this.width, this.channels) = (height, width, channels);
        c1 = 0.01 * range * 0.01 * range;
        c2 = 0.03 * range * 0.03 * range;
    }

    private int Pixels => height * width * channels;

    private int Positions => (height - Window + 1) * (width - Window + 1) * channels;

    /// <summary>SSIM of two images, NHWC with N = 1.</summary>
    public double Compare(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        if (a.Length != Pixels || b.Length != Pixels)
            throw new EstimatorException(
                $"ssim: images of {a.Length} and {b.Length} values; expected {height} x {width} x {channels} = {Pixels} each");
        var pair = new float[2 * Pixels];
        a.CopyTo(pair);
        b.CopyTo(pair.AsSpan(Pixels));
        return OfSet(pair).MeanWithoutSelf;
    }

    /// <summary>All pairs of a set, O(n^2) comparisons on all processors; the result does not depend on their number.</summary>
    /// <param name="images">[n, height, width, channels], n at least 2.</param>
    /// <exception cref="EstimatorException">Fewer than two whole images, or a pixel is not finite.</exception>
    public SsimOfSet OfSet(ReadOnlySpan<float> images)
    {
        if (images.Length % Pixels != 0 || images.Length < 2 * Pixels)
            throw new EstimatorException($"ssim: {images.Length} values are not two or more images of {height} x {width} x {channels}");
        EncodingChecks.Finite("ssim", "the value", images, Pixels, 0);
        int n = images.Length / Pixels, lanes = Vector<double>.Count, groups = (n + lanes - 1) / lanes;
        var single = images.ToArray();
        var side = new LaneGroup[groups];
        for (int g = 0; g < groups; g++)
            side[g] = Transpose(images, g * lanes, n);
        var sums = new double[n];
        Parallel.For(0, n, () => new Scratch(this), (i, _, scratch) =>
        {
            for (int g = i / lanes; g < groups; g++)
            {
                var similarity = Compare(single.AsSpan(i * Pixels, Pixels), side[i / lanes], i % lanes, side[g], scratch);
                for (int lane = 0; lane < lanes; lane++)
                    if (g * lanes + lane > i && g * lanes + lane < n)
                        sums[i] += similarity[lane];
            }
            return scratch;
        }, _ => { });
        double pairs = 2 * sums.Sum();
        return new((pairs + n) / ((double)n * n), pairs / ((double)n * (n - 1)));
    }

    /// <summary>As many images as a vector has lanes, pixel by pixel, with the local means and variances of each.</summary>
    private sealed record LaneGroup(Vector<double>[] Pixels, Vector<double>[] Mean, Vector<double>[] Variance);

    private sealed class Scratch(Ssim owner)
    {
        public readonly Vector<double>[] Product = new Vector<double>[owner.Pixels];
        public readonly Vector<double>[] Rows = new Vector<double>[(owner.height - Window + 1) * owner.width * owner.channels];
        public readonly Vector<double>[] Filtered = new Vector<double>[owner.Positions];
    }

    private LaneGroup Transpose(ReadOnlySpan<float> images, int first, int n)
    {
        var pixels = new Vector<double>[Pixels];
        Span<double> lane = stackalloc double[Vector<double>.Count];
        for (int p = 0; p < Pixels; p++)
        {
            for (int l = 0; l < lane.Length; l++)
                lane[l] = images[Math.Min(first + l, n - 1) * Pixels + p];
            pixels[p] = new(lane);
        }
        var scratch = new Scratch(this);
        Filter(pixels, scratch);
        var mean = (Vector<double>[])scratch.Filtered.Clone();
        for (int p = 0; p < Pixels; p++)
            scratch.Product[p] = pixels[p] * pixels[p];
        Filter(scratch.Product, scratch);
        var variance = new Vector<double>[Positions];
        for (int p = 0; p < Positions; p++)
            variance[p] = scratch.Filtered[p] - mean[p] * mean[p];
        return new(pixels, mean, variance);
    }

    /// <summary>SSIM of one image against each of a group.</summary>
    private Vector<double> Compare(ReadOnlySpan<float> image, LaneGroup own, int ownLane, LaneGroup others, Scratch scratch)
    {
        for (int p = 0; p < image.Length; p++)
            scratch.Product[p] = others.Pixels[p] * image[p];
        Filter(scratch.Product, scratch);
        Vector<double> sum = default, luminance = new(c1), contrast = new(c2);
        for (int p = 0; p < scratch.Filtered.Length; p++)
        {
            var (mean, variance) = (new Vector<double>(own.Mean[p][ownLane]), new Vector<double>(own.Variance[p][ownLane]));
            var means = mean * others.Mean[p];
            var covariance = scratch.Filtered[p] - means;
            var above = (means + means + luminance) * (covariance + covariance + contrast);
            var below = (mean * mean + others.Mean[p] * others.Mean[p] + luminance) * (variance + others.Variance[p] + contrast);
            sum += above / below;
        }
        return sum / new Vector<double>(scratch.Filtered.Length);
    }

    /// <summary>The windowed mean of every position, rows first.</summary>
    private void Filter(Vector<double>[] pixels, Scratch scratch)
    {
        int stride = width * channels;
        var rows = scratch.Rows;
        for (int p = 0; p < rows.Length; p++)
        {
            var sum = pixels[p] * Kernel[0];
            for (int t = 1; t < Window; t++)
                sum += pixels[p + t * stride] * Kernel[t];
            rows[p] = sum;
        }
        int outStride = (width - Window + 1) * channels;
        for (int p = 0; p < scratch.Filtered.Length; p++)
        {
            int from = p / outStride * stride + p % outStride;
            var sum = rows[from] * Kernel[0];
            for (int t = 1; t < Window; t++)
                sum += rows[from + t * channels] * Kernel[t];
            scratch.Filtered[p] = sum;
        }
    }

    private static double[] GaussianWindow()
    {
        var window = new double[Window];
        for (int i = 0; i < Window; i++)
            window[i] = Math.Exp(-0.5 * (i - Window / 2) * (i - Window / 2) / (Sigma * Sigma));
        double sum = window.Sum();
        return [.. window.Select(w => w / sum)];
    }
}
