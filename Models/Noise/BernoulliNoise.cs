using VaeFromScratch.Graphs;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>
/// Independent Bernoulli pixels whose logits the decoder gives (equations.md (N5)); pixels in [0, 1] are taken as probabilities.
/// </summary>
internal sealed class BernoulliNoise : NoiseModel
{
    public override string Name => "bernoulli";

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded) => new("nll", Ops.BernoulliNll(x, decoded));

    public override Tensor Mean(Tensor decoded) => decoded.Sigmoid();

    public override GraphNode DescribeMean(GraphNode decoded) => decoded.Apply(GraphFunction.Sigmoid);

    public override GraphNode DescribeLogits(GraphNode decoded) => decoded;

    public override Tensor Sample(Tensor decoded, Rng rng)
    {
        var mean = Mean(decoded);
        var sample = rng.Uniform(mean.Shape);
        mean.Compute.Backend.Binary<LessThan>(sample.Data, mean.Data, sample.Data);
        return mean + (sample - mean.Detach());
    }
}
