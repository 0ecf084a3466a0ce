using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>One variance for all pixels that never changes (equations.md (N1)).</summary>
internal sealed class FixedNoise : NoiseModel
{
    private readonly Parameter variance;

    /// <param name="variance">sigma^2, in squared pixel units.</param>
    public FixedNoise(double variance)
    {
        if (!(variance > 0) || !double.IsFinite(variance))
            throw new ArgumentException($"noise fixed: variance {variance} must be a positive number");
        Name = FormattableString.Invariant($"fixed:{variance}");
        this.variance = new("noise.variance", Shape.Scalar, [(float)variance], trainable: false);
    }

    public override string Name { get; }

    public override IEnumerable<Parameter> Parameters => [variance];

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded) => new("nll", Ops.GaussianNll(x, decoded, variance.Value).Nll);

    public override Tensor Sample(Tensor decoded, Rng rng) => GaussianSamples.Around(decoded, variance.Value, rng);

    public override float? Variance => variance.Value.Item();
}

/// <summary>One variance for all pixels, learned through its logarithm by the optimiser (equations.md (N2), gradient).</summary>
internal sealed class GradientNoise : NoiseModel
{
    private readonly Parameter logSigma;

    /// <param name="variance">sigma^2 to start from.</param>
    public GradientNoise(double variance) => logSigma = new("noise.log_sigma", Shape.Scalar, [(float)(0.5 * Math.Log(variance))]);

    public override string Name => "learned";

    public override IEnumerable<Parameter> Parameters => [logSigma];

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded) =>
        new("nll", Ops.GaussianNll(x, decoded, (2 * logSigma.Value).Exp()).Nll);

    public override Tensor Sample(Tensor decoded, Rng rng) => GaussianSamples.Around(decoded, (2 * logSigma.Value).Exp(), rng);

    public override float? Variance => MathF.Exp(2 * logSigma.Value.Item());
}

/// <summary>Settings of <see cref="ClosedFormNoise"/>.</summary>
/// <param name="Start">sigma^2 before the first step; the variance of the training pixels is a good one.</param>
/// <param name="Decay">Of the running average over minibatches.</param>
/// <param name="MaximumChange">The largest relative change in one step.</param>
/// <param name="Floor">Below which sigma^2 never falls: the likelihood has no bound as the residual goes to 0.</param>
internal sealed record ClosedFormSettings(double Start, double Decay = 0.99, double MaximumChange = 0.005, double Floor = 1e-6);

/// <summary>
/// One variance for all pixels, the running mean of the squared residual (equations.md (N2), closed form). The weight of the KL term never
/// enters the update.
/// </summary>
/// <remarks>
/// Why the change per step is limited: with a large beta, a variance that follows the residual at once rewards the decoder so little at the
/// start that the KL
/// term switches every factor off, for good. The default warm-up of beta guards against the same; Models/README.md has the measurement.
/// </remarks>
internal sealed class ClosedFormNoise : NoiseModel
{
    private readonly ClosedFormSettings settings;
    private readonly Parameter logSigma;
    private Tensor? squaredError;
    private int pixels;

    public ClosedFormNoise(ClosedFormSettings settings)
    {
        this.settings = settings;
        logSigma = new("noise.log_sigma", Shape.Scalar, [(float)settings.Start], trainable: false, encode: s2 => 0.5f * MathF.Log(s2),
            decode: s => MathF.Exp(2 * s));
    }

    public override string Name => "learned";

    public override IEnumerable<Parameter> Parameters => [logSigma];

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded)
    {
        var (nll, error) = Ops.GaussianNll(x, decoded, logSigma.Value);
        (squaredError, pixels) = (error, x.Length);
        return new("nll", nll);
    }

    public override void Weigh(Tensor weights) => squaredError = squaredError! * weights.Detach();

    public override void AfterStep()
    {
        if (squaredError is null)
            return;
        squaredError.Compute.Backend.UpdateVariance(squaredError.Data, pixels, (float)settings.Decay, (float)settings.MaximumChange,
            (float)settings.Floor, logSigma.Value.Data);
        squaredError = null;
    }

    public override Tensor Sample(Tensor decoded, Rng rng) => GaussianSamples.Around(decoded, logSigma.Value, rng);

    public override float? Variance => logSigma.Value.Item();
}

/// <summary>Images around the decoder's mean.</summary>
internal static class GaussianSamples
{
    /// <param name="variance">sigma^2: a scalar, or of each pixel.</param>
    public static Tensor Around(Tensor mean, Tensor variance, Rng rng) => mean + rng.Normal(mean.Shape) * variance.Sqrt();
}
