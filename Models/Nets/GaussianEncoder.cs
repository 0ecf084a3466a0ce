using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Nets;

/// <summary>From images to q(z|x): a body that ends in features, and two heads on them, which are computed together.</summary>
/// <param name="features">How many features the body ends in.</param>
public sealed class GaussianEncoder(Module body, int features, Linear mu, Linear logVar)
{
    public IEnumerable<Parameter> Parameters => [.. body.Parameters, .. mu.Parameters, .. logVar.Parameters];

    /// <summary>Length of <see cref="Features"/>.</summary>
    public int FeatureCount => features;

    /// <param name="x">[B, H, W, C].</param>
    public DiagonalGaussian Encode(Tensor x) => OfFeatures(Features(x));

    /// <summary>What the body makes of images, [B, features]: further heads may read it.</summary>
    public Tensor Features(Tensor x) => body.Forward(x);

    public DiagonalGaussian OfFeatures(Tensor features)
    {
        var (m, v) = mu.ForwardBeside(logVar, features);
        return new(m, v);
    }

    /// <summary>Adds the moments of <see cref="Encode"/>, without its results ever being stored.</summary>
    public void AddMoments(Tensor x, FactorMoments moments)
    {
        var last = Features(x);
        var (weights, biases) = mu.ValuesBeside(logVar);
        moments.AddHeads(last.Shape[0], features, last.Values, weights, biases);
    }
}
