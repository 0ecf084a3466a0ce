using VaeFromScratch.Graphs;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>One Gaussian of a mixture of noise.</summary>
/// <param name="Weight">The component's weight, pi_k.</param>
/// <param name="Variance">sigma_k^2, squared pixel units.</param>
public readonly record struct NoiseComponent(float Weight, float Variance);

/// <summary>p(x|z): how an image scatters around what the decoder says (equations.md, section N).</summary>
public abstract class NoiseModel
{
    /// <summary>As the user writes it: "learned", "fixed:0.01".</summary>
    public abstract string Name { get; }

    /// <summary>Parameters and state that are saved with the model.</summary>
    public virtual IEnumerable<Parameter> Parameters => [];

    /// <summary>Whether <see cref="NegativeLogLikelihood"/> is one; where it is not, no bound of the likelihood exists.</summary>
    public virtual bool IsLikelihood => true;

    /// <summary>Channels that the decoder puts out for images of <paramref name="channels"/>.</summary>
    public virtual int DecoderChannels(int channels) => channels;

    /// <summary>-log p(x|z) per image, nats.</summary>
    /// <param name="x">[B, H, W, C].</param>
    /// <param name="decoded">The decoder's output, [B, H, W, <see cref="DecoderChannels"/>].</param>
    public abstract Term NegativeLogLikelihood(Tensor x, Tensor decoded);

    /// <summary>
    /// What the objective adds for a variance that is to stay large, a scalar in nats per image; null where there is no such penalty.
    /// </summary>
    /// <param name="pixels">D, of one image.</param>
    public virtual Term? Penalty(int pixels) => null;

    /// <summary>The mean image, [B, H, W, C], in pixel units.</summary>
    public virtual Tensor Mean(Tensor decoded) => decoded;

    /// <summary><see cref="Mean"/> as a graph.</summary>
    public virtual GraphNode DescribeMean(GraphNode decoded) => decoded;

    /// <summary>What <see cref="DescribeMean"/> gives before its sigmoid; null where it has none.</summary>
    public virtual GraphNode? DescribeLogits(GraphNode decoded) => null;

    /// <summary>
    /// An image x' ~ p(x|z) for each code, [B, H, W, C], that gradients flow through: reparameterised where the noise is continuous, the
    /// sample's values with the mean's gradient where it is not.
    /// </summary>
    public abstract Tensor Sample(Tensor decoded, Rng rng);

    /// <summary>
    /// How much each row of the last <see cref="NegativeLogLikelihood"/> counts in what <see cref="AfterStep"/> moves, where rows are
    /// samples of unequal weight; without
    /// it all count the same.
    /// </summary>
    /// <param name="weights">Of mean 1, [rows].</param>
    public virtual void Weigh(Tensor weights)
    {
    }

    /// <summary>Called inside each training step when the gradients are done: moves whatever is not moved by an optimiser.</summary>
    public virtual void AfterStep()
    {
    }

    /// <summary>sigma^2 now, where the model has a single one; of a mixture the variance of the whole.</summary>
    public virtual float? Variance => null;

    /// <summary>The components of a mixture; none elsewhere.</summary>
    public virtual IReadOnlyList<NoiseComponent> Components => [];

    /// <summary>sigma^2 of each pixel, [B, H, W, C], where the decoder gives it.</summary>
    public virtual Tensor? PixelVariance(Tensor decoded) => null;
}
