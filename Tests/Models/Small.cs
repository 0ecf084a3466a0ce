using VaeFromScratch.Data;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Models;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Small data and configurations that the model tests share.</summary>
internal static class Small
{
    /// <summary>
    /// Grey images of two kinds, a bright left or right half, with noise: easy to learn, with about log 2 nats of structure.
    /// </summary>
    public static ImageDataset Halves(int count, int size = 8, string split = "train", int seed = 3)
    {
        var random = new Random(seed);
        var pixels = new byte[count * size * size];
        var labels = new byte[count];
        for (int n = 0; n < count; n++)
        {
            labels[n] = (byte)random.Next(2);
            for (int i = 0; i < size * size; i++)
                pixels[n * size * size + i] = (byte)((i % size < size / 2 == (labels[n] == 0) ? 200 : 40) + random.Next(20));
        }
        // The bright half is a factor; the other one is for models that learn from pairs which differ in one factor.
        int[] classes = [.. Enumerable.Range(0, count).SelectMany(n => (int[])[labels[n], n % 2])];
        return new("halves", split, count, size, size, 1, pixels, labels, 2, 1f / 255)
        {
            Factors = new(["half", "parity"], [2, 2], classes,
            Array.ConvertAll(classes, c => (float)c))
        };
    }

    /// <summary>A cache file of images, the first <paramref name="train"/> of them for training, the others for testing.</summary>
    public static ImageCache Cache(ImageDataset whole, int train)
    {
        string path = Path.Combine(TestFiles.Folder("small-cache"), "halves.images");
        var header = new ImageCacheHeader("halves", "source", whole.Height, whole.Width, whole.Channels, train, Validation: 0,
            Test: whole.Count - train, [], []);
        ImageCache.Write(path, header, stream => stream.Write(whole.Pixels), ReadOnlyMemory<byte>.Empty);
        return ImageCache.Open(path);
    }

    /// <param name="code">gaussian or joint; empty for what the model has by default.</param>
    public static RunConfiguration Configuration(string model = "beta-vae", string code = "") => ModelCatalogue.Defaults(model, code: code)
        .With(("network", "mlp:32"), ("latents", 4), ("batch", 20), ("epochs", 2))
        .WithOwn(("kl_warm_up_epochs", 0), ("beta", 1), ("lambda", 10), ("discriminator", "32,32"), ("samples", 5), ("design", "circle:2"),
            ("lambda1", 3), ("lambda2", 0),
            ("labelled_batch", 6), ("labels", 0), ("segments", 2), ("pseudo_inputs", 4));

    /// <summary>Those of the settings that the model has.</summary>
    public static RunConfiguration WithOwn(this RunConfiguration configuration, params IEnumerable<(string Key, object Value)> values) =>
        configuration.With(values.Where(v => configuration.Model.Keys.Contains(v.Key)));

    /// <summary>A step's batch: the images as its first, second and, for models that learn from labels, labelled part.</summary>
    public static TrainingBatch Batch(VaeModel model, Tensor x, ImageDataset data)
    {
        if (model is not ILearnsFromLabels { Classes: var classes })
            return new(x, x);
        var labels = new float[x.Shape[0] * classes];
        for (int i = 0; i < x.Shape[0]; i++)
            labels[i * classes + data.Labels![i]] = 1;
        return new(x, x, new(x, Tape.Current.Constant(new(x.Shape[0], classes), labels)));
    }

    public static VaeModel Create(Compute compute, RunConfiguration configuration, ImageDataset data, double pixelVariance = 0.1) =>
        configuration.CreateModel(compute, new(data.Height, data.Width, data.Channels), pixelVariance, data.Count);

    /// <summary>What a step of training does with one batch, to be run or captured.</summary>
    public static void Step(VaeModel model, Tensor x, Optimiser optimiser)
    {
        model.Rng.RestartDraws();
        using var tape = model.Compute.Tape();
        tape.Backward(model.Objective(x).Seeds());
        optimiser.Update();
        model.Noise.AfterStep();
    }
}
