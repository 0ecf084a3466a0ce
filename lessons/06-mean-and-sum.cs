// Why does my VAE learn nothing? The loss that is 784 times off
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

const int Images = 6_000, Pixels = 784, Epochs = 4;
var lesson = new Lesson("Why does my VAE learn nothing? The loss that is 784 times off", "06-mean-and-sum", args);
lesson.Say("The log-likelihood of an image is a sum over pixels. Many programs take the mean over pixels and add the KL as it is.");
lesson.Say("mean + KL = (sum + 784 KL) / 784: a beta-VAE with beta 784. Adam does not see the factor 1/784, only the code's price.");

float[] pixels = Mnist.Load("datasets").Train.ToFloats(0, Images);
using var compute = Compute.Open("cpu");

// The identity, on one batch: value and gradient.
var (mean, meanGradient) = Gradient((nll, kl) => nll * (1f / Pixels) + kl);
var (weighted, weightedGradient) = Gradient((nll, kl) => nll + kl * Pixels);
lesson.Check("784 (mean + KL) over sum + 784 KL: value", Pixels * mean / weighted, 1, 1e-5);
double norm = Math.Sqrt(weightedGradient.Sum(g => g * g));
double difference = Math.Sqrt(meanGradient.Zip(weightedGradient, (a, b) => Math.Pow(Pixels * a - b, 2)).Sum());
lesson.Check("the same of the gradients: relative difference", difference / norm, 0, 1e-4);

// Live: three programs that differ in one line.
var sum = Train("sum + KL", (nll, kl) => nll + kl);
var wrong = Train("mean + KL", (nll, kl) => nll * (1f / Pixels) + kl);
var beta = Train("sum + 784 KL", (nll, kl) => nll + kl * Pixels);

// A code that costs 784 times its information never pays: it is switched off, and what is left is the mean image.
float[] image = [.. Enumerable.Range(0, Pixels).Select(i => Enumerable.Range(0, Images).Average(n => pixels[n * Pixels + i]))];
double independent = pixels.Select((x, i) => Cost(x, Math.Clamp(image[i % Pixels], 1e-6, 1 - 1e-6))).Sum() / Images;
lesson.Check("mean + KL: what the code carries, nats", wrong.Kl[^1], 0, 0.05);
lesson.CheckAtLeast("mean + KL: pixels; one image for all costs at least this", wrong.Nll[^1], independent);
lesson.Check("mean + KL: pixels, and after a few epochs not much more", wrong.Nll[^1], independent, 0.05 * independent);
lesson.Check("mean + KL and sum + 784 KL end alike: pixels, nats", wrong.Nll[^1], beta.Nll[^1], 0.02 * independent);
lesson.CheckAtLeast("sum + KL: what the code carries, nats", sum.Kl[^1], 5);
lesson.CheckAtMost("sum + KL: pixels and code", sum.Nll[^1] + sum.Kl[^1], independent - 20);

double[] epochs = [.. Enumerable.Range(1, Epochs).Select(e => (double)e)];
lesson.Page.Section("Pictures")
    .Figure(new LineChart([new("sum + KL", epochs, sum.Kl), new("mean + KL", epochs, wrong.Kl), new("sum + 784 KL", epochs, beta.Kl)])
    {
        Title = "What the code carries", XLabel = "epoch", YLabel = "KL, nats per image", WholeX = true, FromZero = true,
    }, "The mean switches the code off.")
    .Figure(new LineChart([new("sum + KL", epochs, sum.Nll), new("mean + KL", epochs, wrong.Nll),
        new("independent pixels", epochs, [.. epochs.Select(_ => independent)])])
    {
        Title = "What the pixels cost", XLabel = "epoch", YLabel = "nats per image", WholeX = true,
    }, "Without a code the decoder paints one image for all: the mean.");
return lesson.End();

(double Value, double[] Gradient) Gradient(Func<Tensor, Tensor, Tensor> loss)
{
    using var rng = new Rng(compute, seed: 1);
    var vae = new Vae(new Initialise(seed: 1));
    using var arena = ParameterArena.Of(compute, vae);
    using var tape = compute.Tape();
    var (nll, kl) = vae.Terms(tape.Constant(new(100, Pixels), pixels.AsSpan(0, 100 * Pixels)), rng);
    var total = loss(nll, kl).Mean();
    tape.Backward(total);
    arena.CompleteGradients();
    var gradient = new float[arena.Gradients.Length];
    compute.Backend.Download(arena.Gradients, gradient);
    return (total.Item(), [.. gradient.Select(g => (double)g)]);
}

(List<double> Nll, List<double> Kl) Train(string name, Func<Tensor, Tensor, Tensor> loss)
{
    using var rng = new Rng(compute, seed: 1);
    var vae = new Vae(new Initialise(seed: 1));
    using var arena = ParameterArena.Of(compute, vae);
    using var adam = new Adam(compute, arena);
    var batches = Batches.Of(compute, pixels, new(Pixels), batchSize: 100, seed: 1);
    var (nlls, kls) = (new List<double>(), new List<double>());
    for (int epoch = 0, step = 0; epoch < Epochs; epoch++)
    {
        var (nllSum, klSum) = (0.0, 0.0);
        foreach (var x in batches.Epoch(epoch))
        {
            using var tape = compute.Tape();
            var (nll, kl) = vae.Terms(x, rng);
            tape.Backward(loss(nll, kl).Mean());
            adam.Update(++step, learningRate: 1e-3);
            (nllSum, klSum) = (nllSum + nll.ToArray().Average(), klSum + kl.ToArray().Average());
        }
        nlls.Add(nllSum / batches.PerEpoch);
        kls.Add(klSum / batches.PerEpoch);
    }
    lesson.Print($"{name}: pixels after {Epochs} epochs", nlls[^1], "nats per image");
    lesson.Print($"{name}: code", kls[^1], "nats per image");
    return (nlls, kls);
}

static double Cost(double x, double p) => -(x * Math.Log(p) + (1 - x) * Math.Log(1 - p));

sealed class Vae(Initialise init) : Module
{
    private const int Pixels = 784, Latents = 8;
    private readonly Sequential encoder = new(new Linear(Pixels, 100, init, Activation.Relu), new Linear(100, 2 * Latents, init));
    private readonly Sequential decoder = new(new Linear(Latents, 100, init, Activation.Relu), new Linear(100, Pixels, init));

    public override Tensor Forward(Tensor z) => decoder.Forward(z);

    public (Tensor Nll, Tensor Kl) Terms(Tensor x, Rng rng)
    {
        var code = encoder.Forward(x);
        var (z, kl) = Ops.Reparameterise(code.Slice(1, 0, Latents), code.Slice(1, Latents, Latents), rng);
        return (Ops.BernoulliNll(x, Forward(z)), kl);
    }
}
