using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Theory;

/// <summary>A code of labels, measured.</summary>
/// <param name="Information">I(Y; Z), nats, by the mixture.</param>
/// <param name="CodeInformation">I(X; Z), nats, by the mixture: never below I(Y; Z).</param>
/// <param name="Error">Of the best classifier of Y from Z.</param>
/// <param name="Bound">(R3) with I(Y; Z).</param>
/// <param name="WeakerBound">(R3) with I(X; Z), as paper 1 applies it.</param>
internal sealed record LabelCode(double Spread, double Information, double CodeInformation, double Error, double Bound, double WeakerBound);

/// <summary>(R3), paper 1, theorem 5 made runnable: K equally likely labels on a line, seen through a posterior of a given width.</summary>
internal static class LabelChannel
{
    private const ulong Stream = 0x66_61_6e_6f;

    /// <param name="labels">K.</param>
    /// <param name="spread">Standard deviation of q(z|x), in distances between neighbouring labels.</param>
    public static LabelCode Measure(IBackend backend, int labels, double spread, int points, ulong seed)
    {
        var random = SeededRandom.Create(seed, Stream);
        var (mu, logVar, y) = (new float[points], new float[points], new int[points]);
        int wrong = 0;
        for (int m = 0; m < points; m++)
        {
            y[m] = m % labels;
            (mu[m], logVar[m]) = (y[m], (float)(2 * Math.Log(spread)));
            double z = y[m] + spread * MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
            // Equal weights and widths: the nearest label is the most probable one.
            wrong += Math.Clamp((int)Math.Round(z), 0, labels - 1) == y[m] ? 0 : 1;
        }
        double information = InformationMetrics.SampledInformation(backend, new(points, mu, y, default, logVar), seed)[0, 0];
        double ofCode = MixtureInformation.Compute(backend, new(points, 1, mu, logVar), seed).Information.Value;
        double entropy = Math.Log(labels);
        return new(spread, information, ofCode, (double)wrong / points, InformationBounds.Fano(entropy, information, labels),
            InformationBounds.Fano(entropy, ofCode, labels));
    }
}
