// When does a VAE switch its factors off, and what do beta and warm-up do about it?
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

var lesson = new Lesson("When does a VAE switch its factors off, and what do beta and warm-up do about it?", "07-collapse", args);
lesson.Say("Linear networks have an exact answer. Data with variances l_h along its axes, noise s, weight beta on the KL:");
lesson.Say("a factor is kept where l_h > beta s, and then carries 1/2 log(l_h / (beta s)) nats. The others are switched off.");

using var compute = Compute.Open("cpu");
const float Noise = 0.1f;
double[] variances = [9, 3, 1, 0.3, 0.05, 0.05];
float[] data = Planted(4000);
// The data's own variances, which are not exactly the planted ones.
double[] found = [.. variances.Select((_, j) => data.Where((_, i) => i % variances.Length == j).Average(v => (double)v * v))];
var measured = new List<Series>();
double[] axes = [.. Enumerable.Range(1, variances.Length).Select(h => (double)h)];
// With a smaller beta the same holds in the end, but the factors turn onto the axes too slowly for a lesson.
foreach (double beta in (double[])[4, 8, 20])
{
    double[] information = Linear(beta), theory = [.. found.Select(l => Math.Max(0, 0.5 * Math.Log(l / (beta * Noise))))];
    for (int h = 0; h < 4; h++)
        lesson.Check($"beta {beta}: factor {h + 1}, nats", information[h], theory[h], 0.05);
    lesson.Check($"beta {beta}: all factors", information.Sum(), theory.Sum(), 0.15);
    measured.Add(new($"beta {beta}", axes, information));
    measured.Add(new($"beta {beta}, theory", axes, theory));
}
var byDesign = new LineChart(measured) { XLabel = "factor", YLabel = "nats", WholeX = true, FromZero = true };
lesson.Page.Section("Collapse by design").Figure(byDesign,
    "Lines lie on one another: what beta switches off follows from the data's variances.");

// Deep networks can collapse too early as well: the KL acts before the decoder has learned what a code is good for. Warm-up raises
// beta slowly. It decides where noise is learned (Models/README.md has the seeds); in this small run with binary pixels it changes little.
float[] pixels = Mnist.Load("datasets").Train.ToFloats(0, 5000);
byte[] labels = Mnist.Load("datasets").Train.Labels!;
var plain = Plane(beta: 1, warmUp: 0);
foreach (int warmUp in (int[])[0, 2])
    lesson.Print($"beta 8, warm-up of {warmUp} epochs: KL after 6 epochs", Plane(beta: 8, warmUp).Kl, "nats per image");
lesson.CheckAtLeast("beta 1: KL of two factors, nats per image", plain.Kl, 3);
// What the KL costs beyond information is what the codes together are away from the prior: an identity, whatever was learned.
var indicators = Indicators.Compute(compute.Backend, new Encodings(plain.Mu.Length / 2, 2, plain.Mu, plain.LogVar));
lesson.Check("mean KL minus information, beside 1/2 sum (s* - 1 - log s*)", indicators.D4, indicators.D5, 1e-4);
lesson.Page.Section("A latent plane of two factors")
    .Figure(new ScatterChart(Factor(0), Factor(1), [.. labels.Take(2000).Select(l => (int)l)])
    {
        XLabel = "factor 1", YLabel = "factor 2", Width = 640, Height = 600,
    }, "Where the encoder puts 2 000 digits; nobody told it the labels.")
    .Figure(plain.Grid, "What the decoder makes of a grid from -2 to 2 in both factors.");
return lesson.End();

double[] Factor(int h) => [.. plain.Mu.Where((_, i) => i % 2 == h).Select(v => (double)v)];

// Zero-mean data with the planted variances along the axes.
float[] Planted(int points)
{
    using var rng = new Rng(compute, seed: 1);
    using var tape = compute.Tape(gradients: false);
    float[] e = rng.Normal(new(points, variances.Length)).ToArray();
    return [.. e.Select((v, i) => v * (float)Math.Sqrt(variances[i % variances.Length]))];
}

