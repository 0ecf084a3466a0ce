namespace VaeFromScratch.Estimators;

/// <summary>(C3): what a categorical code says about its input, nats.</summary>
/// <param name="Information">I(x; y) = H(mean p(y|x)) - mean H(p(y|x)), between 0 and log K; exact for the points given.</param>
/// <param name="CodeEntropy">H(mean_n p(y|x_n)).</param>
/// <param name="ConditionalEntropy">mean_n H(p(y|x_n)).</param>
/// <param name="MeanProbabilities">p(y), [K].</param>
public sealed record CategoryInformation(Estimate Information, double CodeEntropy, double ConditionalEntropy,
    IReadOnlyList<double> MeanProbabilities)
{
    /// <summary>The probabilities of a row, as files round them, may miss the sum of 1 by this much.</summary>
    private const double SumTolerance = 1e-2;

    /// <exception cref="EstimatorException">There is no category, or a row is no probability distribution.</exception>
    public static CategoryInformation Compute(Encodings encodings) => Compute(encodings.Probabilities.Span, encodings.Categories);

    /// <param name="probabilities">p(y|x), [M, K].</param>
    /// <param name="categories">K.</param>
    /// <exception cref="EstimatorException">There is no category, or a row is no probability distribution.</exception>
    public static CategoryInformation Compute(ReadOnlySpan<float> probabilities, int categories)
    {
        if (categories < 1 || probabilities.Length == 0 || probabilities.Length % categories != 0)
            throw new EstimatorException(
                $"category information: {probabilities.Length} probabilities of {categories} categories; give rows of K probabilities");
        var sums = new CategoryAccumulator(categories);
        sums.Add(probabilities);
        return sums.Result();
    }

    /// <summary>Every row after a check, made to sum to 1 in double precision.</summary>
    /// <param name="firstRow">The number of the first row in errors.</param>
    internal static double[] Checked(ReadOnlySpan<float> probabilities, int categories, long firstRow = 0)
    {
        var rows = new double[probabilities.Length];
        for (int from = 0; from < rows.Length; from += categories)
        {
            double sum = 0;
            for (int k = 0; k < categories; k++)
            {
                float p = probabilities[from + k];
                if (!(p >= 0 && p <= 1 + SumTolerance))
                    throw new EstimatorException(
                        $"category information: the probability of category {k} in row {firstRow + from / categories} is {p}; expected 0 "
                        + $"to 1, give probabilities, not logits");
                sum += p;
            }
            if (Math.Abs(sum - 1) > SumTolerance)
                throw new EstimatorException(
                    $"category information: the probabilities of row {firstRow + from / categories} sum to {sum}; expected 1 within "
                    + $"{SumTolerance}, give probabilities, not logits");
            for (int k = 0; k < categories; k++)
                rows[from + k] = probabilities[from + k] / sum;
        }
        return rows;
    }

    /// <summary>p(y) = mean_n p(y|x_n).</summary>
    internal static double[] MeanOf(ReadOnlySpan<double> rows, int categories)
    {
        var mean = new double[categories];
        for (int i = 0; i < rows.Length; i++)
            mean[i % categories] += rows[i];
        int points = rows.Length / categories;
        for (int k = 0; k < categories; k++)
            mean[k] /= points;
        return mean;
    }

    internal static double Entropy(ReadOnlySpan<double> probabilities)
    {
        double entropy = 0;
        foreach (double p in probabilities)
            if (p > 0)
                entropy -= p * Math.Log(p);
        return entropy;
    }
}

/// <summary>(C3) of a stream of any length, in one pass.</summary>
/// <param name="categories">K.</param>
internal sealed class CategoryAccumulator(int categories)
{
    // One more than the categories: the last is the negative entropy of a row. The error bar needs how they vary together.
    private readonly double[] sums = new double[categories + 1];
    private readonly double[,] products = new double[categories + 1, categories + 1];

    /// <summary>Rows added so far.</summary>
    public long Points { get; private set; }

    /// <summary>Adds whole rows.</summary>
    /// <param name="probabilities">p(y|x), [rows, K].</param>
    /// <exception cref="EstimatorException">A row is no probability distribution.</exception>
    public void Add(ReadOnlySpan<float> probabilities)
    {
        var rows = CategoryInformation.Checked(probabilities, categories, Points);
        var row = new double[categories + 1];
        for (int from = 0; from < rows.Length; from += categories, Points++)
        {
            rows.AsSpan(from, categories).CopyTo(row);
            row[categories] = -CategoryInformation.Entropy(rows.AsSpan(from, categories));
            for (int k = 0; k <= categories; k++)
            {
                sums[k] += row[k];
                for (int l = k; l <= categories; l++)
                    products[k, l] += row[k] * row[l];
            }
        }
    }

