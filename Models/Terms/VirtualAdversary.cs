using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Terms;

/// <summary>
/// Virtual adversarial training of a category: it is to stay the same along the direction in which it changes fastest, found by one power
/// iteration from a
/// random one (equations.md (S2); Miyato et al. 2018).
/// </summary>
/// <param name="Radius">eps: how far an image is moved, in pixel units over the whole image.</param>
/// <param name="Step">
/// xi: where along the random direction the gradient is taken. The 1e-6 of the literature drowns in float32; on pixels in [0, 1] a long
/// step works better than a short one.
/// </param>
internal sealed record VirtualAdversary(
    [property: Setting("eps of virtual adversarial training, in pixel units over the whole image", Above = 0)] double Radius = 1.5,
    [property: Setting("xi of virtual adversarial training: where its gradient is taken, in the same units", Above = 0)] double Step = 10)
{
    // Keeps the length of a gradient that is 0 from dividing by 0.
    private const float SmallestSquare = 1e-30f;

    /// <summary>Cross-entropy of q(c|x), as a constant, and q(c|x + adversarial step), nats, [B].</summary>
    /// <param name="x">[B, H, W, C].</param>
    /// <param name="held">q(c|x), through which no gradient flows, [B, K].</param>
    public Term Penalty(Tensor x, Tensor held, Func<Tensor, Categorical> classify, Rng rng)
    {
        var moved = x + (float)Radius * Direction(x, held, classify, rng);
        return new("vat", Tape.Current.KeepingStatistics(() => classify(moved)).CrossEntropy(held));
    }

    /// <summary>
    /// For each image the direction, of length 1, in which KL(q(c|x) || q(c|x + r)) grows fastest at a step along a random one, [B, H, W,
    /// C]; a constant.
    /// </summary>
    public Tensor Direction(Tensor x, Tensor held, Func<Tensor, Categorical> classify, Rng rng)
    {
        var tape = Tape.Current;
        var start = (float)Step * Unit(rng.Normal(x.Shape));
        var gradient = tape.Empty(x.Shape);
        using (var inner = x.Compute.Tape(gradients: true, training: tape.Training))
        {
            var r = inner.Variable(start);
            // The cross-entropy differs from the KL by the entropy of what is held.
            inner.BackwardToInputs(new Seed(inner.KeepingStatistics(() => classify(x + r)).CrossEntropy(held), 1));
            x.Compute.Backend.CopyBlock(1, x.Length, r.Gradient, x.Length, gradient.Data, x.Length);
        }
        return Unit(gradient);
    }

    /// <summary>Each image scaled to length 1.</summary>
    private static Tensor Unit(Tensor v) =>
        v * (v.Square().SumPerRow() + SmallestSquare).Sqrt().Reciprocal().RepeatEach(v.Length / v.Shape[0]).Reshape(v.Shape.Sizes);
}
