using MathNet.Numerics.LinearAlgebra;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Theory;

/// <summary>One code of Gaussian factors, as estimators and a disentanglement metric see it.</summary>
/// <param name="Information">I(x; z) by (X1).</param>
/// <param name="TotalCorrelation">The total correlation of the code (X3), nats.</param>
/// <param name="BetaVae">The beta-VAE score of the code (M6).</param>
internal sealed record CodeView(Estimate Information, Estimate TotalCorrelation, Score BetaVae);

/// <summary>
/// (R2), paper 2, theorem 4 made runnable: independent Gaussian factors y seen through z = Q y + noise with an orthogonal Q. Information
/// and total correlation do not
/// depend on Q, the beta-VAE score does.
/// </summary>
internal static class FactorEquivalence
{
    private const ulong FactorStream = 0x66_61_63_74;
    private const ulong RotationStream = 0x72_6f_74_61;

    /// <summary>Values of a factor are cut into this many classes of equal frequency, as the metric fixes a factor at a class.</summary>
    private const int Classes = 50;

    /// <summary>Draws of N(0, I), [points, factors].</summary>
    public static float[] Factors(int points, int factors, ulong seed)
    {
        var random = SeededRandom.Create(seed, FactorStream);
        var y = new float[points * factors];
        for (int i = 0; i < y.Length; i++)
            y[i] = (float)MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
        return y;
    }

    /// <summary>A random orthogonal matrix: the Q of a Gaussian matrix.</summary>
    public static Matrix<double> Rotation(int factors, ulong seed)
    {
        var random = SeededRandom.Create(seed, RotationStream);
        return Matrix<double>.Build.Dense(factors, factors, (_, _) => MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1)).QR().Q;
    }

    /// <summary>
    /// The rotation of each pair of neighbouring factors by an angle; with a quarter turn's half the metric cannot tell the two of a pair
    /// apart.
    /// </summary>
    public static Matrix<double> PairRotation(int factors, double angle)
    {
        var q = Matrix<double>.Build.DenseIdentity(factors);
        for (int i = 0; i + 1 < factors; i += 2)
        {
            (q[i, i], q[i, i + 1]) = (Math.Cos(angle), Math.Sin(angle));
            (q[i + 1, i], q[i + 1, i + 1]) = (-Math.Sin(angle), Math.Cos(angle));
        }
        return q;
    }

    /// <summary>
    /// Encodings mu = sqrt(1 - s2) Q y with variance s2 in every factor: the aggregate posterior is N(0, I) whatever Q is.
    /// </summary>
    /// <param name="y">[points, factors].</param>
    /// <param name="variance">s2, in (0, 1): each factor carries -1/2 log s2 nats.</param>
    public static Encodings Encode(ReadOnlySpan<float> y, Matrix<double> rotation, double variance)
    {
        int factors = rotation.RowCount, points = y.Length / factors;
        var (mu, logVar) = (new float[y.Length], new float[y.Length]);
        double scale = Math.Sqrt(1 - variance);
        Array.Fill(logVar, (float)Math.Log(variance));
        for (int m = 0; m < points; m++)
            for (int h = 0; h < factors; h++)
            {
                double z = 0;
                for (int f = 0; f < factors; f++)
                    z += rotation[h, f] * y[m * factors + f];
                mu[m * factors + h] = (float)(scale * z);
            }
        return new(points, factors, mu, logVar);
    }

    /// <summary>Measures the code that a rotation gives.</summary>
    /// <param name="y">[points, factors].</param>
    public static CodeView Measure(IBackend backend, ReadOnlySpan<float> y, Matrix<double> rotation, double variance, ulong seed)
    {
        var encodings = Encode(y, rotation, variance);
        var mixture = MixtureInformation.Compute(backend, encodings, seed);
        var codes = new LabelledCodes(encodings.Points, encodings.Mu, ClassesOf(y, rotation.RowCount));
        return new(mixture.Information, mixture.TotalCorrelation, Score.Over(seed, s => BetaVaeScore.Compute(codes, s)));
    }

    /// <summary>
    /// The metric's statistic E |z1 - z2| of each code when factor <paramref name="fixedFactor"/> is equal in both and the others are drawn
    /// anew, by simulation.
    /// </summary>
    public static double[] FixedFactorDifference(Matrix<double> rotation, int fixedFactor, int pairs, ulong seed)
    {
        int factors = rotation.RowCount;
        // The fixed factor cancels in the difference, whatever it is.
        var difference = Factors(pairs, factors, seed).Zip(Factors(pairs, factors, seed + 1), (a, b) => (double)a - b).ToArray();
        var mean = new double[factors];
        for (int p = 0; p < pairs; p++)
            for (int h = 0; h < factors; h++)
            {
                double z = 0;
                for (int f = 0; f < factors; f++)
                    z += f == fixedFactor ? 0 : rotation[h, f] * difference[p * factors + f];
                mean[h] += Math.Abs(z) / pairs;
            }
        return mean;
    }

    private static int[] ClassesOf(ReadOnlySpan<float> y, int factors)
    {
        int points = y.Length / factors;
        var classes = new int[y.Length];
        var column = new float[points];
        for (int f = 0; f < factors; f++)
        {
            for (int m = 0; m < points; m++)
                column[m] = y[m * factors + f];
            int[] bins = Samples.Binning.EqualFrequency(column, Classes);
            for (int m = 0; m < points; m++)
                classes[m * factors + f] = bins[m];
        }
        return classes;
    }
}
