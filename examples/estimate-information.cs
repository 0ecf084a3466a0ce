#:project ../Reports/Reports.csproj
#:property PublishAot=false
// Mutual information of encodings of any origin, and of pairs of samples: dotnet run -c Release examples/estimate-information.cs [FILE]
// FILE is a CSV or npz with mu and logvar, as `vae encode` writes it; without one, encodings are made whose information is known.
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Estimators.Samples;

const int Points = 3000;
using var compute = Compute.Open("auto");

// Three factors. The encoder puts mu ~ N(0, v) with variance 1, so that a factor carries 1/2 log(1 + v) nats about its input.
double[] planted = [1.5, 0.7, 0];
var (mu, z) = Draw(planted);
var encodings = args.Length > 0 ? Encodings.From(EncodingsFile.Read(args[0]))
    : new Encodings(Points, planted.Length, mu, new float[mu.Length]);

var indicators = Indicators.Compute(compute.Backend, encodings);
var mixture = MixtureInformation.Compute(compute.Backend, encodings, seed: 1);
Console.WriteLine($"all factors: {indicators.Information:F3} nats, an upper bound");
Show("all factors, by the mixture of all encodings", mixture.Information);
foreach (var factor in indicators.Ranked)
    Show($"factor {factor.Factor}: {factor.Information:F3} nats, an upper bound; by the mixture",
        mixture.Factors[factor.Factor].Information);
if (args.Length > 0)
    return 0;

// Pairs of samples of the first factor, of which no encoder is known.
float[] x = [.. mu.Where((_, i) => i % 3 == 0)], y = [.. z.Where((_, i) => i % 3 == 0)];
var neighbours = SampleInformation.Kraskov(x, 1, y, 1);
Console.WriteLine($"planted: {planted[0]:F3} nats in the first factor");
Show("from pairs, by nearest neighbours", neighbours);
Show("from pairs, by InfoNCE, a critic", new InfoNce().Fit(compute, x, 1, y, 1, seed: 1));

double total = planted.Sum();
bool right = Math.Abs(indicators.Information - total) < 0.1 && Math.Abs(mixture.Information.Value - total) < 0.15
    && Math.Abs(neighbours.Value - planted[0]) < 0.15;
Console.WriteLine(right ? $"all near the planted {total:F2} nats" : $"not near the planted {total:F2} nats");
return right ? 0 : 1;

static void Show(string what, Estimate e) => Console.WriteLine($"{what}: {e.Value:F3} nats, standard error {e.StandardError:F3}"
    + (double.IsFinite(e.Ceiling) ? $", cannot exceed {e.Ceiling:F2}" : "") + $", {e.Bound.ToString().ToLowerInvariant()} bound");

(float[] Mu, float[] Z) Draw(double[] information)
{
    using var rng = new Rng(compute, seed: 1);
    using var tape = compute.Tape(gradients: false);
    float[] widths = [.. information.Select(i => (float)Math.Sqrt(Math.Exp(2 * i) - 1))];
    var means = rng.Normal(new(Points, information.Length)) * tape.Constant(new(information.Length), widths);
    return (means.ToArray(), (means + rng.Normal(means.Shape)).ToArray());
}
