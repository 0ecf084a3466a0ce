using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Terms;

/// <summary>How a minibatch stands for the whole data set (equations.md (X1), (X4)).</summary>
public enum MinibatchEstimate
{
    /// <summary>Every posterior of the batch counts 1 / B (X1).</summary>
    Batch,
    /// <summary>Every posterior counts 1 / (N B).</summary>
    Weighted,
    /// <summary>The own posterior counts 1 / N, one other (N - M) / (N M), the rest 1 / M, M = B - 1.</summary>
    Stratified,
}

/// <summary>
/// The average KL taken apart, from one sample per image: I(z; n) + TC(z) + sum_h KL(q(z_h) || N(0, 1)) is the Monte-Carlo KL exactly
/// (equations.md (X1)-(X5)).
/// With a category y it is one more factor of the code in I and TC (X3).
/// </summary>
public sealed class AggregatePosterior
{
    private readonly Tensor logConditional, logPrior, logJoint, logMarginals;
    private readonly Tensor? logCategory;

    /// <param name="q">The posteriors of the batch.</param>
    /// <param name="z">One sample of each, [B, H].</param>
    /// <param name="dataCount">N, images in the data set.</param>
    /// <param name="c">q(c|x) of the batch, where there is a category.</param>
    /// <param name="y">One sample of each, one-hot or relaxed, [B, K].</param>
    public AggregatePosterior(DiagonalGaussian q, Tensor z, MinibatchEstimate estimate, int dataCount, Categorical? c = null,
        Tensor? y = null)
    {
        int batch = z.Shape[0];
        var weights = estimate switch
        {
            MinibatchEstimate.Weighted => PairLogWeights.Weighted(batch, dataCount),
            MinibatchEstimate.Stratified => PairLogWeights.Stratified(batch, dataCount),
            _ => PairLogWeights.Uniform(batch),
        };
        var categoryBias = y is null ? null : LogAtLeast(y.MatMul(c!.Probabilities, transposeB: true));
        var density = Ops.MixtureLogDensity(z, q.Mu, q.LogVar, weights, categoryBias);
        (logJoint, logMarginals) = (density.Joint, density.Marginal.SumPerRow());
        (logConditional, logPrior) = (q.LogDensity(z), DiagonalGaussian.StandardLogDensity(z));
        if (y is null)
            return;
        logConditional += c!.LogProbability(y);
        // Components that are all N(0, 1) around a factor that is 0 leave the row weights and the category: log sum_j w_ij p(y_i|x_j).
        // Weights that differ from the
        // joint's would bias TC(y; z) (X4).
        var still = Tape.Current.Full(new(batch, 1), 0);
        logCategory = Ops.MixtureLogDensity(still, still, still, weights, categoryBias).Joint + 0.5f * DiagonalGaussian.LogTwoPi;
    }

    /// <summary>I(z; n), or I(y, z; n): what a code says about which image it belongs to.</summary>
    public Term MutualInformation => new("mi", logConditional - logJoint);

    /// <summary>TC(z), or TC(y; z): how far the factors, and the category, are from independent.</summary>
    public Term TotalCorrelation => new("tc", logJoint - (logCategory is null ? logMarginals : logMarginals + logCategory));

    /// <summary>
    /// KL(q(z) || N(0, I)) of the whole code, <see cref="TotalCorrelation"/> and <see cref="MarginalKl"/> together: (X1) - log r(z).
    /// </summary>
    public Term AggregateKl => new("kl_aggregate", logJoint - logPrior);

    /// <summary>sum_h KL(q(z_h) || N(0, 1)).</summary>
    public Term MarginalKl => new("kl_marginal", logMarginals - logPrior);

    private static Tensor LogAtLeast(Tensor probability) => probability.ClampMin(Categorical.SmallestProbability).Log();
}
