using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>Independent Bernoulli pixels whose logits the decoder gives (equations.md (N5)); pixels in [0, 1] are taken as probabilities.</summary>
public sealed class BernoulliNoise : NoiseModel
{
    public override string Name => "bernoulli";

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded) => new("nll", Ops.BernoulliNll(x, decoded));

    public override Tensor Mean(Tensor decoded) => decoded.Sigmoid();
}
