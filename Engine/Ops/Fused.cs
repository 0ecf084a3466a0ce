using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch;

/// <summary>A reparameterised sample with its KL divergence.</summary>
/// <param name="Z">The sampled code, [B, H].</param>
/// <param name="Kl">KL(q(z|x) || N(0, I)) per image, nats, [B] (equations.md (V2)).</param>
public readonly record struct GaussianSample(Tensor Z, Tensor Kl);

public static partial class Ops
{
    /// <summary>
    /// z = mu + exp(logVar / 2) eps and its KL to the unit Gaussian, in one kernel (equations.md (V1), (V2)). Gradients flow through both.
    /// </summary>
    public static GaussianSample Reparameterise(Tensor mu, Tensor logVar, Rng rng)
    {
        if (mu.Shape != logVar.Shape || mu.Shape.Rank != 2)
            throw new ShapeException("reparameterise", $"mu {mu.Shape} and logVar {logVar.Shape}", "both [batch, latents]");
        int rows = mu.Shape[0], h = mu.Shape[1];
        var tape = Tape.Current;
        var z = Tape.New(mu.Shape, mu, logVar);
        var kl = Tape.New(new(rows), mu, logVar);
        var epsilon = tape.Temporary(mu.Length);
        tape.Kernels.Reparameterise(rows, h, mu.Data, logVar.Data, rng.Next(), epsilon, z.Data, kl.Data);
        tape.Record(z, () =>
        {
            var dmu = SinkOrScratch(tape, mu, out bool accumulateMu);
            var dlogVar = SinkOrScratch(tape, logVar, out bool accumulateLogVar);
            if (accumulateMu != accumulateLogVar)
                tape.Kernels.Fill(accumulateMu ? dlogVar : dmu, 0);
            tape.Kernels.ReparameteriseGradient(rows, h, new(mu.Data, logVar.Data, epsilon), z.Gradient, kl.Gradient, dmu, dlogVar,
                accumulateMu || accumulateLogVar);
        }, second: kl);
        return new(z, kl);
    }

    /// <summary>Negative log-likelihood of images under N(mean, variance), nats per image (equations.md (N1)).</summary>
    /// <param name="x">[B, ..].</param>
    /// <param name="mean">The shape of x.</param>
    /// <param name="variance">sigma^2, a scalar tensor; its gradient is computed when it needs one.</param>
    /// <returns>Nats per image, [B], and the squared error that it came from, summed over pixels, [B]; the latter carries no
    /// gradient.</returns>
    public static (Tensor Nll, Tensor SquaredError) GaussianNll(Tensor x, Tensor mean, Tensor variance)
    {
        RequireSameShape("gaussian_nll", x, mean);
        int rows = x.Shape[0], d = x.Length / Math.Max(1, rows);
        var tape = Tape.Current;
        var nll = Tape.New(new(rows), mean, variance);
        var squaredError = Tape.New(new(rows));
        tape.Kernels.GaussianNll(rows, d, x.Data, mean.Data, variance.Data, nll.Data, squaredError.Data);
        tape.Record(nll, () =>
        {
            if (mean.NeedsGradient)
            {
                var dmean = mean.GradientSink(out bool accumulate);
                tape.Kernels.GaussianNllGradient(rows, d, nll.Gradient, x.Data, mean.Data, variance.Data, dmean, accumulate);
            }
            if (variance.NeedsGradient)
                VarianceGradient(tape, nll.Gradient, squaredError.Data, d, variance);
        });
        return (nll, squaredError);
    }

    /// <summary>
    /// Negative log-likelihood of images in [0, 1] under independent Bernoulli pixels, nats per image, [B] (equations.md (N5)).
    /// </summary>
    /// <param name="logits">Unnormalised log-odds, the shape of x.</param>
    public static Tensor BernoulliNll(Tensor x, Tensor logits)
    {
        RequireSameShape("bernoulli_nll", x, logits);
        int rows = x.Shape[0], d = x.Length / Math.Max(1, rows);
        var tape = Tape.Current;
        var nll = Tape.New(new(rows), logits);
        tape.Kernels.BernoulliNll(rows, d, x.Data, logits.Data, nll.Data);
        tape.Record(nll, () =>
        {
            var da = logits.GradientSink(out bool accumulate);
            tape.Kernels.BernoulliNllGradient(rows, d, nll.Gradient, x.Data, logits.Data, da, accumulate);
        });
        return nll;
    }

    /// <summary>d nll / d s2 = sum_r g_r (d - squaredError_r / s2) / (2 s2).</summary>
    private static void VarianceGradient(Tape tape, Slice<float> g, Slice<float> squaredError, int d, Tensor variance)
    {
        var perImage = tape.Temporary(g.Length);
        tape.Kernels.Binary<Divide>(squaredError, variance.Data, perImage);
        tape.Kernels.Unary<Negate>(perImage, perImage);
        tape.Kernels.Unary<AddScalar>(perImage, perImage, d);
        tape.Kernels.Binary<Divide>(perImage, variance.Data, perImage);
        tape.Kernels.Binary<Multiply>(perImage, g, perImage);
        var dvariance = variance.GradientSink(out bool accumulate);
        tape.Kernels.Sum(perImage, 1, perImage.Length, 1, 0.5f, dvariance, accumulate);
    }

    /// <summary>Where a kernel that takes several gradients together writes this one: scratch when nobody asks for it.</summary>
    private static Slice<float> SinkOrScratch(Tape tape, Tensor x, out bool accumulate)
    {
        accumulate = false;
        return x.NeedsGradient ? x.GradientSink(out accumulate) : tape.Temporary(x.Length);
    }

    private static void RequireSameShape(string operation, Tensor a, Tensor b)
    {
        if (a.Shape != b.Shape)
            throw new ShapeException(operation, $"shapes {a.Shape} and {b.Shape}", "equal ones");
    }
}
