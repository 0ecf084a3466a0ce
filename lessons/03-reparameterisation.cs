// How does a gradient get through a random draw?
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

const double Mu = 1, Sigma = 0.5;
const int Draws = 200_000;
var lesson = new Lesson("How does a gradient get through a random draw?", "03-reparameterisation", args);
lesson.Say("The expectation of z^2 under N(mu, sigma^2) is mu^2 + sigma^2, its slope in mu 2 mu. Two estimators know only samples.");
lesson.Say("Reparameterised: z = mu + sigma e with e ~ N(0, 1), so that the slope is that of z^2 itself: 2 z.");
lesson.Say("Score function: z^2 times the slope of log N(z | mu, sigma^2) in mu, (z - mu) / sigma^2. It needs no slope of z^2.");

var random = new Random(1);
var (path, score) = (new double[Draws], new double[Draws]);
for (int i = 0; i < Draws; i++)
{
    double e = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()), z = Mu + Sigma * e;
    (path[i], score[i]) = (2 * z, z * z * (z - Mu) / (Sigma * Sigma));
}

// Variances in closed form, from the moments 1, 3, 15 of e^2, e^4, e^6.
double s2 = Sigma * Sigma, m2 = Mu * Mu;
double pathVariance = 4 * s2, scoreVariance = (m2 * m2 + 18 * m2 * s2 + 15 * s2 * s2) / s2 - 4 * m2;
foreach (var (name, values, variance) in new[] { ("reparameterised", path, pathVariance), ("score function", score, scoreVariance) })
{
    lesson.Check($"{name}: mean", values.Average(), 2 * Mu, 5 * Math.Sqrt(variance / Draws));
    lesson.Check($"{name}: variance of one sample", Variance(values), variance, 0.05 * variance);
}
double ratio = scoreVariance / pathVariance;
lesson.Check("how many times more samples the score function needs", Variance(score) / Variance(path), ratio, 0.06 * ratio);

// It grows with the number of factors: the slope of sum_h z_h^2 in mu_1 has the noise of every other factor in it.
int[] factors = [1, 4, 16, 64];
double[] ratios = [.. factors.Select(h => (scoreVariance + OthersVariance(h)) / pathVariance)];
double[] measured = [.. factors.Select(h => Variance(Score(h)) / pathVariance)];
lesson.Check("the same ratio with 64 factors", measured[^1], ratios[^1], 0.1 * ratios[^1]);

// The library's operation makes z and its KL divergence in one kernel, and its gradient is the reparameterised one.
using (var compute = Compute.Open("cpu"))
using (var rng = new Rng(compute, seed: 1))
using (var tape = compute.Tape())
{
    const int rows = 50_000;
    var mu = tape.Constant(new(rows, 1), Enumerable.Repeat((float)Mu, rows).ToArray(), needsGradient: true);
    var logVar = tape.Constant(new(rows, 1), Enumerable.Repeat((float)Math.Log(s2), rows).ToArray(), needsGradient: true);
    tape.Backward(Ops.Reparameterise(mu, logVar, rng).Z.Square().Sum());
    lesson.Check("Ops.Reparameterise: slope in mu", mu.GradientToArray().Average(), 2 * Mu, 5 * Math.Sqrt(pathVariance / rows));
    // d (mu + sigma e)^2 / d log sigma^2 = z sigma e, whose mean is sigma^2 and whose variance is mu^2 sigma^2 + 2 sigma^4.
    lesson.Check("its slope in log sigma^2", logVar.GradientToArray().Average(), s2, 5 * Math.Sqrt((m2 * s2 + 2 * s2 * s2) / rows));
}

lesson.Page.Section("Pictures").Figure(Histogram(), "Single samples of the same slope, whose true value is 2.")
    .Figure(new LineChart([new("theory", Doubles(factors), ratios), new("measured", Doubles(factors), measured)])
    {
        Title = "Variance of the score function over that of the reparameterised slope", XLabel = "factors", YLabel = "times",
        LogX = true, LogY = true,
    }, "Why a VAE, whose code has many factors, is trained by reparameterisation.");
return lesson.End();

// With c = sum over the other h - 1 factors of z^2, c (z - mu) / sigma^2 is added: mean 0, variance E[c^2] / sigma^2, and a covariance with
// z^2 (z - mu) / sigma^2 of E[c] E[z^2 (z - mu)^2] / sigma^4.
double OthersVariance(int h)
{
    double mean = (h - 1) * (m2 + s2), square = mean * mean + (h - 1) * (4 * m2 * s2 + 2 * s2 * s2);
    return square / s2 + 2 * mean * (m2 + 3 * s2) / s2;
}

double[] Score(int h)
{
    var values = new double[Draws / 4];
    for (int i = 0; i < values.Length; i++)
    {
        double sum = 0, first = 0;
        for (int k = 0; k < h; k++)
        {
            double z = Mu + Sigma * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            sum += z * z;
            first = k == 0 ? z : first;
        }
        values[i] = sum * (first - Mu) / s2;
    }
    return values;
}

static double[] Doubles(int[] values) => Array.ConvertAll(values, v => (double)v);

static double Variance(double[] values)
{
    double mean = values.Average();
    return values.Average(v => (v - mean) * (v - mean));
}

LineChart Histogram()
{
    double[] centres = [.. Enumerable.Range(0, 81).Select(i => -10 + 0.3 * i)];
    double[] Share(double[] values) => [.. centres.Select(c => values.Count(v => Math.Abs(v - c) < 0.15) / (0.3 * Draws))];
    return new([new("reparameterised", centres, Share(path)), new("score function", centres, Share(score))])
    {
        XLabel = "slope", YLabel = "density",
    };
}
