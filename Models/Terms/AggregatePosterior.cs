using VaeFromScratch.Engine;
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
/// The average KL taken apart, from one sample per image: I(z; n) + TC(z) + sum_h KL(q(z_h) || N(0, 1)) is the Monte-Carlo KL exactly (equations.md (X1)-(X5)).
/// </summary>
public sealed class AggregatePosterior
{
    private readonly Tensor logConditional, logPrior, logJoint, logMarginals;

    /// <param name="q">The posteriors of the batch.</param>
    /// <param name="z">One sample of each, [B, H].</param>
    /// <param name="dataCount">N, images in the data set.</param>
    public AggregatePosterior(DiagonalGaussian q, Tensor z, MinibatchEstimate estimate, int dataCount)
    {
        int batch = z.Shape[0];
        var weights = estimate switch
        {
            MinibatchEstimate.Weighted => PairLogWeights.Weighted(batch, dataCount),
            MinibatchEstimate.Stratified => PairLogWeights.Stratified(batch, dataCount),
            _ => PairLogWeights.Uniform(batch),
        };
        var density = Ops.MixtureLogDensity(z, q.Mu, q.LogVar, weights);
        (logJoint, logMarginals) = (density.Joint, density.Marginal.SumPerRow());
        (logConditional, logPrior) = (q.LogDensity(z), DiagonalGaussian.StandardLogDensity(z));
    }

    /// <summary>I(z; n): what a code says about which image it belongs to.</summary>
    public Term MutualInformation => new("mi", logConditional - logJoint);

    /// <summary>TC(z): how far the factors are from independent.</summary>
    public Term TotalCorrelation => new("tc", logJoint - logMarginals);

    /// <summary>sum_h KL(q(z_h) || N(0, 1)).</summary>
    public Term MarginalKl => new("kl_marginal", logMarginals - logPrior);
}
