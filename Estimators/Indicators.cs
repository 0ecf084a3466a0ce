using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators;

/// <summary>What one latent factor carries, from two moments of its encodings. Nats; population variances.</summary>
public sealed record FactorIndicators
{
    /// <summary>A factor is active when Var_x mu exceeds this (M8).</summary>
    public const double ActiveVariance = 0.01;

    /// <summary>A factor is influential when its information exceeds this, nats (D8).</summary>
    public const double InfluentialInformation = 0.5;

    /// <summary>A factor has normal variance when |s* - 1| is below this (D8).</summary>
    public const double NormalVarianceTolerance = 0.1;

    /// <param name="factor">Index from 0.</param>
    /// <param name="meanVariance">mean_m sigma^2.</param>
    /// <param name="meanSquare">mean_m mu^2.</param>
    /// <param name="mean">mean_m mu.</param>
    /// <param name="meanLogVar">mean_m log sigma^2.</param>
    /// <param name="points">M. A single posterior is its own aggregate: its information is 0, and all of its KL is the aggregate's.</param>
    /// <exception cref="EstimatorException">The moments belong to no set of encodings.</exception>
    public FactorIndicators(int factor, double meanVariance, double meanSquare, double mean, double meanLogVar, long points = long.MaxValue)
    {
        if (!double.IsFinite(meanVariance) || !double.IsFinite(meanSquare) || !double.IsFinite(meanLogVar))
            throw new EstimatorException(
                $"indicators: the sums of factor {factor} are not finite (mean variance {meanVariance}, mean square {meanSquare}, mean "
                + $"logvar {meanLogVar}); check the encodings for overflow");
        Factor = factor;
        MeanVariance = meanVariance;
        Mean = mean;
        VarianceOfMean = Math.Max(0, meanSquare - mean * mean);
        AggregateVariance = meanVariance + meanSquare;
        Information = NotNegative(factor, "(I2)", 0.5 * (Math.Log(AggregateVariance) - meanLogVar));
        CentredInformation = NotNegative(factor, "(I4)", 0.5 * (Math.Log(meanVariance + VarianceOfMean) - meanLogVar));
        VarianceRatioInformation = 0.5 * Math.Log(1 + VarianceOfMean / meanVariance);
        Kl = 0.5 * (AggregateVariance - 1 - meanLogVar);
        AggregateKl = 0.5 * (AggregateVariance - 1 - Math.Log(AggregateVariance));
        if (points == 1)
            (Information, CentredInformation, VarianceRatioInformation, AggregateKl) = (0, 0, 0, Kl);
    }

    /// <summary>Index from 0.</summary>
    public int Factor { get; }

    /// <summary>
    /// (I2): 1/2 (log s* - mean log sigma^2). An upper bound of I(x; z_h), exact when the aggregate posterior is N(0, s*).
    /// </summary>
    public double Information { get; }

    /// <summary>(I4): as (I2) around the mean of mu; an upper bound, never above (I2).</summary>
    public double CentredInformation { get; }

    /// <summary>
    /// (I5): 1/2 log(1 + Var mu / mean sigma^2), never above (I4). Neither bound unless the aggregate posterior is Gaussian.
    /// </summary>
    public double VarianceRatioInformation { get; }

    /// <summary>(I1): s* = mean (sigma^2 + mu^2), the variance of the closest zero-mean Gaussian.</summary>
    public double AggregateVariance { get; }

    /// <summary>The mean posterior variance over the points, mean_m sigma^2.</summary>
    public double MeanVariance { get; }

    /// <summary>The mean of mu over the points.</summary>
    public double Mean { get; }

    /// <summary>The variance of mu over the points.</summary>
    public double VarianceOfMean { get; }

    /// <summary>This factor's part of (D1): mean_m KL(q(z_h|x_m) || N(0, 1)).</summary>
    public double Kl { get; }

    /// <summary>This factor's part of (D5): KL(N(0, s*) || N(0, 1)).</summary>
    public double AggregateKl { get; }

    /// <summary>(D7): <see cref="Kl"/> - <see cref="AggregateKl"/>; equals (I2).</summary>
    public double KlInformation => Kl - AggregateKl;

    /// <summary>Whether the factor is an active unit (M8): its mean varies by more than 0.01.</summary>
    public bool Active => VarianceOfMean > ActiveVariance;

    /// <summary>
    /// (D8), by the smaller upper bound (I4): around a mean far from 0, (I2) is large for a code that says nothing. The two are equal where
    /// the mean is 0.
    /// </summary>
    public bool Influential => CentredInformation > InfluentialInformation;

    /// <summary>Whether the aggregate variance is near 1 (D8).</summary>
    public bool NormalVariance => Math.Abs(AggregateVariance - 1) < NormalVarianceTolerance;

    private static double NotNegative(int factor, string tag, double value)
    {
        // exp in float32 is good to 1e-7, so that a factor without information can come out below 0 by that much and no more.
        if (!(value >= -1e-5))
            throw new EstimatorException(
                $"indicators: {tag} of factor {factor} is {value} nats and cannot be negative; check that logvar holds log variances, "
                + $"not standard deviations");
        return Math.Max(0, value);
    }
}

/// <summary>The indicators (I1)-(I5), (D1)-(D8) and (M8) of equations.md for a set of encodings, nats per point.</summary>
public sealed record Indicators(long Points, IReadOnlyList<FactorIndicators> Factors)
{
    /// <summary>(I3): the sum of (I2); an upper bound of I(x; z).</summary>
    public double Information => Factors.Sum(f => f.Information);

    /// <summary>The sum of (I4); an upper bound of I(x; z).</summary>
    public double CentredInformation => Factors.Sum(f => f.CentredInformation);

    /// <summary>Whether the codes' means are so far from 0 that (I2) is much above the other upper bound, (I4).</summary>
    internal bool IsOffCentre => Information - CentredInformation > 0.1 * Information + 0.0005;

    /// <summary>The sum that is said first where people read it, and its tag.</summary>
    internal (double Nats, string Equation) Leading => IsOffCentre ? (CentredInformation, "(I4)") : (Information, "(I2)");

    /// <summary>(D1): mean KL to the prior.</summary>
    public double Dtilde => Factors.Sum(f => f.Kl);

    /// <summary>(D4) = (D1) - (I3).</summary>
    public double D4 => Dtilde - Information;

    /// <summary>(D5); equals (D4).</summary>
    public double D5 => Factors.Sum(f => f.AggregateKl);

    /// <summary>(D6) = (D1) - (D5); equals (I3).</summary>
    public double D6 => Dtilde - D5;

    /// <summary>How many factors have an aggregate variance near 1 (D8).</summary>
    public int NormalVarianceFactors => Factors.Count(f => f.NormalVariance);

    public int InfluentialFactors => Factors.Count(f => f.Influential);

    /// <summary>How many factors are active units (M8).</summary>
    public int ActiveUnits => Factors.Count(f => f.Active);

    /// <summary>Factors by falling (I2), ties by index.</summary>
    public IReadOnlyList<FactorIndicators> Ranked => [.. Factors.OrderByDescending(f => f.Information).ThenBy(f => f.Factor)];

    /// <summary>All indicators in one pass over the encodings.</summary>
    /// <exception cref="EstimatorException">An entry is not finite or a variance overflows.</exception>
    public static Indicators Compute(IBackend backend, Encodings encodings)
    {
        using var moments = new MomentAccumulator(backend, encodings.Factors);
        moments.Add(encodings.Mu.Span, encodings.LogVar.Span);
        return moments.Result();
    }
}
