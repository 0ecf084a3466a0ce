using VaeFromScratch.Graphs;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Nets;

/// <summary>
/// From images to a mixture posterior: a Gaussian for each class from one network, and w(k|x) from a head on its features or from a network
/// of its own.
/// </summary>
/// <param name="gaussians">Its heads have K H outputs.</param>
/// <param name="classifier">To logits [B, K].</param>
/// <param name="ownClassifier">Whether <paramref name="classifier"/> reads images; it reads the features of <paramref name="gaussians"/>
/// otherwise.</param>
internal sealed class MixtureEncoder(GaussianEncoder gaussians, Module classifier, bool ownClassifier)
{
    public bool HasOwnClassifier => ownClassifier;

    /// <param name="x">[B, H, W, C].</param>
    /// <param name="centres">m_kh of the prior, [K H]: the network puts out how far mu_k lies from its centre.</param>
    /// <param name="logits">Of a network of its own, where they are there already.</param>
    public GaussianMixture Encode(Tensor x, Tensor centres, Tensor? logits = null)
    {
        var features = gaussians.Features(x);
        var offset = gaussians.OfFeatures(features);
        return new(logits ?? classifier.Forward(ownClassifier ? x : features), offset.Mu + centres, offset.LogVar);
    }

    /// <summary>The most probable component of each image, and w(k|x), as a graph.</summary>
    /// <param name="centres">m_kh of the prior, [K H].</param>
    public EncoderGraph Describe(InputNode image, float[] centres)
    {
        var features = gaussians.DescribeFeatures(image);
        var (mu, logVar) = gaussians.DescribeHeads(features);
        var logits = classifier.Describe(ownClassifier ? image : features);
        var chosen = GaussianMixture.DescribeMostProbable(logits);
        return new(image, mu.Add(centres).Mix(chosen), logVar.Mix(chosen), logits.Apply(GraphFunction.Softmax), "weights");
    }

    /// <summary>Logits of w(k|x), [B, K].</summary>
    public Tensor Classify(Tensor x) => classifier.Forward(ownClassifier ? x : gaussians.Features(x));
}
