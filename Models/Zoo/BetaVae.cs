using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// The beta-VAE of papers 1 and 2, and with beta 1 the VAE: NLL + beta sum_h KL (equations.md (V3)).
/// </summary>
public sealed class BetaVae : VaeModel
{
    private readonly Coefficient beta;

    /// <param name="klWarmUpEpochs">Over this many epochs beta grows linearly from 0; 0 for no warm-up.</param>
    public BetaVae(VaeParts parts, double beta, double klWarmUpEpochs = 0) : base(parts) =>
        this.beta = new(beta, klWarmUpEpochs > 0 ? Scheduled(Schedules.Linear(0, 1, klWarmUpEpochs)) : null);

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + beta * Kl(sample);
    }
}
