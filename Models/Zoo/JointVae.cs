using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Capacities that grow linearly from 0.</summary>
/// <param name="Factors">C_z at the end, nats.</param>
/// <param name="Category">C_c at the end, nats; at most log K counts.</param>
/// <param name="Epochs">Until the end; counted from when the whole model trains.</param>
public sealed record JointCapacities(double Factors, double Category, double Epochs);

/// <summary>
/// JointVAE of Dupont (2018), which papers 3 and 5 compare with: NLL + gamma_z |KL_z - C_z(t)| + gamma_c |KL_c - C_c(t)| (equations.md (C4)).
/// </summary>
public sealed class JointVae : JointModel
{
    private readonly double gammaZ, gammaC;
    private readonly Tensor capacityZ, capacityC;

    public JointVae(VaeParts parts, JointSettings settings, double gammaZ, double gammaC, JointCapacities capacities) : base(parts, settings)
    {
        (this.gammaZ, this.gammaC) = (gammaZ, gammaC);
        capacityZ = Scheduled(Growing(capacities.Factors));
        capacityC = Scheduled(Growing(Math.Min(capacities.Category, Math.Log(Categories))));

        Schedule Growing(double end) => epoch => Schedules.Linear(0, end, capacities.Epochs)(Math.Max(0, epoch - settings.CategoryEpochs));
    }

    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var gapZ = new Term("capacity_gap", (sample.Sample.Kl.Mean() - capacityZ).Abs());
        var gapC = new Term("capacity_gap_category", (sample.C.KlToUniform().Mean() - capacityC).Abs());
        return Reconstruction(x, Decode(sample)) + 0 * Kl(sample) + 0 * CategoryKl(sample) + gammaZ * gapZ + gammaC * gapC;
    }
}
