using VaeFromScratch.Data;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// An image set that batches are taken from: in device memory as it is stored, gathered there by index, or streamed from its cache file.
/// </summary>
internal sealed class TrainingData : IDisposable
{
    private const uint BinariseStream = 0x62696e61;
    private const int BytesAtOnce = 1 << 20;

    private readonly Compute compute;
    private readonly Slice<byte> pixels;
    private readonly Slice<float> values;
    private readonly Shape image;
    private readonly float scale;
    private readonly bool dynamic;

    /// <exception cref="OptionException">The set is streamed and <paramref name="binarise"/> would need all of it at once, or it is a
    /// table.</exception>
    public TrainingData(Compute compute, ImageDataset dataset, Binarise binarise, ulong seed)
    {
        (this.compute, Dataset) = (compute, dataset);
        image = new(dataset.Height, dataset.Width, dataset.Channels);
        dynamic = binarise == Binarise.Dynamic;
        bool binary = binarise is Binarise.Threshold or Binarise.Static;
        if (binarise != Binarise.None && dataset.Values?.Any(v => v is < 0 or > 1) == true)
            throw new OptionException($"binarise {Setting.ToText(binarise)}: {dataset.Name} has values outside of 0 to 1, as the "
                + $"standardised columns of a table are; use none");
        if (dataset.Stored is not null)
        {
            if (binary)
                throw new OptionException(
                    $"binarise {Setting.ToText(binarise)}: {dataset.Name} is streamed, as {dataset.Count} images do not fit into memory; "
                    + $"use none or dynamic, or --limit");
            scale = dataset.PixelScale;
            Variance = PixelVariance(dataset, scale);
            return;
        }
        if (dataset.Values is { } numbers && !binary)
        {
            values = compute.Pool.Rent<float>(numbers.Length);
            compute.Backend.Upload<float>(numbers, values);
            Variance = VarianceOf(numbers);
            return;
        }
        var bytes = binary ? Binarised(dataset, binarise, seed) : dataset.Pixels;
        scale = binary ? 1 : dataset.PixelScale;
        pixels = compute.Pool.Rent<byte>(bytes.Length);
        compute.Backend.Upload<byte>(bytes, pixels);
        Variance = PixelVariance(dataset with { Pixels = bytes, Values = null }, scale);
    }

    public int Count => Dataset.Count;

    /// <summary>Variance of all pixels of the set, in squared pixel units.</summary>
    public double Variance { get; }

    internal ImageDataset Dataset { get; }

    /// <summary>The images with these indices, [indices, H, W, C], pixels in [0, 1]. The set must be in memory.</summary>
    public Tensor Gather(Slice<int> indices, Rng rng) => Gather(pixels, indices, default, indices.Length, rng);

    /// <summary>
    /// The images with <paramref name="count"/> of these indices from <paramref name="first"/>[0] on, [count, H, W, C], pixels in [0, 1].
    /// The set must be in memory.
    /// </summary>
    internal Tensor Gather(Slice<int> indices, Slice<int> first, int count, Rng rng) => Gather(pixels, indices, first, count, rng);

    /// <summary>
    /// Images <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/>, [count, H, W, C], pixels in [0, 1].
    /// </summary>
    public Tensor Range(int start, int count, Rng rng)
    {
        var indices = compute.Pool.Rent<int>(count);
        var from = pixels;
        if (Dataset.Stored is not null)
        {
            from = compute.Pool.Rent<byte>(count * image.Length);
            compute.Backend.Upload(Dataset.Images(start, count), from);
        }
        compute.Backend.Upload<int>([.. Enumerable.Range(Dataset.Stored is null ? start : 0, count)], indices);
        var x = Gather(from, indices, default, count, rng);
        compute.Pool.Return(indices);
        if (Dataset.Stored is not null)
            compute.Pool.Return(from);
        return x;
    }

    /// <summary>The same from any bytes on the device, where the set is of bytes.</summary>
    internal Tensor Gather(Slice<byte> from, Slice<int> indices, Slice<int> first, int count, Rng rng)
    {
        var x = Tape.Current.Empty(new([count, .. image.Sizes]));
        if (values.IsAbsent)
            compute.Backend.GatherBytes(from, indices, image.Length, scale, x.Data, first);
        else
            compute.Backend.GatherRows(values, indices, image.Length, x.Data, first);
        if (!dynamic)
            return x;
        var u = rng.Uniform(x.Shape);
        compute.Backend.Binary<LessThan>(u.Data, x.Data, x.Data);
        return x;
    }

    public void Dispose()
    {
        if (!values.IsAbsent)
            compute.Pool.Return(values);
        else if (Dataset.Stored is null)
            compute.Pool.Return(pixels);
    }

    private static byte[] Binarised(ImageDataset dataset, Binarise binarise, ulong seed)
    {
        var bytes = new byte[dataset.Count * dataset.PixelsPerImage];
        uint split = dataset.Split == "train" ? 0u : 1u;
        for (int i = 0; i < bytes.Length; i += 4)
        {
            var (a, b, c, d) = Philox.Words((uint)(i / 4), 0, split, BinariseStream, (uint)seed, (uint)(seed >> 32));
            ReadOnlySpan<uint> words = [a, b, c, d];
            for (int j = 0; j < Math.Min(4, bytes.Length - i); j++)
            {
                float p = dataset.Values?[i + j] ?? dataset.Pixels[i + j] * dataset.PixelScale;
                float u = binarise == Binarise.Static ? (words[j] >> 8) * (1f / (1 << 24)) : 0.5f;
                bytes[i + j] = (byte)(u < p ? 1 : 0);
            }
        }
        return bytes;
    }

    private static double VarianceOf(float[] values)
    {
        double mean = values.Average(v => (double)v);
        return values.Average(v => (v - mean) * (v - mean));
    }

    private static double PixelVariance(ImageDataset dataset, float scale)
    {
        long sum = 0, squares = 0;
        int imagesAtOnce = Math.Max(1, BytesAtOnce / dataset.PixelsPerImage);
        for (int start = 0; start < dataset.Count; start += imagesAtOnce)
            foreach (byte b in dataset.Images(start, Math.Min(imagesAtOnce, dataset.Count - start)))
            {
                sum += b;
                squares += b * b;
            }
        double count = (double)dataset.Count * dataset.PixelsPerImage, mean = sum / count;
        return (squares / count - mean * mean) * scale * scale;
    }
}
