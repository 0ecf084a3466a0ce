using VaeFromScratch;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace SparseVae;

/// <summary>Settings of <see cref="SparseVae"/>.</summary>
public sealed record SparseSettings
{
    [Setting("weight of the penalty on the means' magnitudes", Least = 0)]
    public double Weight { get; init; } = 0.1;
}

/// <summary>NLL + KL + weight sum_h |mu_h|.</summary>
public sealed class SparseVae(VaeParts parts, SparseSettings settings) : VaeModel(parts), ICatalogued
{
    /// <summary>What `vae --plugin` finds.</summary>
    public static IReadOnlyList<ModelEntry> Entries { get; } =
        [ModelEntry.Of<SparseSettings>("sparse-vae", (parts, settings) => new SparseVae(parts, settings))];

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + Kl(sample) + settings.Weight * new Term("magnitude", q.Mu.Abs().SumPerRow());
    }
}
