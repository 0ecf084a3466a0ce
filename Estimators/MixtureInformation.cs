using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators;

/// <summary>What the mixture of all posteriors says about one factor, nats.</summary>
/// <param name="Factor">Index from 0.</param>
/// <param name="Information">(I6): I(x; z_h).</param>
/// <param name="PriorKl">KL(q(z_h) || N(0, 1)) by (X2), from the same draws.</param>
public sealed record FactorMixture(int Factor, Estimate Information, Estimate PriorKl);

/// <summary>
/// Estimates that take q(z) to be what it is, the mixture of all posteriors: (I6), (X1)-(X3) of equations.md, without a Gaussian
/// assumption. Nats.
/// </summary>
/// <remarks>
/// One z_m ~ q(z|x_m) is drawn per point and its density taken under all M components, its own included, so that no information can exceed
/// log M. The values are
/// unbiased for the M points as they are; for the population behind them they are lower bounds.
/// </remarks>
public sealed record MixtureInformation
{
    /// <summary>Of the way in which the numbers are made: raised when the same encodings give other digits than before.</summary>
    internal const int Version = 1;

    /// <summary>M, points and mixture components alike.</summary>
    public required int Points { get; init; }

    public required ulong Seed { get; init; }

    public required IReadOnlyList<FactorMixture> Factors { get; init; }

    /// <summary>I(x; z) by (X1).</summary>
    public required Estimate Information { get; init; }

    /// <summary>TC(z) by (X3).</summary>
    public required Estimate TotalCorrelation { get; init; }

    /// <summary>Mean of log q(z|x) - log p(z) on the draws; equals I + TC + the sum of the factors' prior KL (X10).</summary>
    public required Estimate SampledKl { get; init; }

    /// <summary>Mean KL(q(z|x) || N(0, I)) in closed form.</summary>
    public required double AnalyticKl { get; init; }

    /// <summary>The category's share, where the encodings have one.</summary>
    public required JointCodeInformation? Joint { get; init; }

    /// <summary>What no mixture of M encodings can exceed: log M, nats.</summary>
    public double Ceiling => Math.Log(Points);

    /// <summary>sum_h KL(q(z_h) || N(0, 1)), the dimension-wise KL.</summary>
    public double DimensionWiseKl => Factors.Sum(f => f.PriorKl.Value);

    /// <summary>Draws z and takes its density under the mixture: O(M^2 H) work, O(M H) memory.</summary>
    /// <param name="seed">Draws z, the categories and, where there is one, the subset.</param>
    /// <param name="components">Points to use, chosen by the seed; by default all up to 20 000 and else 10 000.</param>
    /// <exception cref="EstimatorException">An encoding is not finite or too narrow for float32, or a value lies outside what the estimator
    /// can give.</exception>
    public static MixtureInformation Compute(IBackend backend, Encodings encodings, ulong seed, int? components = null)
    {
        encodings = PointsOf(encodings, seed, components);
        using var densities = new MixtureDensities(backend, encodings, seed);
        var sums = new Sums(encodings.Factors);
        JointCodeSums? joint = encodings.Categories == 0 ? null : new(densities, encodings);
        foreach (var block in densities.Blocks())
        {
            sums.Add(block);
            joint?.Add(block);
        }
        return sums.Result(encodings.Points, seed, joint?.Result(encodings.Points));
    }

    /// <summary>The encodings that <see cref="Compute"/> makes its mixture of, in their order.</summary>
    /// <inheritdoc cref="Compute" path="/param"/>
    /// <exception cref="EstimatorException">Less than one point was asked for.</exception>
    internal static Encodings PointsOf(Encodings encodings, ulong seed, int? components)
    {
        if (components < 1)
            throw new EstimatorException($"mixture information: {components} points were asked for; at least 1 is needed");
        int points = PointSubset.SizeFor(encodings.Points, components);
        return points < encodings.Points ? encodings.Rows(PointSubset.Choose(encodings.Points, points, seed)) : encodings;
    }

    /// <summary>
    /// Every difference whose mean is information is -t with E exp(-t) &lt;= 1, so by Markov's inequality its mean over M independent draws
    /// falls below -c with
    /// probability at most exp(-M c): a mean below -30 / M is an error of the input or the arithmetic, not bad luck.
    /// </summary>
    internal static double Floor(int points) => -30.0 / points;

    /// <summary>Mean log densities in float32 of this many factors and this mean magnitude are good to this many nats.</summary>
    internal static double Rounding(int factors, double magnitude) => 1e-4 + 2e-5 * factors + 2e-6 * magnitude;

