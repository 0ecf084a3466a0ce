using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>Settings of <see cref="MixtureNoise"/>.</summary>
/// <param name="Components">The number of components, K.</param>
/// <param name="Start">sigma^2 of the widest component before the first step; each further one starts ten times narrower.</param>
/// <param name="Decay">Of the sufficient statistics over minibatches; 0 makes each step a full EM step on its batch.</param>
/// <param name="MaximumChange">The largest relative change of a variance in one step; 1 or more for no limit.</param>
/// <param name="Floor">Below which no sigma^2 falls.</param>
/// <param name="WeightFloor">Below which no pi falls.</param>
internal sealed record MixtureSettings(int Components, double Start, double Decay = 0.99, double MaximumChange = 0.005, double Floor = 1e-6,
    double WeightFloor = 1e-4);

/// <summary>
/// A mixture of K Gaussians around the one mean that the decoder gives, with shared pi_k and sigma_k^2, moved by expectation maximisation
/// (equations.md (N4)).
/// With K = 1 it is <see cref="ClosedFormNoise"/>.
/// </summary>
/// <remarks>
/// The gradient of the marginal NLL with respect to the mean is the network step of (N4), with the memberships held. The decayed statistics
/// are N_k = pi_k and
/// sum gamma (x - g)^2 = pi_k sigma_k^2 per pixel, so that the parameters are the whole state. The change per step is limited for the
/// reason that
/// <see cref="ClosedFormNoise"/> gives.
/// </remarks>
internal sealed class MixtureNoise : NoiseModel
{
    private readonly MixtureSettings settings;
    private readonly Parameter weights, variances;
    private Residual? last;

    public MixtureNoise(MixtureSettings settings)
    {
        if (settings.Components < 1)
            throw new ArgumentException($"noise mog: {settings.Components} components; there must be at least 1");
        this.settings = settings;
        int k = settings.Components;
        weights = new("noise.weights", new(k), [.. Enumerable.Repeat(1f / k, k)], trainable: false);
        variances = new("noise.variances", new(k),
            [.. Enumerable.Range(0, k).Select(i => (float)Math.Max(settings.Floor, settings.Start * Math.Pow(0.1, i)))], trainable: false);
    }

    public override string Name => $"mog:{settings.Components}";

    public override IEnumerable<Parameter> Parameters => [weights, variances];

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded)
    {
        last = Describe(x, decoded);
        return new("nll", -last.LogDensity.Reshape(x.Shape[0], -1).SumPerRow());
    }

    public override void Weigh(Tensor weights) =>
        last = last! with { Weights = weights.Detach().RepeatEach(last.Squared.Length / weights.Length).Reshape(last.Squared.Length) };

    /// <summary>gamma: the probability that each pixel's residual belongs to each component, [K, B, H, W, C]; sums to 1 over K.</summary>
    public Tensor Memberships(Tensor x, Tensor decoded)
    {
        var residual = Describe(x, decoded);
        return Memberships(residual).Reshape([settings.Components, .. x.Shape.Sizes]);
    }

    /// <summary>The component of each pixel is drawn first.</summary>
    public override Tensor Sample(Tensor decoded, Rng rng)
    {
        var component = weights.Value.Log().RepeatRows(decoded.Length).SampleOneHot(rng);
        return GaussianSamples.Around(decoded, (component * variances.Value).SumPerRow().Reshape(decoded.Shape.Sizes), rng);
    }

    /// <summary>The M-step on the decayed statistics of the last batch.</summary>
    public override void AfterStep()
    {
        if (last is null)
            return;
        using var tape = weights.Value.Compute.Tape(gradients: false);
        Tensor pi = weights.Value, s2 = variances.Value, gamma = last.Weights is { } rows ? Memberships(last) * rows : Memberships(last);
        float decay = (float)settings.Decay;
        var count = decay * pi + (1 - decay) * gamma.Mean(1);
        var squares = decay * (pi * s2) + (1 - decay) * (gamma * last.Squared).Mean(1);
        var moved = squares / count;
        var raised = count.ClampMin((float)settings.WeightFloor);
        VarianceSteps.Store(VarianceSteps.Limited(moved, s2, settings.MaximumChange, settings.Floor), s2);
        VarianceSteps.Store(raised / raised.Sum(), pi);
        last = null;
    }

    /// <summary>sum_k pi_k sigma_k^2.</summary>
    public override float? Variance => Components.Sum(c => c.Weight * c.Variance);

    public override IReadOnlyList<NoiseComponent> Components =>
        [.. weights.Value.ToArray().Zip(variances.Value.ToArray(), (pi, s2) => new NoiseComponent(pi, s2))];

    /// <param name="Squared">(x - g)^2, [pixels of the batch].</param>
    /// <param name="Terms">log pi_k + log N(x | g, s2_k), [K, pixels].</param>
    /// <param name="LogDensity">log p(x|z) of each pixel, [pixels].</param>
    /// <param name="Weights">How much each pixel counts, of mean 1, [pixels]; null where all count the same.</param>
    private sealed record Residual(Tensor Squared, Tensor Terms, Tensor LogDensity, Tensor? Weights = null);

    private Residual Describe(Tensor x, Tensor decoded)
    {
        var squared = (x - decoded).Square().Reshape(x.Length);
        var constant = weights.Value.Log() - 0.5f * (variances.Value.Log() + DiagonalGaussian.LogTwoPi);
        var slope = -0.5f * variances.Value.Reciprocal();
        var terms = Ops.Concat(0, [.. Enumerable.Range(0, settings.Components).Select(k =>
            (squared * slope.Slice(0, k, 1).Reshape() + constant.Slice(0, k, 1).Reshape()).Reshape(1, x.Length))]);
        return new(squared, terms, terms.LogSumExp(0));
    }

    private static Tensor Memberships(Residual residual) => (residual.Terms - residual.LogDensity).Exp();
}
