using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Theory;

/// <summary>A code of a Gaussian source, measured.</summary>
/// <param name="Factors">Principal components that the code describes.</param>
/// <param name="Information">I(x; z) by (I2), nats; exact here up to sampling, as q(z) is Gaussian.</param>
/// <param name="SquaredError">Of E[x|z], mean over points and dimensions.</param>
/// <param name="Bound">(T4): no reconstruction from so much information has a smaller error.</param>
internal sealed record GaussianCode(int Factors, double Information, double SquaredError, double Bound);

/// <summary>
/// x ~ N(0, S) with a known differential entropy, so that the reconstruction bound (T4) of paper 1, theorem 4 can be computed and compared
/// with what codes reach.
/// </summary>
internal sealed class GaussianSource
{
    private const ulong SourceStream = 0x67_61_75_73;
    private readonly Evd<double> spectrum;

    /// <param name="covariance">S, [D, D], symmetric and positive definite.</param>
    public GaussianSource(Matrix<double> covariance)
    {
        spectrum = covariance.Evd(Symmetricity.Symmetric);
        if (!(Variances[0] > 1e-12 * Variances[^1]))
            throw new EstimatorException(
                $"gaussian source: the covariance has eigenvalues from {Variances[0]} to {Variances[^1]}; it must be positive definite");
    }

    /// <summary>The dimensions of the source, D.</summary>
    public int Dimensions => spectrum.EigenValues.Count;

    /// <summary>Variances of the principal components, ascending.</summary>
    public IReadOnlyList<double> Variances => [.. spectrum.EigenValues.Select(e => e.Real).Order()];

    /// <summary>h(X) = 1/2 sum log(2 pi e lambda), nats.</summary>
    public double Entropy => Variances.Sum(v => 0.5 * Math.Log(2 * Math.PI * Math.E * v));

    /// <summary>
    /// Encodes draws of the source by its largest principal components, each with the noise that leaves a reconstruction error of
    /// <paramref name="distortion"/> in it:
    /// the optimal code when that is below every variance, and then the bound is met.
    /// </summary>
    /// <param name="factors">Components in the code; the others are reconstructed as their mean.</param>
    /// <param name="distortion">Below the variance of every component in the code.</param>
    public GaussianCode Encode(IBackend backend, int factors, double distortion, int points, ulong seed)
    {
        int d = Dimensions;
        var variances = Variances;
        if (factors < 1 || factors > d || !(distortion > 0 && distortion < variances[d - factors]))
            throw new EstimatorException(
                $"gaussian source: {factors} of {d} factors at distortion {distortion}; expected 1 to {d}, and a distortion between 0 "
                + $"and the smallest variance in the code");
        var random = SeededRandom.Create(seed, SourceStream);
        var (mu, logVar) = (new float[points * factors], new float[points * factors]);
        double error = 0;
        for (int m = 0; m < points; m++)
            for (int c = 0; c < d; c++)
            {
                double lambda = variances[c], x = Math.Sqrt(lambda) * Normal();
                int h = d - 1 - c;
                if (h >= factors)
                {
                    error += x * x;
                    continue;
                }
                // z | x ~ N((1 - D / lambda)^1/2 x / lambda^1/2, D / lambda): q(z) is N(0, 1), and E[x|z] misses x by D in the mean square.
                double share = distortion / lambda, gain = Math.Sqrt((1 - share) / lambda);
                (mu[m * factors + h], logVar[m * factors + h]) = ((float)(gain * x), (float)Math.Log(share));
                double z = gain * x + Math.Sqrt(share) * Normal(), reconstructed = gain * lambda * z;
                error += (x - reconstructed) * (x - reconstructed);
            }
        double information = Indicators.Compute(backend, new(points, factors, mu, logVar)).Information;
        return new(factors, information, error / ((double)points * d), InformationBounds.SquaredError(Entropy, information, d));

        double Normal() => MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
    }
}
