using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// The capacity-controlled VAE: NLL + gamma | sum_h KL - C(t) |, where C grows linearly from 0 to its maximum (equations.md (V4)).
/// </summary>
public sealed class CapacityVae : VaeModel
{
    private readonly double gamma;
    private readonly Tensor capacity;

    /// <param name="gamma">Weight of the distance to the capacity.</param>
    /// <param name="maximumCapacity">C_max, nats.</param>
    /// <param name="rampEpochs">Epochs until C reaches it.</param>
    public CapacityVae(VaeParts parts, double gamma, double maximumCapacity, double rampEpochs) : base(parts)
    {
        this.gamma = gamma;
        capacity = Scheduled(Schedules.Linear(0, maximumCapacity, rampEpochs));
    }

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var gap = new Term("capacity_gap", (sample.Kl.Mean() - capacity).Abs());
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample) + gamma * gap;
    }
}
