using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Elementwise;

namespace VaeFromScratch.Models.Training;

/// <summary>An image set in device memory, as stored bytes; batches are gathered there by index.</summary>
public sealed class TrainingData : IDisposable
{
    private const float ByteScale = 1f / 255;
    private const uint BinariseStream = 0x62696e61;

    private readonly Compute compute;
    private readonly Slice<byte> pixels;
    private readonly Shape image;
    private readonly float scale;
    private readonly bool dynamic;

    /// <param name="binarise">none, threshold, static or dynamic; see <see cref="RunConfiguration.Binarise"/>.</param>
    public TrainingData(Compute compute, ImageDataset dataset, string binarise, ulong seed)
    {
        this.compute = compute;
        Count = dataset.Count;
        image = new(dataset.Height, dataset.Width, dataset.Channels);
        var bytes = binarise is "threshold" or "static" ? Binarised(dataset, binarise, seed) : dataset.Pixels;
        scale = ReferenceEquals(bytes, dataset.Pixels) ? dataset.PixelScale : 1;
        dynamic = binarise == "dynamic";
        pixels = compute.Pool.Rent<byte>(bytes.Length);
        compute.Backend.Upload<byte>(bytes, pixels);
        Variance = PixelVariance(bytes, scale);
    }

    public int Count { get; }

    /// <summary>Variance of all pixels of the set, in squared pixel units.</summary>
    public double Variance { get; }

    /// <summary>The images with these indices, [indices, H, W, C], pixels in [0, 1].</summary>
    public Tensor Gather(Slice<int> indices, Rng rng)
    {
        var x = Tape.Current!.Empty(new([indices.Length, .. image.Sizes]));
        compute.Backend.GatherBytes(pixels, indices, image.Length, scale, x.Data);
        if (!dynamic)
            return x;
        var u = rng.Draw(Distribution.Uniform, x.Shape);
        compute.Backend.Binary<LessThan>(u.Data, x.Data, x.Data);
        return x;
    }

    public void Dispose() => compute.Pool.Return(pixels);

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

    private static double PixelVariance(byte[] bytes, float scale)
    {
        long sum = 0, squares = 0;
        foreach (byte b in bytes)
        {
            sum += b;
            squares += b * b;
        }
        double mean = (double)sum / bytes.Length;
        return ((double)squares / bytes.Length - mean * mean) * scale * scale;
    }
}
