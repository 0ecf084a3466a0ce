using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Reports;

/// <summary>
/// A run as TensorBoard shows it, in a folder of the run directory: scalars, reconstructions and histograms of the codes each epoch; the
/// codes of the test images in its projector.
/// </summary>
internal sealed class TensorBoardLog : IDisposable
{
    /// <summary>Of the files, in the run directory.</summary>
    public const string FolderName = "tensorboard";

    private const int Reconstructed = 8, HistogramImages = 1000, MostPoints = 10_000;

    /// <summary>The largest side of the picture of all points that TensorBoard takes.</summary>
    private const int MostSpritePixels = 8192;

    private readonly string folder;
    private readonly EventFile events;

    public TensorBoardLog(RunDirectory run)
    {
        folder = run.File(FolderName);
        events = EventFile.Create(folder);
    }

    /// <summary>Adds an epoch.</summary>
    /// <param name="test">Means over <paramref name="images"/>.</param>
    /// <param name="images">The test images.</param>
    public void Add(EpochSummary train, Likelihoods test, VaeModel model, ImageDataset images, RunConfiguration configuration)
    {
        foreach (var (name, value) in train.Terms)
            events.Scalar(train.Step, $"train/{name}", value);
        foreach (var (name, value) in test.Terms)
            events.Scalar(train.Step, $"test/{name}", value);
        if (train.Variance is { } variance)
            events.Scalar(train.Step, "noise/sigma2", variance);
        events.Scalar(train.Step, "speed/images_per_second", train.ImagesPerSecond);
        var some = images.Take(Math.Min(HistogramImages, images.Count));
        var encodings = Encode(model, some, configuration);
        events.Histogram(train.Step, "codes/mu", encodings.Mu.Span);
        events.Histogram(train.Step, "codes/logvar", encodings.LogVar.Span);
        if (images.Channels is 1 or 3 && images.Columns is null)
        {
            int count = Math.Min(Reconstructed, some.Count);
            float[] decoded = Evaluator.Decode(model, Evaluator.MeanCodes(model, encodings, count));
            events.Image(train.Step, "reconstructions",
                new ImageGrid(images.Height, images.Width, images.Channels, count).ToPng([.. images.ToFloats(0, count), .. decoded]));
        }
        events.Flush();
    }

    /// <summary>
    /// Writes what the embedding projector reads: a code a line, its label a line, a picture of all images, and the file that names them.
    /// </summary>
    public void WriteProjector(VaeModel model, ImageDataset images, RunConfiguration configuration)
    {
        var points = images.Take(Math.Min(MostPoints, images.Count));
        var encodings = Encode(model, points, configuration);
        int h = encodings.Factors, columns = (int)Math.Ceiling(Math.Sqrt(points.Count));
        AtomicFile.WriteText(Path.Combine(folder, "tensors.tsv"), writer =>
        {
            for (int n = 0; n < points.Count; n++)
                writer.Write(string.Join('\t', encodings.Mu.Slice(n * h, h).ToArray().Select(v =>
                    v.ToString("G9", CultureInfo.InvariantCulture))) + "\n");
        });
        var lines = new List<string> { "tensor_name: \"mu\"", "tensor_path: \"tensors.tsv\"" };
        if (points.Labels is { } labels)
        {
            AtomicFile.WriteText(Path.Combine(folder, "metadata.tsv"),
                string.Concat(labels.Take(points.Count).Select(l => string.Create(CultureInfo.InvariantCulture, $"{l}\n"))));
            lines.Add("metadata_path: \"metadata.tsv\"");
        }
        if (points.Channels is 1 or 3 && points.Columns is null && columns * Math.Max(points.Height, points.Width) <= MostSpritePixels)
        {
            var grid = new ImageGrid(points.Height, points.Width, points.Channels, columns) { Gap = 0 };
            AtomicFile.WriteBytes(Path.Combine(folder, "sprite.png"), grid.ToPng(points.ToFloats(0, points.Count)));
            lines.Add(string.Create(CultureInfo.InvariantCulture,
                $"sprite {{ image_path: \"sprite.png\" single_image_dim: {points.Width} single_image_dim: {points.Height} }}"));
        }
        AtomicFile.WriteText(Path.Combine(folder, "projector_config.pbtxt"),
            $"embeddings {{\n{string.Concat(lines.Select(l => $"  {l}\n"))}}}\n");
    }

    public void Dispose() => events.Dispose();

    private static Encodings Encode(VaeModel model, ImageDataset images, RunConfiguration configuration)
    {
        using var evaluator = new Evaluator(model, images, configuration);
        return evaluator.Encode();
    }
}
