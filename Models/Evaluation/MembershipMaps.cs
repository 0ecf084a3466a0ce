using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Noise;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>Which component of a mixture of noise each pixel's residual belongs to (paper 2, figure 15).</summary>
internal static class MembershipMaps
{
    /// <summary>The file in a run directory.</summary>
    public const string FileName = "memberships.png";

    /// <summary>
    /// A PNG with one image in each column: the image, its decoded mean, and for each component a map of its probability (white: 1),
    /// averaged over channels.
    /// Null when the model's noise is no mixture, and where the items are no pictures.
    /// </summary>
    /// <param name="images">The first so many of the set.</param>
    public static byte[]? Draw(VaeModel model, ImageDataset dataset, int images = 8)
    {
        if (model.Noise is not MixtureNoise noise || dataset.Columns is not null)
            return null;
        images = Math.Min(images, dataset.Count);
        var (h, w, c) = (dataset.Height, dataset.Width, dataset.Channels);
        using var tape = model.Compute.Tape(gradients: false);
        var x = tape.Constant(new(images, h, w, c), dataset.ToFloats(0, images));
        var decoded = model.Decode(model.MeanCode(x));
        // The mean over channels, repeated for each, is a grey image in the same layout as the others.
        var maps = noise.Memberships(x, decoded).Mean(-1).RepeatEach(c);
        return new ImageGrid(h, w, c, images).ToPng([.. x.ToArray(), .. noise.Mean(decoded).ToArray(), .. maps.ToArray()]);
    }

    /// <summary>Writes the maps beside the other results of a run, where there are any.</summary>
    public static void Save(VaeModel model, ImageDataset dataset, string path)
    {
        if (Draw(model, dataset) is { } png)
            AtomicFile.WriteBytes(path, png);
    }
}
