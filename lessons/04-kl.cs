// What does the KL term cost, and why is it not sampled?
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

var lesson = new Lesson("What does the KL term cost, and why is it not sampled?", "04-kl", args);
lesson.Say("KL(N(mu, s) || N(0, 1)) = 1/2 (s + mu^2 - 1 - log s) nats, s a variance; or, by sampling, the mean of log q(z) - log p(z).");

(double Mu, double S)[] posteriors = [(0, 1), (0.5, 0.8), (1, 0.25), (2, 0.05), (-1.5, 0.01)];
var random = new Random(1);
const int Samples = 200_000;
foreach (var (mu, s) in posteriors)
{
    double[] terms = [.. Enumerable.Range(0, Samples).Select(_ => Term(mu, s))];
    double mean = terms.Average(), error = Math.Sqrt(terms.Average(t => (t - mean) * (t - mean)) / Samples);
    lesson.Check($"mu {mu}, variance {s}: sampled, nats", mean, Closed(mu, s), 5 * error + 1e-12);
}

// The error of n samples falls with the root of n: four times the samples for one more bit.
int[] counts = [1, 4, 16, 64, 256, 1024];
double[] errors = [.. counts.Select(n => Math.Sqrt(Enumerable.Range(0, 4000).Average(_ =>
    Math.Pow(Enumerable.Range(0, n).Average(_ => Term(1, 0.25)) - Closed(1, 0.25), 2))))];
double slope = Math.Log(errors[^1] / errors[0]) / Math.Log(counts[^1]);
lesson.Check("slope of log error in log n", slope, -0.5, 0.03);
// Of one sample: log q - log p = (z^2 - e^2 - log s) / 2 with z = mu + sqrt(s) e; its variance is ((s - 1)^2 + 2 mu^2 s) / 2.
lesson.Check("standard deviation of one sample at mu 1, variance 0.25", errors[0], Math.Sqrt((0.75 * 0.75 + 2 * 0.25) / 2), 0.06);

// A single sample can be negative, which no KL divergence is.
double negative = Enumerable.Range(0, Samples).Count(_ => Term(0.5, 0.8) < 0) / (double)Samples;
lesson.CheckAtLeast("share of single samples below 0 at mu 0.5, variance 0.8", negative, 0.2);

// The library's kernel, and its slopes: mu and (s - 1) / 2 (in log s).
using (var compute = Compute.Open("cpu"))
using (var rng = new Rng(compute, seed: 1))
using (var tape = compute.Tape())
{
    int h = posteriors.Length;
    var mu = tape.Constant(new(1, h), [.. posteriors.Select(p => (float)p.Mu)], needsGradient: true);
    var logVar = tape.Constant(new(1, h), [.. posteriors.Select(p => (float)Math.Log(p.S))], needsGradient: true);
    var kl = Ops.Reparameterise(mu, logVar, rng).Kl;
    tape.Backward(kl.Sum());
    lesson.Check("Ops.Reparameterise: KL of all five factors", kl.Item(), posteriors.Sum(p => Closed(p.Mu, p.S)), 1e-5);
    lesson.Check("its slope in mu of the last", mu.GradientToArray()[^1], posteriors[^1].Mu, 1e-6);
    lesson.Check("its slope in log variance of the last", logVar.GradientToArray()[^1], (posteriors[^1].S - 1) / 2, 1e-6);
}

double[] widths = [.. Enumerable.Range(0, 60).Select(i => Math.Exp(-6 + 0.12 * i))];
lesson.Page.Section("Pictures")
    .Figure(new LineChart([.. ((double[])[0, 1, 2]).Select(mu => new Series($"mu {mu}", widths, [.. widths.Select(s => Closed(mu, s))]))])
    {
        Title = "What a factor costs", XLabel = "variance of q(z|x)", YLabel = "nats", LogX = true,
    }, "Nothing at mu 0 and variance 1, where the code says nothing; halving a small standard deviation costs log 2 nats more.")
    .Figure(new LineChart([new("root mean square error", [.. counts.Select(n => (double)n)], errors)])
    {
        Title = "Sampling instead", XLabel = "samples", YLabel = "nats", LogX = true, LogY = true,
    }, "The closed form costs less than one sample and has no error.");
return lesson.End();

static double Closed(double mu, double s) => 0.5 * (s + mu * mu - 1 - Math.Log(s));

double Term(double mu, double s)
{
    double e = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()), z = mu + Math.Sqrt(s) * e;
    return 0.5 * (z * z - e * e - Math.Log(s));
}
