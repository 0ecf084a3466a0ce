using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;

namespace VaeFromScratch.Bench.Networks;

/// <summary>A network with what its training minimises.</summary>
/// <param name="Objective">From a batch [B, H, W, C] to what <see cref="Tape.Backward(ReadOnlySpan{Seed})"/> starts from: nats per image,
/// averaged over the batch.</param>
/// <param name="Model">Where both come from, if they are a model's.</param>
public sealed record Network(ParameterArena Arena, Rng Rng, Func<Tensor, Seed[]> Objective, VaeModel? Model = null) : IDisposable
{
    /// <summary>The beta-VAE of papers 1 and 2 with beta 10 and a learned variance: 128 latents for grey images, 32 for colour.</summary>
    public static RunConfiguration ConvolutionalVae(ImageDataset images, int batch) =>
        ModelCatalogue.Defaults("beta-vae").With(("latents", images.Channels == 1 ? 128 : 32), ("noise_update", "gradient"),
            ("batch", batch), ("epochs", int.MaxValue));

    public static Network Of(VaeModel model) => new(model.Arena, model.Rng, x => model.Objective(x).Seeds(), model);

    public static Network ConvolutionalVae(Compute compute, ImageDataset images) =>
        Of(ConvolutionalVae(images, batch: 1).CreateModel(compute, new(images.Height, images.Width, images.Channels), pixelVariance: 1));

    /// <summary>The EXoN of paper 4 for CIFAR-10 (its tables 1 and 2) in a step without labels.</summary>
    public static Network Exon(Compute compute, ImageDataset images) =>
        Of(ModelCatalogue.Defaults("exon", "cifar10", recipe: "paper").CreateModel(compute,
            new(images.Height, images.Width, images.Channels), pixelVariance: 1));

    public void Dispose()
    {
        if (Model is not null)
        {
            Model.Dispose();
            return;
        }
        Arena.Dispose();
        Rng.Dispose();
    }
}

/// <summary>Images for steps whose time does not depend on what is in them.</summary>
public static class RandomImages
{
    public static ImageDataset Make(int count, ImageShape shape)
    {
        var pixels = new byte[count * shape.Pixels];
        new Random(7).NextBytes(pixels);
        return new("random", "train", count, shape.Height, shape.Width, shape.Channels, pixels, Labels: null, Classes: 0,
            ImageDataset.ByteScale);
    }
}
