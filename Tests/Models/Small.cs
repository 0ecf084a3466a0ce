using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Engine.Data.Streaming;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Models;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Small data and configurations that the model tests share.</summary>
internal static class Small
{
    /// <summary>Grey images of two kinds, a bright left or right half, with noise: easy to learn, with about log 2 nats of structure.</summary>
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
        return new("halves", split, count, size, size, 1, pixels, labels, 2, 1f / 255);
    }

    /// <summary>A cache file of images, the first <paramref name="train"/> of them for training, the others for testing.</summary>
    public static ImageCache Cache(ImageDataset whole, int train)
    {
        string path = Path.Combine(TestFiles.Folder("small-cache"), "halves.images");
        var header = new ImageCacheHeader("halves", "source", whole.Height, whole.Width, whole.Channels, train, Validation: 0, Test: whole.Count - train, [], []);
        ImageCache.Write(path, header, stream => stream.Write(whole.Pixels), ReadOnlyMemory<byte>.Empty);
        return ImageCache.Open(path);
    }

    /// <param name="latentKind">gaussian or joint; null for what the model has by default.</param>
    public static RunConfiguration Configuration(string model = "beta-vae", string? latentKind = null) =>
        ModelCatalogue.Defaults(model, data: null, recipe: null, latentKind) with { Network = "mlp:32", Latents = 4, Batch = 20, Epochs = 2, KlWarmUpEpochs = 0, Beta = 1, Lambda = 10, Discriminator = "32,32", Samples = 5, Design = "circle:2", Lambda1 = 3, Lambda2 = 0, LabelledBatch = 6, Labels = 0 };

    /// <summary>A step's batch: the images as its first, second and, for models that learn from labels, labelled part.</summary>
    public static TrainingBatch Batch(VaeModel model, Tensor x, ImageDataset data)
    {
        if (model.Classes == 0)
            return new(x, x);
        var labels = new float[x.Shape[0] * model.Classes];
        for (int i = 0; i < x.Shape[0]; i++)
            labels[i * model.Classes + data.Labels![i]] = 1;
        return new(x, x, new(x, Tape.Current!.Constant(new(x.Shape[0], model.Classes), labels)));
    }

    public static VaeModel Create(Compute compute, RunConfiguration configuration, ImageDataset data, double pixelVariance = 0.1) =>
        ModelCatalogue.Create(compute, configuration, new(data.Height, data.Width, data.Channels), pixelVariance, data.Count);

    /// <summary>What a step of training does with one batch, to be run or captured.</summary>
    public static void Step(VaeModel model, Tensor x, Optimiser optimiser)
    {
        model.Rng.RestartDraws();
        using var tape = new Tape(model.Compute);
        tape.Backward(model.Objective(x).Seeds());
        optimiser.Update();
        model.Noise.AfterStep();
    }
}
