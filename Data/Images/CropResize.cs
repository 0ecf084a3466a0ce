using System.Numerics;

namespace VaeFromScratch.Data.Images;

/// <summary>
/// Cuts the middle out of a picture and scales it to a fixed size: each pixel is a mean of the source around it under a triangle as wide as
/// the reduction (at
/// least one source pixel either side), first along columns, then along rows, so that nothing aliases. One object serves one thread.
/// </summary>
/// <param name="height">Rows of the result.</param>
/// <param name="width">Columns of the result.</param>
internal sealed class CropResize(int height, int width)
{
    private readonly Dictionary<(int From, int To), Taps> known = [];
    private float[] sum = [], scaled = [];

    /// <summary>Scales the largest part of the picture's middle that has the result's proportions.</summary>
    /// <param name="channels">Channels of the result: a grey picture is repeated for three; three are averaged to grey by 0.299, 0.587 and
    /// 0.114.</param>
    /// <param name="result">[height, width, channels].</param>
    public void Centre(Picture picture, int channels, Span<byte> result)
    {
        long across = Math.Min(picture.Width, (long)picture.Height * width / height);
        long down = Math.Min(picture.Height, (long)picture.Width * height / width);
        Crop(picture, (int)Math.Max(1, down), (int)Math.Max(1, across), channels, result);
    }

    /// <summary>Scales the middle <paramref name="cropHeight"/> x <paramref name="cropWidth"/> pixels.</summary>
    public void Crop(Picture picture, int cropHeight, int cropWidth, int channels, Span<byte> result)
    {
        if (cropHeight < 1 || cropWidth < 1 || cropHeight > picture.Height || cropWidth > picture.Width)
            throw new ArgumentException(
                $"crop: {cropHeight} x {cropWidth} out of {picture.Height} x {picture.Width}; crop at most the picture");
        int from = picture.Channels;
        int top = (picture.Height - cropHeight) / 2, left = (picture.Width - cropWidth) / 2;
        var horizontal = TapsFor(cropWidth, width);
        var vertical = TapsFor(cropHeight, height);
        int stride = cropWidth * from;
        if (sum.Length < stride)
            (sum, scaled) = (new float[stride], new float[width * 3]);

        var pixels = picture.Pixels.Span;
        for (int y = 0; y < height; y++)
        {
            var column = sum.AsSpan(0, stride);
            column.Clear();
            for (int tap = 0; tap < vertical.Counts[y]; tap++)
                AddScaled(pixels.Slice(((top + vertical.Starts[y] + tap) * picture.Width + left) * from, stride),
                    vertical.Weights[y * vertical.Most + tap], column);
            var row = scaled.AsSpan(0, width * from);
            if (from == 3)
                ScaleColours(column, horizontal, row);
            else
                ScaleGrey(column, horizontal, row);
            Store(row, from, result.Slice(y * width * channels, width * channels), channels);
        }
    }

    /// <summary>Which source pixels each result pixel takes, and how much of each.</summary>
    private sealed record Taps(int[] Starts, int[] Counts, float[] Weights, int Most);

    private Taps TapsFor(int from, int to)
    {
        if (known.TryGetValue((from, to), out var taps))
            return taps;
        double scale = (double)from / to, reach = Math.Max(1, scale);
        int most = (int)Math.Ceiling(2 * reach) + 2;
        taps = new(new int[to], new int[to], new float[to * most], most);
        for (int i = 0; i < to; i++)
        {
            double centre = (i + 0.5) * scale;
            int first = Math.Max(0, (int)Math.Floor(centre - reach)), last = Math.Min(from - 1, (int)Math.Ceiling(centre + reach));
            double sum = 0;
            for (int j = first; j <= last; j++)
                sum += Triangle(j, centre, reach);
            (taps.Starts[i], taps.Counts[i]) = (first, Math.Min(most, last - first + 1));
            for (int j = first; j < first + taps.Counts[i]; j++)
                taps.Weights[i * most + j - first] = (float)(Triangle(j, centre, reach) / sum);
        }
        if (known.Count < 64)
            known.Add((from, to), taps);
        return taps;
    }

    private static double Triangle(int pixel, double centre, double reach) => Math.Max(0, 1 - Math.Abs(pixel + 0.5 - centre) / reach);

    private static void ScaleColours(ReadOnlySpan<float> source, Taps taps, Span<float> row)
    {
        for (int x = 0; x < taps.Starts.Length; x++)
        {
            var weights = taps.Weights.AsSpan(x * taps.Most, taps.Counts[x]);
            var from = source.Slice(3 * taps.Starts[x], 3 * weights.Length);
            float red = 0, green = 0, blue = 0;
            for (int tap = 0; tap < weights.Length; tap++)
            {
                red += weights[tap] * from[3 * tap];
                green += weights[tap] * from[3 * tap + 1];
                blue += weights[tap] * from[3 * tap + 2];
            }
            (row[3 * x], row[3 * x + 1], row[3 * x + 2]) = (red, green, blue);
        }
    }

    private static void ScaleGrey(ReadOnlySpan<float> source, Taps taps, Span<float> row)
    {
        for (int x = 0; x < taps.Starts.Length; x++)
        {
            var weights = taps.Weights.AsSpan(x * taps.Most, taps.Counts[x]);
            float grey = 0;
            for (int tap = 0; tap < weights.Length; tap++)
                grey += weights[tap] * source[taps.Starts[x] + tap];
            row[x] = grey;
        }
    }

    private static void AddScaled(ReadOnlySpan<byte> values, float weight, Span<float> sum)
    {
        int i = 0;
        for (; i <= values.Length - Vector<byte>.Count; i += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(values[i..]), out var low, out var high);
            Vector.Widen(low, out var a, out var b);
            Vector.Widen(high, out var c, out var d);
            var to = sum.Slice(i, Vector<byte>.Count);
            Add(a, weight, to);
            Add(b, weight, to[Vector<float>.Count..]);
            Add(c, weight, to[(2 * Vector<float>.Count)..]);
            Add(d, weight, to[(3 * Vector<float>.Count)..]);
        }
        for (; i < values.Length; i++)
            sum[i] += values[i] * weight;
    }

    private static void Add(Vector<uint> values, float weight, Span<float> sum) =>
        (new Vector<float>(sum) + Vector.ConvertToSingle(Vector.AsVectorInt32(values)) * weight).CopyTo(sum);

    private static void Store(ReadOnlySpan<float> row, int from, Span<byte> result, int channels)
    {
        if (from == channels)
            for (int i = 0; i < result.Length; i++)
                result[i] = ToByte(row[i]);
        else if (channels == 3)
            for (int i = 0; i < row.Length; i++)
                result.Slice(3 * i, 3).Fill(ToByte(row[i]));
        else
            for (int i = 0; i < result.Length; i++)
                result[i] = ToByte(0.299f * row[3 * i] + 0.587f * row[3 * i + 1] + 0.114f * row[3 * i + 2]);
    }

    private static byte ToByte(float value) => (byte)(Math.Clamp(value, 0, 255) + 0.5f);
}
