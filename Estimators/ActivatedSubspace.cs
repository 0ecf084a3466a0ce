namespace VaeFromScratch.Estimators;

/// <summary>How strongly a class uses each factor of a mixture posterior (paper 4, section 3.2; equations.md (G6)).</summary>
/// <param name="FStatistic">Var_{x|k}[mu_kj(x)] / E_{x|k}[v_kj(x)], [K, H].</param>
/// <param name="VNat">log E_{x|k}[v0_kj / v_kj(x)], nats, v0 the prior's variance, [K, H].</param>
/// <param name="Points">Images behind all of it.</param>
internal sealed record ActivatedSubspace(double[,] FStatistic, double[,] VNat, long Points)
{
    /// <summary>delta of the paper's CIFAR-10 run.</summary>
    public const double FThreshold = 0.1;

    /// <summary>Nats above which V-nat calls a factor activated.</summary>
    public const double VNatThreshold = 1;

    public int Classes => FStatistic.GetLength(0);

    public int Factors => FStatistic.GetLength(1);

    /// <summary>The factors that a class activates by the F-statistic.</summary>
    public int[] ByF(int k, double threshold = FThreshold) => [.. Enumerable.Range(0, Factors).Where(j => FStatistic[k, j] > threshold)];

    /// <summary>The factors that a class activates by V-nat.</summary>
    public int[] ByVNat(int k, double threshold = VNatThreshold) => [.. Enumerable.Range(0, Factors).Where(j => VNat[k, j] > threshold)];

    /// <summary>
    /// The right-hand side of the paper's Theorem 1 less E KL^u, nats. Below 0 where the theorem does not apply: it assumes that the
    /// aggregate of each component has the
    /// prior's mean and variance.
    /// </summary>
    /// <param name="weights">w_k of the prior.</param>
    /// <param name="klUpperBound">E KL^u.</param>
    /// <param name="categoryKl">E KL(w(.|x) || w).</param>
    public double Slack(double[] weights, double klUpperBound, double categoryKl)
    {
        double bound = categoryKl;
        for (int k = 0; k < Classes; k++)
            for (int j = 0; j < Factors; j++)
                bound += 0.5 * weights[k] * VNat[k, j];
        return bound - klUpperBound;
    }
}

/// <summary>
/// Collects an <see cref="ActivatedSubspace"/> from posteriors a batch at a time. Image x counts for class k by p(x|k), proportional to
/// w(k|x).
/// </summary>
/// <param name="priorVariances">v0_kj, [K][H].</param>
internal sealed class ActivatedSubspaceSums(double[][] priorVariances)
{
    private const int Moments = 4;

    private readonly int classes = priorVariances.Length, factors = priorVariances[0].Length;
    private readonly double[] weights = new double[priorVariances.Length];
    private readonly double[] sums = new double[priorVariances.Length * priorVariances[0].Length * Moments];
    private long points;

    /// <param name="probabilities">w(k|x), [rows, K].</param>
    /// <param name="mu">mu_kj(x), [rows, K H].</param>
    /// <param name="logVar">log v_kj(x), [rows, K H].</param>
    /// <exception cref="EstimatorException">The sizes do not agree.</exception>
    public void Add(ReadOnlySpan<float> probabilities, ReadOnlySpan<float> mu, ReadOnlySpan<float> logVar)
    {
        int rows = probabilities.Length / classes;
        if (probabilities.Length != rows * classes || mu.Length != probabilities.Length * factors || logVar.Length != mu.Length)
            throw new EstimatorException(
                $"activated subspace: {probabilities.Length} weights, {mu.Length} means and {logVar.Length} variances do not fit "
                + $"{classes} classes and {factors} factors");
        for (int pair = 0; pair < probabilities.Length; pair++)
        {
            int k = pair % classes;
            double w = probabilities[pair];
            weights[k] += w;
            for (int j = 0; j < factors; j++)
            {
                double m = mu[pair * factors + j], v = Math.Exp(logVar[pair * factors + j]);
                var sum = sums.AsSpan((k * factors + j) * Moments, Moments);
                sum[0] += w * m;
                sum[1] += w * m * m;
                sum[2] += w * v;
                sum[3] += w * priorVariances[k][j] / v;
            }
        }
        points += rows;
    }

    /// <exception cref="EstimatorException">A class has no weight in any image.</exception>
    public ActivatedSubspace Result()
    {
        var result = new ActivatedSubspace(new double[classes, factors], new double[classes, factors], points);
        for (int k = 0; k < classes; k++)
            for (int j = 0; j < factors; j++)
            {
                if (!(weights[k] > 0))
                    throw new EstimatorException($"activated subspace: none of {points} images has any weight in class {k}");
                var sum = sums.AsSpan((k * factors + j) * Moments, Moments);
                double mean = sum[0] / weights[k], variance = Math.Max(0, sum[1] / weights[k] - mean * mean);
                result.FStatistic[k, j] = variance / (sum[2] / weights[k]);
                result.VNat[k, j] = Math.Log(sum[3] / weights[k]);
            }
        return result;
    }
}
