#:project ../Data/Data.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Data;

int epochs = args.Length > 0 ? int.Parse(args[0]) : 3;
var mnist = Mnist.Load("datasets").Train;

using var compute = Compute.Open("auto");
using var rng = new Rng(compute, seed: 1);
var vae = new Vae(mnist.PixelsPerImage, latents: 16, new Initialise(seed: 1));
using var arena = ParameterArena.Of(compute, vae);
using var adam = new Adam(compute, arena);
var batches = Batches.Of(compute, mnist.ToFloats(0, mnist.Count), new(mnist.PixelsPerImage), batchSize: 100, seed: 1);

for (int epoch = 0, step = 0; epoch < epochs; epoch++)
{
    double sum = 0;
    foreach (var x in batches.Epoch(epoch))
    {
        using var tape = compute.Tape();
        var loss = vae.Loss(x, rng);
        tape.Backward(loss);
        adam.Update(++step, learningRate: 1e-3);
        sum += loss.Item();
    }
    Console.WriteLine($"epoch {epoch + 1}: {sum / batches.PerEpoch:F2} nats per image");
}

sealed class Vae(int pixels, int latents, Initialise init) : Module
{
    private readonly Sequential encoder = new(new Linear(pixels, 256, init, Activation.Relu), new Linear(256, 2 * latents, init));
    private readonly Sequential decoder = new(new Linear(latents, 256, init, Activation.Relu), new Linear(256, pixels, init));

    public override Tensor Forward(Tensor z) => decoder.Forward(z);

    public Tensor Loss(Tensor x, Rng rng)
    {
        var code = encoder.Forward(x);
        var (z, kl) = Ops.Reparameterise(mu: code.Slice(1, 0, latents), logVar: code.Slice(1, latents, latents), rng);
        return (Ops.BernoulliNll(x, Forward(z)) + kl).Mean();
    }
}
