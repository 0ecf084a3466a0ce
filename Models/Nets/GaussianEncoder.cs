using VaeFromScratch.Graphs;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Nets;

/// <summary>From images to q(z|x): a body that ends in features, and two heads on them.</summary>
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

    /// <summary><see cref="Features"/> as a graph.</summary>
    public GraphNode DescribeFeatures(GraphNode image) => body.Describe(image);

    /// <summary><see cref="OfFeatures"/> as a graph.</summary>
    public (GraphNode Mu, GraphNode LogVar) DescribeHeads(GraphNode features) => (mu.Describe(features), logVar.Describe(features));

    public DiagonalGaussian OfFeatures(Tensor features) => new(mu.Forward(features), logVar.Forward(features));
}
