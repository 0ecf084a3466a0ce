using VaeFromScratch.Kernels;

namespace VaeFromScratch;

/// <summary>Log densities of samples under a mixture of diagonal Gaussians.</summary>
/// <param name="Joint">Of the whole code, [rows].</param>
/// <param name="Marginal">Of each latent on its own, [rows, H].</param>
internal readonly record struct MixtureDensity(Tensor Joint, Tensor Marginal);

public static partial class Ops
{
    /// <summary>
    /// log q(z) and log q(z_h) where q is the mixture of the posteriors mu, logVar, in one kernel without a [rows, components, H] array
    /// (equations.md (X1), (X2)).
    /// Gradients flow to z, mu, logVar and the pair bias.
    /// </summary>
    /// <param name="z">[rows, H].</param>
    /// <param name="mu">[components, H].</param>
    /// <param name="logVar">[components, H].</param>
    /// <param name="weights">How much each component counts for a row; see (X4).</param>
    /// <param name="pairBias">Added to the log weight of each pair in the joint, [rows, components]; null for none.</param>
    /// <param name="ownOffset">Row i's own component is i + ownOffset.</param>
    internal static MixtureDensity MixtureLogDensity(Tensor z, Tensor mu, Tensor logVar, PairLogWeights weights, Tensor? pairBias = null,
        int ownOffset = 0)
    {
        if (z.Shape.Rank != 2 || mu.Shape != logVar.Shape || mu.Shape.Rank != 2 || mu.Shape[1] != z.Shape[1])
            throw new ShapeException("mixture_log_density", $"z {z.Shape}, mu {mu.Shape} and logVar {logVar.Shape}",
                "[rows, H], [components, H] and [components, H]");
        int rows = z.Shape[0], components = mu.Shape[0], h = z.Shape[1];
        if (pairBias is not null && pairBias.Shape != new Shape(rows, components))
            throw new ShapeException("mixture_log_density", $"pair bias {pairBias.Shape}", $"[{rows}, {components}]");
        var tape = Tape.Current;
        var joint = Tape.New(new(rows), z, mu, logVar, pairBias);
        var marginal = Tape.New(z.Shape, z, mu, logVar);
        var bias = pairBias?.Data ?? default;
        var mixture = new MixtureOperands(
            rows, components, h, z.Data, mu.Data, logVar.Data, weights, joint.Data, marginal.Data, ownOffset, bias);
        tape.Kernels.MixtureLogDensity(mixture);
        tape.Record(joint, () => tape.Kernels.MixtureLogDensityGradient(mixture, joint.Gradient, marginal.Gradient, AddingSink(tape, z),
            AddingSink(tape, mu), AddingSink(tape, logVar), pairBias is { NeedsGradient: true } ? AddingSink(tape, pairBias) : default),
            second: marginal);
        return new(joint, marginal);
    }

    /// <summary>Where a kernel that only adds may write: the tensor's gradient, or scratch when nobody asks for it.</summary>
    private static Slice<float> AddingSink(Tape tape, Tensor x)
    {
        var sink = SinkOrScratch(tape, x, out bool accumulate);
        if (!accumulate)
            tape.Kernels.Fill(sink, 0);
        return sink;
    }
}
