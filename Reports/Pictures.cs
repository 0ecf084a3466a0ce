using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Reports;

/// <summary>
/// Draws what a model has learned. Codes are drawn from a random stream of their own, so that a seed always gives the same pictures.
/// </summary>
internal sealed class Pictures(VaeModel model, RunConfiguration configuration)
{
    /// <summary>Keeps these draws apart from those of training and evaluation ("pict" in ASCII).</summary>
    private const uint Stream = 0x70696374;

    private const int BatchSize = 250;
    private const int ShownSize = 56;

    /// <summary>Images decoded from codes of the prior.</summary>
    public byte[] Samples(int count, int columns)
    {
        using var rng = new Rng(model.Compute, configuration.Training.Seed, Stream);
        using var tape = model.Compute.Tape(gradients: false);
        return Grid(columns, Decode(model.PriorCodes(count, rng).ToArray()));
    }

    /// <summary>The first images of a set, each row of originals above their reconstructions.</summary>
    public byte[] Reconstructions(ImageDataset dataset, int count, int columns)
    {
        var (originals, codes) = First(dataset, count);
        float[] decoded = Decode(codes);
        var rows = new List<float>(2 * originals.Length);
        int rowLength = columns * model.Image.Pixels;
        for (int start = 0; start < originals.Length; start += rowLength)
        {
            int length = Math.Min(rowLength, originals.Length - start);
            // Empty places of a short last row are white, as the gaps are.
            foreach (float[] images in (float[][])[originals, decoded])
                rows.AddRange([.. images[start..(start + length)], .. Enumerable.Repeat(1f, rowLength - length)]);
        }
        return Grid(columns, [.. rows]);
    }

    /// <summary>One row an image: its code with one factor set to <paramref name="steps"/> values from -range to range.</summary>
    /// <param name="codes">[images, <see cref="VaeModel.CodeLength"/>].</param>
    /// <param name="relative">Whether the values are around the image's own, as in paper 2's one-shot traversals (its figure 3).</param>
    public byte[] Traversal(float[] codes, int factor, double range, int steps, bool relative = false)
    {
        int h = model.CodeLength, images = codes.Length / h;
        var moved = new float[images * steps * h];
        for (int i = 0; i < images * steps; i++)
        {
            codes.AsSpan(i / steps * h, h).CopyTo(moved.AsSpan(i * h));
            moved[i * h + factor] = (relative ? moved[i * h + factor] : 0) + (float)(steps == 1 ? 0
                : range * (2.0 * (i % steps) / (steps - 1) - 1));
        }
        return Grid(steps, Decode(moved));
    }

    /// <summary>One row an image: itself, then its code with each category in turn (paper 5, figures 4.5, 4.6).</summary>
    public byte[] Categories(ImageDataset dataset, int images)
    {
        var (originals, codes) = First(dataset, images);
        int k = model.Categories, pixels = model.Image.Pixels;
        float[] decoded = Decode([.. Enumerable.Range(0, images * k)
            .SelectMany(i => WithCategory(codes.AsSpan(i / k * model.CodeLength, model.Latents), i % k))]);
        return Grid(k + 1, [.. Enumerable.Range(0, images)
            .SelectMany(n => (float[])[.. originals.AsSpan(n * pixels, pixels), .. decoded.AsSpan(n * k * pixels, k * pixels)])]);
    }

    /// <summary>
    /// One row a category: the mean code of its images with one factor set to <paramref name="steps"/> values from -range to range (paper
    /// 3, figure 4).
    /// </summary>
    public byte[] CategoryTraversal(Encodings encodings, int factor, double range, int steps)
    {
        int h = model.Latents, k = model.Categories;
        var (sums, counts) = (new double[k * h], new int[k]);
        int[] categories = ContingencyTable.MostProbable(encodings.Probabilities.Span, k);
        for (int n = 0; n < categories.Length; n++)
        {
            counts[categories[n]]++;
            for (int i = 0; i < h; i++)
                sums[categories[n] * h + i] += encodings.Mu.Span[n * h + i];
        }
        return Traversal([.. Enumerable.Range(0, k).SelectMany(c => WithCategory(
            [.. Enumerable.Range(c * h, h).Select(i => (float)(sums[i] / Math.Max(1, counts[c])))], c))], factor, range, steps);
    }

    /// <summary>Codes side by side, decoded.</summary>
    public byte[] Row(float[] codes) => Decoded(codes, codes.Length / model.CodeLength);

    /// <summary>Codes decoded, so many in a row.</summary>
    public byte[] Decoded(float[] codes, int columns) => Grid(columns, Decode(codes));

    /// <summary>Images side by side.</summary>
    public byte[] Grid(int columns, float[] images)
    {
        var (height, width, channels) = (model.Image.Height, model.Image.Width, model.Image.Channels);
        int scale = Math.Max(1, ShownSize / Math.Max(height, width));
        return new ImageGrid(height, width, channels, columns) { Scale = scale }.ToPng(images);
    }

    /// <summary>
    /// The first images of a set as the model sees them, [count, H, W, C], and the codes that stand for them, [count, <see
    /// cref="VaeModel.CodeLength"/>].
    /// </summary>
    public (float[] Images, float[] Codes) First(ImageDataset dataset, int count)
    {
        using var data = new TrainingData(model.Compute, dataset.Take(count), configuration.Data.Binarise, configuration.Training.Seed);
        using var rng = new Rng(model.Compute, configuration.Training.Seed, Stream);
        var images = new List<float>();
        var codes = new List<float>();
        for (int start = 0; start < data.Count; start += BatchSize)
        {
            int n = Math.Min(BatchSize, data.Count - start);
            using var tape = model.Compute.Tape(gradients: false);
            var x = data.Range(start, n, rng);
            images.AddRange(x.ToArray());
            codes.AddRange(model.MeanCode(x).ToArray());
        }
        return ([.. images], [.. codes]);
    }

    /// <summary>Factors followed by one category.</summary>
    private float[] WithCategory(ReadOnlySpan<float> factors, int category)
    {
        float[] code = [.. factors, .. new float[model.Categories]];
        code[model.Latents + category] = 1;
        return code;
    }

    private float[] Decode(float[] codes)
    {
        int h = model.CodeLength, count = codes.Length / h;
        var images = new List<float>(count * model.Image.Pixels);
        for (int start = 0; start < count; start += BatchSize)
            images.AddRange(Evaluator.Decode(model, codes[(start * h)..(Math.Min(count, start + BatchSize) * h)]));
        return [.. images];
    }
}