// A linear encoder and decoder, as many factors as axes; factors' information 1/2 log(mean of sigma^2 + mu^2 over sigma^2), sorted.
double[] Linear(double beta)
{
    int d = variances.Length;
    using var rng = new Rng(compute, seed: 2);
    var init = new Initialise(seed: 3);
    var encoder = new Linear(d, 2 * d, init);
    var decoder = new Linear(d, d, init);
    using var arena = ParameterArena.Of(compute, encoder, decoder);
    using var adam = new Adam(compute, arena);
    var batches = Batches.Of(compute, data, new(d), batchSize: 200, seed: 4);
    for (int epoch = 0, step = 0; epoch < 200; epoch++)
        foreach (var x in batches.Epoch(epoch))
        {
            using var tape = compute.Tape();
            var code = encoder.Forward(x);
            var (z, kl) = Ops.Reparameterise(code.Slice(1, 0, d), code.Slice(1, d, d), rng);
            tape.Backward((Ops.GaussianNll(x, decoder.Forward(z), tape.Full(Shape.Scalar, Noise)).Nll + kl * (float)beta).Mean());
            adam.Update(++step, learningRate: epoch < 120 ? 1e-2 : 1e-3);
        }
    using var last = compute.Tape(gradients: false);
    float[] codes = encoder.Forward(last.Constant(new(data.Length / d, d), data)).ToArray();
    return [.. Enumerable.Range(0, d).Select(h => Information(codes, h, d)).OrderDescending()];
}

static double Information(float[] codes, int h, int d)
{
    var (second, logs, n) = (0.0, 0.0, codes.Length / (2 * d));
    for (int i = 0; i < n; i++)
    {
        double mu = codes[i * 2 * d + h], logVar = codes[i * 2 * d + d + h];
        (second, logs) = (second + mu * mu + Math.Exp(logVar), logs + logVar);
    }
    return 0.5 * (Math.Log(second / n) - logs / n);
}

(double Kl, float[] Mu, float[] LogVar, byte[] Grid) Plane(double beta, int warmUp)
{
    using var rng = new Rng(compute, seed: 1);
    var init = new Initialise(seed: 1);
    var encoder = new Sequential(new Linear(784, 128, init, Activation.Relu), new Linear(128, 4, init));
    var decoder = new Sequential(new Linear(2, 128, init, Activation.Relu), new Linear(128, 784, init));
    using var arena = ParameterArena.Of(compute, encoder, decoder);
    using var adam = new Adam(compute, arena);
    var batches = Batches.Of(compute, pixels, new(784), batchSize: 50, seed: 1);
    double kls = 0;
    for (int epoch = 0, step = 0; epoch < 6; epoch++)
    {
        kls = 0;
        foreach (var x in batches.Epoch(epoch))
        {
            using var tape = compute.Tape();
            var code = encoder.Forward(x);
            var (z, kl) = Ops.Reparameterise(code.Slice(1, 0, 2), code.Slice(1, 2, 2), rng);
            double weight = warmUp == 0 ? beta : beta * Math.Min(1, (double)step / (warmUp * batches.PerEpoch));
            tape.Backward((Ops.BernoulliNll(x, decoder.Forward(z)) + kl * (float)weight).Mean());
            adam.Update(++step, learningRate: 1e-3);
            kls += kl.ToArray().Average() / batches.PerEpoch;
        }
    }
    using var last = compute.Tape(gradients: false);
    var codes = encoder.Forward(last.Constant(new(2000, 784), pixels.AsSpan(0, 2000 * 784)));
    const int side = 16;
    float[] grid = [.. Enumerable.Range(0, side * side)
        .SelectMany(i => (float[])[-2 + 4f * (i % side) / (side - 1), 2 - 4f * (i / side) / (side - 1)])];
    float[] images = decoder.Forward(last.Constant(new(side * side, 2), grid)).Sigmoid().ToArray();
    var grey = new byte[images.Length];
    for (int i = 0; i < images.Length; i++)
        grey[(i / (side * 784) * 28 + i % 784 / 28) * side * 28 + i / 784 % side * 28 + i % 28] = (byte)(255 * images[i]);
    return (kls, codes.Slice(1, 0, 2).ToArray(), codes.Slice(1, 2, 2).ToArray(), Png.Encode(new(side * 28, side * 28, 1, grey)));
}