    /// <exception cref="EstimatorException">No rows, or information outside 0 to log K.</exception>
    public CategoryInformation Result()
    {
        if (Points == 0)
            throw new EstimatorException("category information: no rows were given; at least one is needed");
        double[] mean = [.. sums.Select(s => s / Points)];
        double[] probabilities = mean[..categories];
        double conditional = -mean[categories], entropy = CategoryInformation.Entropy(probabilities), ceiling = Math.Log(categories);
        double information = entropy - conditional;
        if (!(information >= -1e-9 && information <= ceiling + 1e-9))
            throw new EstimatorException(
                $"category information: {information} nats lies outside 0 to log {categories} = {ceiling:G6}; check the probabilities");
        return new(new(Math.Clamp(information, 0, ceiling), StandardError(mean), BoundKind.Lower, ceiling,
            (int)Math.Min(Points, int.MaxValue)), entropy, conditional, probabilities);
    }

    /// <summary>(C3) is the mean of KL(p(y|x_n) || p(y)) = -H(p(y|x_n)) - sum_k p(k|x_n) log p(k): its spread over the rows.</summary>
    private double StandardError(double[] mean)
    {
        if (Points < 2)
            return 0;
        double[] weights = [.. mean[..categories].Select(p => p > 0 ? -Math.Log(p) : 0), 1];
        double variance = 0;
        for (int k = 0; k <= categories; k++)
            for (int l = k; l <= categories; l++)
                variance += (k == l ? 1 : 2) * weights[k] * weights[l] * (products[k, l] / Points - mean[k] * mean[l]);
        return Math.Sqrt(Math.Max(0, variance) / (Points - 1));
    }
}

/// <summary>Information of a code with both a category y and continuous factors z, by the mixture (X3), nats.</summary>
/// <param name="Information">I(x; y, z).</param>
/// <param name="TotalCorrelation">TC(y; z_1 .. z_H): mean of log q(y, z) - log p(y) - sum_h log q(z_h).</param>
public sealed record JointCodeInformation(Estimate Information, Estimate TotalCorrelation);

/// <summary>
/// Collects <see cref="JointCodeInformation"/> from the blocks of a mixture: one y ~ p(y|x) is drawn per point beside its z.
/// </summary>
internal sealed class JointCodeSums
{
    // Keeps log p finite; a category that a posterior rules out weighs e^-69.
    private const double SmallestProbability = 1e-30;

    private readonly MixtureDensities densities;
    private readonly int factors;
    private readonly int categories;
    private readonly int points;
    private readonly int[] drawn;
    private readonly float[] logProbabilities;
    private readonly double[] mean;
    private RunningMean information, totalCorrelation, magnitude;

    public JointCodeSums(MixtureDensities densities, Encodings encodings)
    {
        this.densities = densities;
        (factors, categories, points) = (encodings.Factors, encodings.Categories, encodings.Points);
        var probabilities = CategoryInformation.Checked(encodings.Probabilities.Span, categories);
        mean = CategoryInformation.MeanOf(probabilities, categories);
        var u = densities.Uniform();
        drawn = new int[points];
        logProbabilities = new float[categories * points];
        for (int n = 0; n < points; n++)
        {
            var row = probabilities.AsSpan(n * categories, categories);
            drawn[n] = Draw(row, u[n]);
            for (int k = 0; k < categories; k++)
                logProbabilities[k * points + n] = (float)Math.Log(Math.Max(row[k], SmallestProbability));
        }
    }

    public void Add(MixtureBlock block)
    {
        var y = drawn.AsSpan(block.First, block.Rows);
        var joint = new float[block.Rows];
        densities.WithCategories(block, logProbabilities, y, joint);
        for (int r = 0; r < block.Rows; r++)
        {
            double own = logProbabilities[y[r] * points + block.First + r], marginals = Math.Log(mean[y[r]]), size = 0;
            for (int h = 0; h < factors; h++)
            {
                own += block.Own[r * factors + h];
                size += Math.Abs(block.Own[r * factors + h]);
                marginals += block.Marginal[r * factors + h];
            }
            magnitude.Add(size);
            information.Add(own - joint[r]);
            totalCorrelation.Add(joint[r] - marginals);
        }
    }

    public JointCodeInformation Result(int points)
    {
        var result = new JointCodeInformation(information.ToEstimate(BoundKind.Lower, Math.Log(points)),
            totalCorrelation.ToEstimate(BoundKind.Neither, double.PositiveInfinity));
        double rounding = MixtureInformation.Rounding(factors, magnitude.Mean);
        MixtureInformation.CheckInformation("I(x; y, z)", result.Information, rounding);
        MixtureInformation.CheckNotNegative("the total correlation of y and z", result.TotalCorrelation, rounding);
        return result;
    }

    /// <summary>The category at quantile <paramref name="u"/>; never one of probability 0.</summary>
    private static int Draw(ReadOnlySpan<double> probabilities, float u)
    {
        int last = 0;
        double sum = 0;
        for (int k = 0; k < probabilities.Length; k++)
            if (probabilities[k] > 0)
            {
                last = k;
                sum += probabilities[k];
                if (u < sum)
                    break;
            }
        return last;
    }
}
