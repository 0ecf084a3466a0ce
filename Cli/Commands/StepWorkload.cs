using VaeFromScratch.Data;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Cli.Commands;

/// <summary>A training step of a model on random images: gathering the batch, both passes, Adam, the variance.</summary>
/// <param name="Size">Height and width of the images.</param>
internal sealed record StepWorkload(string Model, int Size, int Channels, RunConfiguration Configuration, int Batch)
{
    private static readonly RunConfiguration ConvolutionalVae = ModelCatalogue.Defaults("beta-vae");

    public string Name => $"{Model}_batch_{Batch}";

    /// <summary>The convolutional VAE of papers 1 and 2.</summary>
    public static StepWorkload Mnist(int batch) => new("mnist_conv_vae", 28, 1, ConvolutionalVae, batch);

    /// <summary>Paper 5's MLP.</summary>
    public static StepWorkload MnistImae(int batch) =>
        new("mnist_imae", 28, 1, ModelCatalogue.Defaults("imae", "mnist", recipe: null), batch);

    /// <summary>The convolutional VAE for 64 x 64 colour images.</summary>
    public static StepWorkload CelebA(int batch) => new("celeba_conv_vae", 64, 3, ConvolutionalVae, batch);

    /// <summary>The EXoN of paper 4 for CIFAR-10 (its tables 1 and 2); a step on unlabelled images.</summary>
    public static StepWorkload CifarExon(int batch) =>
        new("cifar_exon", 32, 3, ModelCatalogue.Defaults("exon", "cifar10", recipe: "paper"), batch);

    /// <summary>Makes the model and a batch on a device and hands over the step, to be done or captured.</summary>
    public void With(IBackend backend, Action<Compute, Action> use)
    {
        var pixels = new byte[Batch * Size * Size * Channels];
        new Random(1).NextBytes(pixels);
        var images = new ImageDataset(Model, "train", Batch, Size, Size, Channels, pixels, null, 0, ImageDataset.ByteScale);
        var compute = new Compute(backend);
        using var data = new TrainingData(compute, images, Binarise.None, 1);
        using var model = Configuration.CreateModel(compute, new(Size, Size, Channels), data.Variance);
        using var adam = new Adam(compute, model.Arena);
        var indices = compute.Pool.Rent<int>(Batch);
        backend.Upload<int>([.. Enumerable.Range(0, Batch)], indices);
        adam.BeginStep(1, 1e-4);
        model.Rng.BeginStep(1);
        use(compute, () =>
        {
            model.Rng.RestartDraws();
            using var outer = compute.Tape(gradients: false, training: true);
            var x = data.Gather(indices, model.Rng);
            using var tape = compute.Tape();
            tape.Backward(model.Objective(x).Seeds());
            adam.Update();
            model.Noise.AfterStep();
        });
        compute.Pool.Return(indices);
    }
}
