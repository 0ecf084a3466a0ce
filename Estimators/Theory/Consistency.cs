using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Theory;

/// <summary>What the estimator of paper 1's theorem 6 gives for some number of points, nats.</summary>
/// <param name="Points">The number of encodings, M.</param>
/// <param name="Estimate">(I2), summed over the factors, on M draws.</param>
/// <param name="Information">I(x; z), exact.</param>
/// <param name="Gap">TC(q) + sum_h KL(q(z_h) || q*_h), exact: what the theorem assumes away.</param>
internal sealed record ConsistencyPoint(int Points, double Estimate, double Information, double Gap)
{
    /// <summary>What the estimate converges to (equations.md (I3)).</summary>
    public double Limit => Information + Gap;
}

/// <summary>
/// (R6): a code of two factors whose aggregate posterior is neither Gaussian nor independent, and known: each mean is -3, 0 or 3, the
/// second is a copy of the first in
/// half of the images, and every posterior has variance 1/4. All integrals are sums over a grid.
/// </summary>
internal static class Consistency
{
    private const double Spread = 3, Variance = 0.25, Copied = 0.5;
    private const ulong Stream = 0x63_6f_6e_73;
    private const int Values = 3;

    private static readonly Lazy<(double Information, double Gap)> Exact = new(Integrate);

    /// <summary>(I2) on draws of the code, beside what it converges to.</summary>
    /// <param name="points">M.</param>
    /// <param name="seed">Of the draws of x.</param>
    public static ConsistencyPoint Measure(IBackend backend, int points, ulong seed)
    {
        var random = SeededRandom.Create(seed, Stream);
        var (mu, logVar) = (new float[2 * points], new float[2 * points]);
        Array.Fill(logVar, (float)Math.Log(Variance));
        for (int m = 0; m < points; m++)
        {
            int first = random.Next(Values), second = random.NextDouble() < Copied ? first : random.Next(Values);
            (mu[2 * m], mu[2 * m + 1]) = ((float)Mean(first), (float)Mean(second));
        }
        var (information, gap) = Exact.Value;
        return new(points, Indicators.Compute(backend, new Encodings(points, 2, mu, logVar)).Information, information, gap);
    }

    /// <summary>I(x; z) = h(z) - h(z|x), and the gap by its definition, from the densities on a grid.</summary>
    private static (double Information, double Gap) Integrate()
    {
        double deviation = Math.Sqrt(Variance), reach = Spread + 8 * deviation, step = deviation / 20;
        int n = (int)Math.Ceiling(2 * reach / step);
        double[][] kernel = [.. Enumerable.Range(0, n).Select(i => Enumerable.Range(0, Values).Select(v =>
            Math.Exp(Gaussian.LogDensity(-reach + (i + 0.5) * step, Mean(v), Math.Log(Variance)))).ToArray())];
        double[] marginal = [.. kernel.Select(k => k.Sum() / Values)];
        double negativeEntropy = 0, totalCorrelation = 0, toGaussian = 0;
        // Both factors have the same marginal: a copy of a uniform value is uniform.
        double starVariance = Variance + Spread * Spread * 2 / Values;
        for (int i = 0; i < n; i++)
        {
            if (marginal[i] > 0)
                toGaussian += 2 * step * marginal[i] * (Math.Log(marginal[i]) - Gaussian.LogDensity(-reach + (i + 0.5) * step, 0,
                    Math.Log(starVariance)));
            for (int j = 0; j < n; j++)
            {
                double joint = Copied * Enumerable.Range(0,
                    Values).Sum(v => kernel[i][v] * kernel[j][v]) / Values + (1 - Copied) * marginal[i] * marginal[j];
                if (joint <= 0)
                    continue;
                negativeEntropy += step * step * joint * Math.Log(joint);
                totalCorrelation += step * step * joint * Math.Log(joint / (marginal[i] * marginal[j]));
            }
        }
        double conditional = Math.Log(2 * Math.PI * Math.E * Variance);
        return (-negativeEntropy - conditional, totalCorrelation + toGaussian);
    }

    private static double Mean(int value) => Spread * (value - 1);
}
