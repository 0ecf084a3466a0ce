using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="CapacityVae"/>.</summary>
internal sealed record CapacityVaeSettings
{
    [Setting("weight of the KL's distance to the capacity", Least = 0)]
    public double Gamma { get; init; } = 100;

    [Setting("C_max, the capacity at the end, nats", Least = 0)]
    public double Capacity { get; init; } = 25;

    [Setting("epochs until the capacity reaches C_max", Least = 0)]
    public double CapacityEpochs { get; init; } = 5;
}

/// <summary>
/// The capacity-controlled VAE: NLL + gamma | sum_h KL - C(t) |, where C grows linearly from 0 to its maximum (equations.md (V4)).
/// </summary>
internal sealed class CapacityVae : VaeModel, ICatalogued
{
    private readonly double gamma;
    private readonly Tensor capacity;

    public CapacityVae(VaeParts parts, CapacityVaeSettings settings) : base(parts)
    {
        gamma = settings.Gamma;
        capacity = Scheduled(Schedules.Linear(0, settings.Capacity, settings.CapacityEpochs));
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
        [ModelEntry.Of<CapacityVaeSettings>("capacity-vae", (parts, settings) => new CapacityVae(parts, settings),
            "paper 5; Burgess et al. 2018", "(V4)")];

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var gap = new Term("capacity_gap", (sample.Kl.Mean() - capacity).Abs());
        return Reconstruction(x, Decode(sample.Z)) + 0 * Kl(sample) + gamma * gap;
    }
}