    internal static void CheckInformation(string what, Estimate estimate, double rounding)
    {
        if (!(estimate.Value >= Floor(estimate.Points) - rounding && estimate.Value <= estimate.Ceiling + rounding))
            throw new EstimatorException(
                $"mixture information: {what} is {estimate.Value} nats, outside 0 to {estimate.Ceiling:G6} (standard error "
                + $"{estimate.StandardError:G3}); check the encodings for overflow and that logvar holds log variances");
    }

    internal static void CheckNotNegative(string what, Estimate estimate, double rounding)
    {
        if (!(estimate.Value >= Floor(estimate.Points) - rounding))
            throw new EstimatorException(
                $"mixture information: {what} is {estimate.Value} nats and cannot be negative beyond sampling noise (standard error "
                + $"{estimate.StandardError:G3}); check the encodings for overflow and that logvar holds log variances");
    }

    /// <summary>Collects the means over points of what the densities say.</summary>
    private sealed class Sums(int factors)
    {
        private readonly RunningMean[] information = new RunningMean[factors];
        private readonly RunningMean[] priorKl = new RunningMean[factors];
        private readonly double[] magnitude = new double[factors];
        private RunningMean joint, totalCorrelation, sampledKl, analyticKl;
        private double termsOfIdentity;

        public void Add(MixtureBlock block)
        {
            for (int r = 0; r < block.Rows; r++)
            {
                double own = 0, marginals = 0, prior = 0, kl = 0;
                for (int h = 0; h < factors; h++)
                {
                    int at = r * factors + h;
                    double z = block.Z[at], mu = block.Mu[at], logVar = block.LogVar[at];
                    double ownLog = block.Own[at], marginal = block.Marginal[at], priorLog = Gaussian.LogDensity(z, 0, 0);
                    information[h].Add(ownLog - marginal);
                    priorKl[h].Add(marginal - priorLog);
                    magnitude[h] += Math.Abs(ownLog);
                    own += ownLog;
                    marginals += marginal;
                    prior += priorLog;
                    kl += Gaussian.Kl(mu, logVar);
                }
                joint.Add(own - block.Joint[r]);
                totalCorrelation.Add(block.Joint[r] - marginals);
                sampledKl.Add(own - prior);
                analyticKl.Add(kl);
                termsOfIdentity += Math.Abs(own) + Math.Abs(block.Joint[r]) + Math.Abs(marginals) + Math.Abs(prior);
            }
        }

        public MixtureInformation Result(int points, ulong seed, JointCodeInformation? category)
        {
            double ceiling = Math.Log(points);
            var perFactor = new FactorMixture[factors];
            for (int h = 0; h < factors; h++)
                perFactor[h] = new(h, information[h].ToEstimate(BoundKind.Lower, ceiling),
                    priorKl[h].ToEstimate(BoundKind.Neither, double.PositiveInfinity));
            var result = new MixtureInformation
            {
                Points = points,
                Seed = seed,
                Factors = perFactor,
                Information = joint.ToEstimate(BoundKind.Lower, ceiling),
                TotalCorrelation = totalCorrelation.ToEstimate(BoundKind.Neither, double.PositiveInfinity),
                SampledKl = sampledKl.ToEstimate(BoundKind.Neither, double.PositiveInfinity),
                AnalyticKl = analyticKl.Mean,
                Joint = category,
            };
            Check(result);
            return result;
        }

        private void Check(MixtureInformation result)
        {
            foreach (var factor in result.Factors)
            {
                double rounding = Rounding(1, magnitude[factor.Factor] / result.Points);
                CheckInformation($"I(x; z_{factor.Factor})", factor.Information, rounding);
                CheckNotNegative($"KL(q(z_{factor.Factor}) || p)", factor.PriorKl, rounding);
            }
            double total = Rounding(factors, magnitude.Sum() / result.Points);
            CheckInformation("I(x; z)", result.Information, total);
            CheckNotNegative("the total correlation", result.TotalCorrelation, total);
            double sum = result.Information.Value + result.TotalCorrelation.Value + result.DimensionWiseKl;
            // Both sides add up the same numbers in double precision: they differ by the rounding of what is added, which may be far larger
            // than the sums.
            if (!(Math.Abs(sum - result.SampledKl.Value) <= 1e-6 * Rounding(factors, termsOfIdentity / result.Points)))
                throw new EstimatorException(
                    $"mixture information: I + TC + sum of KL is {sum} nats where the draws give {result.SampledKl.Value}; the two are "
                    + $"equal by definition (X10), check the encodings for overflow");
        }
    }
}
