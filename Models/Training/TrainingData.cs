using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Models.Training;

/// <summary>An image set that batches are taken from: in device memory as stored bytes, gathered there by index, or streamed from its cache file.</summary>
public sealed class TrainingData : IDisposable
{
    private const uint BinariseStream = 0x62696e61;
    private const int BytesAtOnce = 1 << 20;

    private readonly Compute compute;
    private readonly Slice<byte> pixels;
    private readonly Shape image;
    private readonly float scale;
    private readonly bool dynamic;

    /// <param name="binarise">none, threshold, static or dynamic; see <see cref="RunConfiguration.Binarise"/>.</param>
    /// <exception cref="OptionException">The set is streamed and <paramref name="binarise"/> would need all of it at once.</exception>
    public TrainingData(Compute compute, ImageDataset dataset, string binarise, ulong seed)
    {
        (this.compute, Dataset) = (compute, dataset);
        image = new(dataset.Height, dataset.Width, dataset.Channels);
        dynamic = binarise == "dynamic";
        bool binary = binarise is "threshold" or "static";
        if (dataset.Stored is not null)
        {
            if (binary)
                throw new OptionException($"binarise {binarise}: {dataset.Name} is streamed, as {dataset.Count} images do not fit into memory; use none or dynamic, or --limit");
            scale = dataset.PixelScale;
            Variance = PixelVariance(dataset, scale);
            return;
        }
        var bytes = binary ? Binarised(dataset, binarise, seed) : dataset.Pixels;
        scale = binary ? 1 : dataset.PixelScale;
        pixels = compute.Pool.Rent<byte>(bytes.Length);
        compute.Backend.Upload<byte>(bytes, pixels);
        Variance = PixelVariance(dataset with { Pixels = bytes }, scale);
    }

    public int Count => Dataset.Count;

    /// <summary>Variance of all pixels of the set, in squared pixel units.</summary>
    public double Variance { get; }

    internal ImageDataset Dataset { get; }

    /// <summary>The images with these indices, [indices, H, W, C], pixels in [0, 1]. The set must be in memory.</summary>
    public Tensor Gather(Slice<int> indices, Rng rng) => Gather(pixels, indices, default, indices.Length, rng);

    /// <summary>The images with <paramref name="count"/> of these indices from <paramref name="first"/>[0] on, [count, H, W, C], pixels in [0, 1]. The set must be in memory.</summary>
    internal Tensor Gather(Slice<int> indices, Slice<int> first, int count, Rng rng) => Gather(pixels, indices, first, count, rng);

    /// <summary>Images <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/>, [count, H, W, C], pixels in [0, 1].</summary>
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

    /// <summary>The same from any bytes on the device.</summary>
    internal Tensor Gather(Slice<byte> from, Slice<int> indices, Slice<int> first, int count, Rng rng)
    {
        var x = Tape.Current!.Empty(new([count, .. image.Sizes]));
        compute.Backend.GatherBytes(from, indices, image.Length, scale, x.Data, first);
        if (!dynamic)
            return x;
        var u = rng.Draw(Distribution.Uniform, x.Shape);
        compute.Backend.Binary<LessThan>(u.Data, x.Data, x.Data);
        return x;
    }

    public void Dispose()
    {
        if (Dataset.Stored is null)
            compute.Pool.Return(pixels);
    }

    private static byte[] Binarised(ImageDataset dataset, string binarise, ulong seed)
    {
        var bytes = new byte[dataset.Pixels.Length];
        uint split = dataset.Split == "train" ? 0u : 1u;
        for (int i = 0; i < bytes.Length; i += 4)
        {
            var (a, b, c, d) = Philox.Words((uint)(i / 4), 0, split, BinariseStream, (uint)seed, (uint)(seed >> 32));
            ReadOnlySpan<uint> words = [a, b, c, d];
            for (int j = 0; j < Math.Min(4, bytes.Length - i); j++)
            {
                float p = dataset.Pixels[i + j] * dataset.PixelScale;
                float u = binarise == "static" ? (words[j] >> 8) * (1f / (1 << 24)) : 0.5f;
                bytes[i + j] = (byte)(u < p ? 1 : 0);
            }
        }
        return bytes;
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
