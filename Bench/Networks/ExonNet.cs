using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Bench.Networks;

/// <summary>
/// The CIFAR-10 networks of paper 4 (its tables 1 and 2) in one training step without labels: a classifier says which of ten components an image belongs to, the
/// encoder gives a code of 300 for each, the decoder reads their mixture by a relaxed sample of the component. As heavy as the paper's step, with a plain objective.
/// </summary>
internal sealed class ExonNet
{
    private const int Components = 10, Latents = 300;
    private readonly Sequential encoder, classifier, decoder;
    private readonly Linear mean, logVar;
    private readonly Rng rng;
    private readonly Tensor temperature;

    private ExonNet(Initialise init, Rng rng, Tensor temperature)
    {
        (this.rng, this.temperature) = (rng, temperature);
        encoder = new(
            Conv(1, 3, 32, kernel: 5), Norm("encoder", 1, 32), Conv(2, 32, 64, kernel: 5), Norm("encoder", 2, 64),
            Conv(3, 64, 128, kernel: 3), Norm("encoder", 3, 128), Conv(4, 128, 256, kernel: 3), Norm("encoder", 4, 256),
            new Function(x => x.Reshape(-1, 1024)), new Linear("encoder.fc", 1024, 1024, init, Activation.Relu), Norm("encoder", 5, 1024));
        mean = new("encoder.mu", 1024, Components * Latents, init);
        logVar = new("encoder.logvar", 1024, Components * Latents, init);
        classifier = new(
            Same(1, 3, 32), Same(2, 32, 32), new MaxPool2d(2, 2), Same(3, 32, 64), Same(4, 64, 64), new MaxPool2d(2, 2), Same(5, 64, 128), Same(6, 128, 128), new MaxPool2d(2, 2),
            new Function(x => x.Reshape(-1, 2048)), new Linear("classifier.fc1", 2048, 128, init, Activation.Relu), new Linear("classifier.fc2", 128, Components, init));
        decoder = new(
            new Linear("decoder.fc", Latents, 1024, init, Activation.Relu), Norm("decoder", 0, 1024), new Function(x => x.Reshape(-1, 2, 2, 256)),
            Transposed(1, 256, 256, stride: 2), Norm("decoder", 1, 256), Transposed(2, 256, 256, stride: 1), Norm("decoder", 2, 256),
            Transposed(3, 256, 128, stride: 2), Norm("decoder", 3, 128), Transposed(4, 128, 64, stride: 2), Norm("decoder", 4, 64),
            Transposed(5, 64, 32, stride: 2), Norm("decoder", 5, 32), new ConvTranspose2d("decoder.deconv6", 32, 3, kernel: 1, stride: 1, padding: 0, init));

        Conv2d Conv(int i, int from, int to, int kernel) => new($"encoder.conv{i}", from, to, kernel, stride: 2, padding: kernel / 2, init, Activation.Relu);
        Conv2d Same(int i, int from, int to) => new($"classifier.conv{i}", from, to, kernel: 3, stride: 1, padding: 1, init, Activation.Relu);
        ConvTranspose2d Transposed(int i, int from, int to, int stride) =>
            new($"decoder.deconv{i}", from, to, kernel: 5, stride, padding: 2, init, Activation.Relu, outputPaddingHeight: stride - 1, outputPaddingWidth: stride - 1);
        static BatchNorm Norm(string part, int i, int channels) => new($"{part}.bn{i}", channels);
    }

    public static Network Create(Compute compute)
    {
        var rng = new Rng(compute, seed: 1);
        var network = new ExonNet(new(seed: 1), rng, compute.Allocate(Shape.Scalar, [1f]));
        Parameter[] parameters = [.. network.encoder.Parameters, .. network.mean.Parameters, .. network.logVar.Parameters, .. network.classifier.Parameters, .. network.decoder.Parameters];
        return new(new(compute, parameters), rng, network.Objective);
    }

    private Seed[] Objective(Tensor x)
    {
        int batch = x.Shape[0];
        var features = encoder.Forward(x);
        var (z, kl) = Ops.Reparameterise(mean.Forward(features), logVar.Forward(features), rng);
        var logits = classifier.Forward(x);
        var logProbabilities = logits.LogSoftmax();
        var component = logits.GumbelSoftmax(temperature, rng);
        var code = (z.Reshape(batch, Components, Latents) * component.RepeatEach(Latents)).Sum(axis: 1);
        var nll = Ops.BernoulliNll(x, decoder.Forward(code));
        var klOfComponent = (logProbabilities.Exp() * logProbabilities.AddScalar(MathF.Log(Components))).SumPerRow();
        return [new(nll, 1f / batch), new(kl, 1f / (Components * batch)), new(klOfComponent, 1f / batch)];
    }
}
