using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace VaeFromScratch.Estimators;

/// <summary>
/// A mixture of Gaussians with full covariances fitted to codes by expectation maximisation, for sampling from the aggregate posterior in
/// place of the prior (Ghosh et al. 2020).
/// </summary>
internal sealed class GaussianMixtureFit
{
    private const int MostRounds = 100;
    private const double Converged = 1e-4, Ridge = 1e-6;
    private const ulong FitStream = 0x67_6d_6d_66, DrawStream = 0x67_6d_6d_73;

    private readonly double[] weights;
    private readonly Vector<double>[] means;
    private readonly Cholesky<double>[] covariances;

    private GaussianMixtureFit(double[] weights, Vector<double>[] means, Cholesky<double>[] covariances) =>
        (this.weights, this.means, this.covariances) = (weights, means, covariances);

    /// <summary>The number of components, K.</summary>
    public int Components => weights.Length;

    /// <summary>The components' weights pi_k, [K].</summary>
    public IReadOnlyList<double> Weights => weights;

    /// <summary>The mean of each component, [K] of [H].</summary>
    public IReadOnlyList<Vector<double>> Means => means;

    /// <param name="codes">One sample z ~ q(z|x) a point, [points, H].</param>
    /// <param name="components">K, at most the points.</param>
    /// <param name="seed">Of the points that the means start from.</param>
    /// <exception cref="EstimatorException">There are fewer points than components, or a code is not finite.</exception>
    public static GaussianMixtureFit Fit(Matrix<double> codes, int components, ulong seed)
    {
        int n = codes.RowCount;
        if (components < 1 || n < components)
            throw new EstimatorException(
                $"gaussian mixture: {components} components for {n} codes; give at least 1, and no more than there are codes");
        if (codes.Enumerate().Any(v => !double.IsFinite(v)))
            throw new EstimatorException("gaussian mixture: a code is not finite; check the encodings");
        var responsibilities = NearestOf(codes, SeededRandom.Create(seed, FitStream).Draw(n, components));
        var fit = Maximise(codes, responsibilities);
        double before = double.NegativeInfinity;
        for (int round = 0; round < MostRounds; round++)
        {
            double now = fit.Expect(codes, responsibilities);
            if (now - before < Converged)
                break;
            before = now;
            fit = Maximise(codes, responsibilities);
        }
        return fit;
    }

    /// <summary>log density of each code, nats, [points].</summary>
    public double[] LogDensity(Matrix<double> codes)
    {
        double[,] all = Joint(codes);
        var result = new double[codes.RowCount];
        for (int i = 0; i < result.Length; i++)
            result[i] = LogSum(all, i);
        return result;
    }

    /// <summary>Draws, [count, H].</summary>
    public Matrix<double> Sample(int count, ulong seed)
    {
        var random = SeededRandom.Create(seed, DrawStream);
        var draws = Matrix<double>.Build.Dense(count, means[0].Count);
        for (int i = 0; i < count; i++)
        {
            double u = random.NextDouble();
            int k = 0;
            while (k < weights.Length - 1 && u >= weights[k])
                u -= weights[k++];
            var noise = Vector<double>.Build.Dense(means[0].Count, _ => MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1));
            draws.SetRow(i, means[k] + covariances[k].Factor * noise);
        }
        return draws;
    }

    /// <summary>The E-step of the fit.</summary>
    /// <returns>The mean log density, nats.</returns>
    private double Expect(Matrix<double> codes, double[,] responsibilities)
    {
        double[,] joint = Joint(codes);
        double sum = 0;
        for (int i = 0; i < codes.RowCount; i++)
        {
            double log = LogSum(joint, i);
            sum += log;
            for (int k = 0; k < weights.Length; k++)
                responsibilities[i, k] = Math.Exp(joint[i, k] - log);
        }
        return sum / codes.RowCount;
    }

    private static GaussianMixtureFit Maximise(Matrix<double> codes, double[,] responsibilities)
    {
        int k = responsibilities.GetLength(1), h = codes.ColumnCount;
        var (weights, means, covariances) = (new double[k], new Vector<double>[k], new Cholesky<double>[k]);
        double spread = Math.Max(1e-12, Enumerable.Range(0, h).Average(j => codes.Column(j).Select(v => v * v).Average()));
        for (int c = 0; c < k; c++)
        {
            var share = Vector<double>.Build.Dense(codes.RowCount, i => responsibilities[i, c]);
            double count = Math.Max(share.Sum(), 1e-9);
            weights[c] = count / codes.RowCount;
            means[c] = codes.TransposeThisAndMultiply(share) / count;
            var centred = Matrix<double>.Build.Dense(codes.RowCount, h, (i, j) => (codes[i, j] - means[c][j]) * Math.Sqrt(share[i]));
            covariances[c] = (centred.TransposeThisAndMultiply(centred) / count + Matrix<double>.Build.DenseDiagonal(h,
                Ridge * spread)).Cholesky();
        }
        double all = weights.Sum();
        return new([.. weights.Select(w => w / all)], means, covariances);
    }

    /// <summary>log pi_k + log N(z_i | k), [points, K].</summary>
    private double[,] Joint(Matrix<double> codes)
    {
        var result = new double[codes.RowCount, weights.Length];
        for (int k = 0; k < weights.Length; k++)
        {
            var mean = means[k];
            var centred = Matrix<double>.Build.Dense(mean.Count, codes.RowCount, (j, i) => codes[i, j] - mean[j]);
            var solved = covariances[k].Solve(centred);
            double constant = Math.Log(weights[k]) - 0.5 * (mean.Count * Math.Log(2 * Math.PI) + covariances[k].DeterminantLn);
            for (int i = 0; i < codes.RowCount; i++)
                result[i, k] = constant - 0.5 * centred.Column(i).DotProduct(solved.Column(i));
        }
        return result;
    }

    private static double LogSum(double[,] values, int row)
    {
        double largest = double.NegativeInfinity, sum = 0;
        for (int k = 0; k < values.GetLength(1); k++)
            largest = Math.Max(largest, values[row, k]);
        for (int k = 0; k < values.GetLength(1); k++)
            sum += Math.Exp(values[row, k] - largest);
        return largest + Math.Log(sum);
    }

    /// <summary>1 for the nearest of some points, [points, K].</summary>
    private static double[,] NearestOf(Matrix<double> codes, int[] chosen)
    {
        var result = new double[codes.RowCount, chosen.Length];
        for (int i = 0; i < codes.RowCount; i++)
            result[i, Enumerable.Range(0, chosen.Length).MinBy(k => (codes.Row(i) - codes.Row(chosen[k])).L2Norm())] = 1;
        return result;
    }
}
