using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>p(x|z): how an image scatters around what the decoder says (equations.md, section N).</summary>
public abstract class NoiseModel
{
    /// <summary>As the user writes it: "learned", "fixed:0.01".</summary>
    public abstract string Name { get; }

    /// <summary>Parameters and state that are saved with the model.</summary>
    public virtual IEnumerable<Parameter> Parameters => [];

    /// <summary>Channels that the decoder puts out for images of <paramref name="channels"/>.</summary>
    public virtual int DecoderChannels(int channels) => channels;

    /// <summary>-log p(x|z) per image, nats.</summary>
    /// <param name="x">[B, H, W, C].</param>
    /// <param name="decoded">The decoder's output, [B, H, W, <see cref="DecoderChannels"/>].</param>
    public abstract Term NegativeLogLikelihood(Tensor x, Tensor decoded);

    /// <summary>The mean image, [B, H, W, C], in pixel units.</summary>
    public virtual Tensor Mean(Tensor decoded) => decoded;

    /// <summary>Called inside each training step when the gradients are done: moves whatever is not moved by an optimiser.</summary>
    public virtual void AfterStep()
    {
    }

    /// <summary>sigma^2 now, where the model has a single one.</summary>
    public virtual float? Variance => null;
}
