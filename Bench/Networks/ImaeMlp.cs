using VaeFromScratch.Kernels;

namespace VaeFromScratch.Bench.Networks;

/// <summary>
/// The fully connected network of paper 3: encoder 784-500-1000-30 (10 category logits, 10 means, 10 log variances), decoder
/// 20-500-500-784, batch normalisation
/// and ReLU behind every hidden layer. Bernoulli pixels, KL of the code to N(0, I) and of the category to the uniform one.
/// </summary>
internal sealed class ImaeMlp
{
    private const int Pixels = 784, Categories = 10, Latents = 10;
    private readonly Sequential encoder, decoder;
    private readonly Rng rng;

    private ImaeMlp(Initialise init, Rng rng)
    {
        this.rng = rng;
        encoder = new(
            new Linear("encoder.fc1", Pixels, 500, init), new BatchNorm("encoder.bn1", 500, Activation.Relu),
            new Linear("encoder.fc2", 500, 1000, init), new BatchNorm("encoder.bn2", 1000, Activation.Relu),
            new Linear("encoder.heads", 1000, Categories + 2 * Latents, init));
        decoder = new(
            new Linear("decoder.fc1", Categories + Latents, 500, init), new BatchNorm("decoder.bn1", 500, Activation.Relu),
            new Linear("decoder.fc2", 500, 500, init), new BatchNorm("decoder.bn2", 500, Activation.Relu),
            new Linear("decoder.fc3", 500, Pixels, init));
    }

    public static Network Create(Compute compute)
    {
        var rng = new Rng(compute, seed: 1);
        var network = new ImaeMlp(new(seed: 1), rng);
        return new(new(compute, [.. network.encoder.Parameters, .. network.decoder.Parameters]), rng, network.Objective);
    }

    private Seed[] Objective(Tensor images)
    {
        int batch = images.Shape[0];
        var x = images.Reshape(batch, Pixels);
        var heads = encoder.Forward(x);
        var logProbabilities = heads.Slice(1, 0, Categories).LogSoftmax();
        var probabilities = logProbabilities.Exp();
        var (z, kl) = Ops.Reparameterise(heads.Slice(1, Categories, Latents), heads.Slice(1, Categories + Latents, Latents), rng);
        var nll = Ops.BernoulliNll(x, decoder.Forward(Ops.Concat(1, probabilities, z)));
        var klOfCategory = (probabilities * logProbabilities.AddScalar(MathF.Log(Categories))).SumPerRow();
        return [new(nll, 1f / batch), new(kl, 1f / batch), new(klOfCategory, 1f / batch)];
    }
}
