using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>The beta-VAE with a category, as paper 3 compares it: NLL + beta (KL_z + KL_c) (equations.md (V3), (C2)).</summary>
public sealed class JointBetaVae : JointModel
{
    private readonly Coefficient beta;

    /// <param name="klWarmUpEpochs">As for <see cref="BetaVae"/>.</param>
    public JointBetaVae(VaeParts parts, JointSettings settings, double beta, double klWarmUpEpochs) : base(parts, settings) =>
        this.beta = new(beta, klWarmUpEpochs > 0 ? Scheduled(Schedules.Linear(0, 1, klWarmUpEpochs)) : null);

    protected override Objective Objective(Tensor x, JointSample sample) =>
        Reconstruction(x, Decode(sample)) + beta * Kl(sample) + 0 * CategoryKl(sample);
}
