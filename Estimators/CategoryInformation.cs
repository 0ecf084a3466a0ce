namespace VaeFromScratch.Estimators;

/// <summary>(C3): what a categorical code says about its input, nats.</summary>
/// <param name="Information">I(x; y) = H(mean p(y|x)) - mean H(p(y|x)), between 0 and log K; exact for the points given.</param>
/// <param name="CodeEntropy">H(mean_n p(y|x_n)).</param>
/// <param name="ConditionalEntropy">mean_n H(p(y|x_n)).</param>
/// <param name="MeanProbabilities">p(y), [K].</param>
public sealed record CategoryInformation(Estimate Information, double CodeEntropy, double ConditionalEntropy, IReadOnlyList<double> MeanProbabilities)
{
    /// <exception cref="EstimatorException">There is no category, or a row is no probability distribution.</exception>
    public static CategoryInformation Compute(Encodings encodings) => Compute(encodings.Probabilities.Span, encodings.Categories);

    /// <param name="probabilities">p(y|x), [M, K].</param>
    /// <param name="categories">K.</param>
    /// <exception cref="EstimatorException">There is no category, or a row is no probability distribution.</exception>
    public static CategoryInformation Compute(ReadOnlySpan<float> probabilities, int categories)
    {
        if (categories < 1 || probabilities.Length == 0 || probabilities.Length % categories != 0)
            throw new EstimatorException($"category information: {probabilities.Length} probabilities of {categories} categories; give rows of K probabilities");
        int points = probabilities.Length / categories;
        var mean = MeanOf(probabilities, categories);
        double conditional = 0;
        // The mean of KL(p(y|x_n) || p(y)) is (C3) term by term: it cannot cancel below 0 and its spread gives the error bar.
        var information = new RunningMean();
        for (int n = 0; n < points; n++)
        {
            var row = probabilities.Slice(n * categories, categories);
            double entropy = 0, kl = 0;
            for (int k = 0; k < categories; k++)
                if (row[k] > 0)
                {
                    entropy -= row[k] * Math.Log(row[k]);
                    kl += row[k] * Math.Log(row[k] / mean[k]);
                }
            conditional += entropy / points;
            information.Add(kl);
        }
        double ceiling = Math.Log(categories);
        // Probabilities are float32 and sum to 1 within rounding, and so is the ceiling met.
        if (!(information.Mean >= -1e-3 && information.Mean <= ceiling + 1e-3))
            throw new EstimatorException($"category information: {information.Mean} nats lies outside 0 to log {categories} = {ceiling:G6}; check that every row of probabilities sums to 1");
        double value = Math.Clamp(information.Mean, 0, ceiling);
        return new(new(value, information.StandardError, BoundKind.Lower, ceiling, points), Entropy(mean), conditional, mean);
    }

    /// <summary>p(y) = mean_n p(y|x_n), after a check of every row.</summary>
    internal static double[] MeanOf(ReadOnlySpan<float> probabilities, int categories)
    {
        var mean = new double[categories];
        int points = probabilities.Length / categories;
        for (int n = 0; n < points; n++)
        {
            double sum = 0;
            for (int k = 0; k < categories; k++)
            {
                float p = probabilities[n * categories + k];
                if (!(p >= 0 && p <= 1.001f))
                    throw new EstimatorException($"category information: the probability of category {k} in row {n} is {p}; expected 0 to 1, give probabilities, not logits");
                sum += p;
                mean[k] += p;
            }
            if (Math.Abs(sum - 1) > 1e-3)
                throw new EstimatorException($"category information: the probabilities of row {n} sum to {sum}; expected 1 within 0.001, give probabilities, not logits");
        }
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

/// <summary>Information of a code with both a category y and continuous factors z, by the mixture (X3), nats.</summary>
/// <param name="Information">I(x; y, z).</param>
/// <param name="TotalCorrelation">TC(y; z_1 .. z_H): mean of log q(y, z) - log p(y) - sum_h log q(z_h).</param>
public sealed record JointCodeInformation(Estimate Information, Estimate TotalCorrelation);

/// <summary>Collects <see cref="JointCodeInformation"/> from the blocks of a mixture: one y ~ p(y|x) is drawn per point beside its z.</summary>
internal sealed class JointCodeSums
{
    // Keeps log p finite; a category that a posterior rules out weighs e^-69.
    private const float SmallestProbability = 1e-30f;

    private readonly MixtureDensities densities;
    private readonly int factors;
    private readonly int categories;
    private readonly int points;
    private readonly int[] drawn;
    private readonly float[] logProbabilities;
    private readonly double[] mean;
    private RunningMean information, totalCorrelation;

    public JointCodeSums(MixtureDensities densities, Encodings encodings)
    {
        this.densities = densities;
        (factors, categories, points) = (encodings.Factors, encodings.Categories, encodings.Points);
        var probabilities = encodings.Probabilities.Span;
        mean = CategoryInformation.MeanOf(probabilities, categories);
        var u = densities.Uniform();
        drawn = new int[points];
        logProbabilities = new float[categories * points];
        for (int n = 0; n < points; n++)
        {
            var row = probabilities.Slice(n * categories, categories);
            drawn[n] = Draw(row, u[n]);
            for (int k = 0; k < categories; k++)
                logProbabilities[k * points + n] = MathF.Log(MathF.Max(row[k], SmallestProbability));
        }
    }

    public void Add(MixtureBlock block)
    {
        var y = drawn.AsSpan(block.First, block.Rows);
        var joint = new float[block.Rows];
        densities.WithCategories(block, logProbabilities, y, joint);
        for (int r = 0; r < block.Rows; r++)
        {
            double own = logProbabilities[y[r] * points + block.First + r], marginals = Math.Log(mean[y[r]]);
            for (int h = 0; h < factors; h++)
            {
                own += block.Own[r * factors + h];
                marginals += block.Marginal[r * factors + h];
            }
            information.Add(own - joint[r]);
            totalCorrelation.Add(joint[r] - marginals);
        }
    }

    public JointCodeInformation Result(int points)
    {
        var result = new JointCodeInformation(information.ToEstimate(BoundKind.Lower, Math.Log(points)), totalCorrelation.ToEstimate(BoundKind.Neither, double.PositiveInfinity));
        MixtureInformation.CheckInformation("I(x; y, z)", result.Information, factors);
        MixtureInformation.CheckNotNegative("the total correlation of y and z", result.TotalCorrelation, factors);
        return result;
    }

    /// <summary>The category at quantile <paramref name="u"/>; never one of probability 0.</summary>
    private static int Draw(ReadOnlySpan<float> probabilities, float u)
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
