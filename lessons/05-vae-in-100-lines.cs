// What is a variational autoencoder, line by line?
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

const int Images = 10_000, Tested = 1_000, Epochs = 4, Latents = 8, Side = 28, Samples = 50;
var lesson = new Lesson("What is a variational autoencoder, line by line?", "05-vae-in-100-lines", args);
lesson.Say("An encoder gives mean and variance of a code for an image; a decoder each pixel's probability of being white for a code.");
lesson.Say("The loss is what the image costs given the code, plus what the code costs: an upper bound of -log p(image), in nats.");

var (train, test) = Mnist.Load("datasets");
float[] pixels = train.ToFloats(0, Images);
using var compute = Compute.Open("cpu");
using var rng = new Rng(compute, seed: 1);
var vae = new Vae(Side * Side, Latents, new Initialise(seed: 1));
using var arena = ParameterArena.Of(compute, vae);
using var adam = new Adam(compute, arena);
var batches = Batches.Of(compute, pixels, new(Side * Side), batchSize: 100, seed: 1);

// Before training every logit is near 0 and every code near N(0, 1): each of 784 pixels costs log 2, the code nothing.
// Logits of variance v cost v / 8 a pixel more; random weights have a v of some hundredths.
var (nll, kl, bound) = Evaluate();
lesson.Check("before training: pixels, nats per image", nll, Side * Side * Math.Log(2), Side * Side * 0.08 / 8);
lesson.Check("before training: code", kl, 0, 0.5);

var losses = new List<double>();
for (int epoch = 0, step = 0; epoch < Epochs; epoch++)
    foreach (var x in batches.Epoch(epoch))
    {
        using var tape = compute.Tape();
        var (pixelsCost, codeCost) = vae.Loss(x, rng);
        var loss = (pixelsCost + codeCost).Mean();
        tape.Backward(loss);
        adam.Update(++step, learningRate: 1e-3);
        losses.Add(loss.Item());
    }

// Whoever ignores the code can do no better than the mean image: the entropy of independent pixels.
float[] mean = [.. Enumerable.Range(0, Side * Side).Select(i => Enumerable.Range(0, Images).Average(n => pixels[n * Side * Side + i]))];
float[] testPixels = test.ToFloats(0, Tested);
double independent = testPixels.Select((x, i) => Cost(x, Math.Clamp(mean[i % mean.Length], 1e-3, 1 - 1e-3))).Sum() / Tested;
(nll, kl, bound) = Evaluate();
lesson.Print("the mean image instead of a model", independent, "nats per image");
lesson.CheckAtMost("the VAE: pixels + code, nats per image", nll + kl, independent - 30);
lesson.CheckAtLeast("of which the code; it must pay for what it saves", kl, 5);
// The average of 50 importance weights is a tighter bound of -log p(x), whatever the networks are.
lesson.CheckAtMost($"-log p(x) by {Samples} importance samples", bound, nll + kl);

double[] smooth = [.. losses.Chunk(20).Select(c => c.Average())];
lesson.Page.Section("Pictures")
    .Figure(new LineChart([new("loss", [.. smooth.Select((_, i) => 20.0 * (i + 1))], smooth)])
    {
        Title = "Training", XLabel = "step", YLabel = "nats per image",
    })
    .Figure(Grid(testPixels[..(10 * Side * Side)], Reconstructed(10)), "Test images above what comes back from their codes' means.")
    .Figure(Grid(Drawn(40)), "Codes drawn from N(0, 1), decoded: images that nobody wrote.");
return lesson.End();

(double Nll, double Kl, double Bound) Evaluate()
{
    using var draws = new Rng(compute, seed: 2);
    var sums = (Nll: 0.0, Kl: 0.0, Bound: 0.0);
    float[] tested = test.ToFloats(0, Tested);
    foreach (float[] part in tested.Chunk(100 * Side * Side))
    {
        using var tape = compute.Tape(gradients: false);
        var x = tape.Constant(new(part.Length / (Side * Side), Side * Side), part);
        double[][] weights = [.. Enumerable.Range(0, Samples).Select(_ => vae.LogWeights(x, draws))];
        var (pixelsCost, codeCost) = vae.Loss(x, draws);
        sums.Nll += pixelsCost.ToArray().Sum();
        sums.Kl += codeCost.ToArray().Sum();
        for (int n = 0; n < x.Shape[0]; n++)
        {
            double most = weights.Max(w => w[n]);
            sums.Bound -= most + Math.Log(weights.Average(w => Math.Exp(w[n] - most)));
        }
    }
    return (sums.Nll / Tested, sums.Kl / Tested, sums.Bound / Tested);
}

float[] Reconstructed(int count)
{
    using var tape = compute.Tape(gradients: false);
    var (mu, _) = vae.Encode(tape.Constant(new(count, Side * Side), testPixels.AsSpan(0, count * Side * Side)));
    return vae.Forward(mu).Sigmoid().ToArray();
}

float[] Drawn(int count)
{
    using var tape = compute.Tape(gradients: false);
    return vae.Forward(rng.Normal(new(count, Latents))).Sigmoid().ToArray();
}

static double Cost(double x, double p) => -(x * Math.Log(p) + (1 - x) * Math.Log(1 - p));

// Ten images a row, rows under one another.
static byte[] Grid(params float[][] rows)
{
    float[] images = [.. rows.SelectMany(r => r)];
    int height = images.Length / (10 * Side * Side) * Side;
    var grey = new byte[10 * Side * height];
    for (int i = 0; i < images.Length; i++)
    {
        int image = i / (Side * Side), row = image / 10 * Side + i % (Side * Side) / Side, column = image % 10 * Side + i % Side;
        grey[row * 10 * Side + column] = (byte)(255 * images[i]);
    }
    return Png.Encode(new(10 * Side, height, 1, grey));
}

sealed class Vae(int pixels, int latents, Initialise init) : Module
{
    private readonly Sequential encoder = new(new Linear(pixels, 200, init, Activation.Relu), new Linear(200, 2 * latents, init));
    private readonly Sequential decoder = new(new Linear(latents, 200, init, Activation.Relu), new Linear(200, pixels, init));

    public override Tensor Forward(Tensor z) => decoder.Forward(z);

    public (Tensor Mu, Tensor LogVar) Encode(Tensor x)
    {
        var code = encoder.Forward(x);
        return (code.Slice(1, 0, latents), code.Slice(1, latents, latents));
    }

    public (Tensor Pixels, Tensor Code) Loss(Tensor x, Rng rng)
    {
        var (mu, logVar) = Encode(x);
        var (z, kl) = Ops.Reparameterise(mu, logVar, rng);
        return (Ops.BernoulliNll(x, Forward(z)), kl);
    }

    /// <summary>log p(x|z) + log p(z) - log q(z|x) of one draw an image.</summary>
    public double[] LogWeights(Tensor x, Rng rng)
    {
        var (mu, logVar) = Encode(x);
        var z = Ops.Reparameterise(mu, logVar, rng).Z;
        var prior = z.Square().SumPerRow() * -0.5f;
        var posterior = ((z - mu).Square() / logVar.Exp() + logVar).SumPerRow() * -0.5f;
        return [.. (prior - posterior - Ops.BernoulliNll(x, Forward(z))).ToArray().Select(w => (double)w)];
    }
}
