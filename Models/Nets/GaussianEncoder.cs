using VaeFromScratch.Engine;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Nets;

/// <summary>From images to q(z|x): a body that ends in features, and two heads on them.</summary>
public sealed class GaussianEncoder(Module body, Module mu, Module logVar)
{
    public IEnumerable<Parameter> Parameters => [.. body.Parameters, .. mu.Parameters, .. logVar.Parameters];

    /// <param name="x">[B, H, W, C].</param>
    public DiagonalGaussian Encode(Tensor x)
    {
        var features = body.Forward(x);
        return new(mu.Forward(features), logVar.Forward(features));
    }
}
