// How much does a code say about its input, and which estimator may I believe?
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Estimators.Samples;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

var lesson = new Lesson("How much does a code say about its input, and which estimator may I believe?", "08-five-estimators", args);
lesson.Say("An input x ~ N(0, v) is encoded as z = x + noise of variance 1, in one factor: they share 1/2 log(1 + v) nats, exactly.");
lesson.Say("Two estimators know the encoder's mean and variance for each input; three see pairs (x, z) and nothing else.");

const int Points = 4000, Batch = 128;
using var compute = Compute.Open("cpu");
double[] truths = [0.25, 0.5, 1, 2, 3];
(string Name, double Tolerance, Func<float[], float[], double> Of)[] estimators =
[
    ("Gaussian aggregate (I2), encoder known", 0.04, (x, _) => Aggregate(x)),
    ("mixture of all encodings (X1), encoder known", 0.06, (x, _) => Mixture(x)),
    ("nearest neighbours (Kraskov), pairs only", 0.08, (x, z) => SampleInformation.Kraskov(x, 1, z, 1).Value),
    ("20 bins a side, pairs only", 0.25, (x, z) => SampleInformation.Binned(x, z).Value),
    ("InfoNCE, a critic, pairs only", 0.3,
        (x, z) => new InfoNce(new CriticOptions(Steps: 400, Batch: Batch, Hidden: 64)).Fit(compute, x, 1, z, 1, seed: 1).Value),
];
var (curves, seconds) = (estimators.ToDictionary(e => e.Name, _ => new List<double>()), estimators.ToDictionary(e => e.Name, _ => 0.0));
foreach (double truth in truths)
{
    var (x, z) = Pairs(Math.Exp(2 * truth) - 1);
    foreach (var (name, tolerance, of) in estimators)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        curves[name].Add(of(x, z));
        seconds[name] += clock.Elapsed.TotalSeconds;
        if (truth <= 1)
            lesson.Check($"{name}: {truth} nats", curves[name][^1], truth, tolerance);
    }
}
foreach (var (name, _, _) in estimators)
    lesson.Print($"{name}: time of all", seconds[name], "s");

// More than its ceiling no estimator can say: log B for InfoNCE with batches of B, log M for a mixture of M encodings.
lesson.CheckAtMost("InfoNCE at 3 nats: not above log B", curves[estimators[4].Name][^1], Math.Log(Batch));
float[] apart = [.. Enumerable.Range(0, 40).Select(i => 8f * i - 156)];
lesson.Check("40 inputs told apart: the mixture's ceiling log 40", Mixture(apart), Math.Log(40), 1e-2);
lesson.CheckAtLeast("40 inputs told apart: (I2) has no ceiling and says more", Aggregate(apart), Math.Log(40));
// (I2) is an upper bound, exact where all codes together are Gaussian: two clumps far apart carry log 2, and (I2) says far more.
float[] clumps = [.. Enumerable.Range(0, Points).Select(i => i % 2 == 0 ? -20f : 20f)];
lesson.Check("two clumps by (I2): 1/2 log(1 + 400), an upper bound", Aggregate(clumps), 0.5 * Math.Log(401), 1e-3);
lesson.Check("two clumps by the mixture: log 2", Mixture(clumps), Math.Log(2), 1e-3);

Series[] lines = [new("truth", truths, truths), .. estimators.Select(e => new Series(e.Name, truths, curves[e.Name]))];
lesson.Page.Section("Pictures").Figure(new LineChart(lines)
{
    Title = $"{Points} pairs of one number each", XLabel = "information, nats", YLabel = "estimate, nats", FromZero = true, Height = 520,
}, $"Bins run out of resolution and InfoNCE nears its ceiling log {Batch} = {Math.Log(Batch):F2}; what knows the encoder stays right.");
return lesson.End();

(float[] X, float[] Z) Pairs(double variance)
{
    using var rng = new Rng(compute, seed: 1);
    using var tape = compute.Tape(gradients: false);
    var x = rng.Normal(new(Points)) * (float)Math.Sqrt(variance);
    return (x.ToArray(), (x + rng.Normal(new(Points))).ToArray());
}

double Aggregate(float[] mu) => Indicators.Compute(compute.Backend, Encoded(mu)).Information;

double Mixture(float[] mu) => MixtureInformation.Compute(compute.Backend, Encoded(mu), seed: 1).Information.Value;

// Means mu and variance 1, that is log variance 0.
static Encodings Encoded(float[] mu) => new(mu.Length, 1, mu, new float[mu.Length]);
