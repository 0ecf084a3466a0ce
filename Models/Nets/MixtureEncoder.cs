using VaeFromScratch.Engine;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Nets;

/// <summary>From images to a mixture posterior: a Gaussian for each class from one network, and w(k|x) from a head on its features or from a network of its own.</summary>
/// <param name="gaussians">Its heads have K H outputs.</param>
/// <param name="classifier">To logits [B, K].</param>
/// <param name="ownClassifier">Whether <paramref name="classifier"/> reads images; it reads the features of <paramref name="gaussians"/> otherwise.</param>
public sealed class MixtureEncoder(GaussianEncoder gaussians, Module classifier, bool ownClassifier)
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

    /// <summary>Logits of w(k|x), [B, K].</summary>
    public Tensor Classify(Tensor x) => classifier.Forward(ownClassifier ? x : gaussians.Features(x));
}
