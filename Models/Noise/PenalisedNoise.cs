using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>
/// One variance b for all pixels with the penalty lambda_2 D / (2 b), which keeps it from shrinking (paper 4 (12)). The best b for given
/// residuals is
/// mean |x - g(z)|^2 / D + lambda_2 (equations.md (G4)); the first part is a running mean over minibatches.
/// </summary>
/// <param name="settings">Of the running mean.</param>
/// <param name="lambda2">Squared pixel units.</param>
internal sealed class PenalisedNoise(ClosedFormSettings settings, double lambda2) : NoiseModel
{
    private readonly Parameter residual = new("noise.residual", Shape.Scalar, [(float)settings.Start], trainable: false);
    private Tensor? squaredError;
    private int pixels;

    public override string Name => "learned";

    public override IEnumerable<Parameter> Parameters => [residual];

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded)
    {
        var (nll, error) = Ops.GaussianNll(x, decoded, ObservationVariance);
        (squaredError, pixels) = (error, x.Length);
        return new("nll", nll);
    }

    public override Tensor Sample(Tensor decoded, Rng rng) => GaussianSamples.Around(decoded, ObservationVariance, rng);

    public override Term Penalty(int pixels) => new("variance_penalty", (float)(0.5 * lambda2 * pixels) * ObservationVariance.Reciprocal());

    public override void AfterStep()
    {
        if (squaredError is null)
            return;
        squaredError.Compute.Backend.UpdateVariance(squaredError.Data, pixels, (float)settings.Decay, (float)settings.MaximumChange,
            (float)settings.Floor, residual.Value.Data);
        squaredError = null;
    }

    public override float? Variance => residual.Value.Item() + (float)lambda2;

    private Tensor ObservationVariance => residual.Value + (float)lambda2;
}
