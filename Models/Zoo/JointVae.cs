using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="JointVae"/>.</summary>
internal sealed record JointVaeSettings : JointSettings
{
    [Setting("weight of the distance of the factors' KL to its capacity", Least = 0)]
    public double Gamma { get; init; } = 100;

    [Setting("weight of the distance of the category's KL to its capacity", Least = 0)]
    public double GammaCategory { get; init; } = 30;

    [Setting("C_z, the factors' capacity at the end, nats", Least = 0)]
    public double Capacity { get; init; } = 25;

    [Setting("C_c, the category's capacity at the end, nats; log K where it is more than that", Least = 0)]
    public double CapacityCategory { get; init; } = 100;

    [Setting("epochs until the capacities are at their ends, counted from when the whole model trains", Least = 0)]
    public double CapacityEpochs { get; init; } = 5;

    [Setting("the same of the category's capacity alone; 0 for capacity_epochs", Least = 0)]
    public double CapacityCategoryEpochs { get; init; }
}

/// <summary>
/// JointVAE of Dupont (2018), which papers 3 and 5 compare with: NLL + gamma_z |KL_z - C_z(t)| + gamma_c |KL_c - C_c(t)| (equations.md
/// (C4)).
/// </summary>
internal sealed class JointVae : JointModel, ICatalogued
{
    private readonly JointVaeSettings settings;
    private readonly Tensor capacityZ, capacityC;

    public JointVae(VaeParts parts, JointVaeSettings settings) : base(parts, settings.Category)
    {
        this.settings = settings;
        capacityZ = Scheduled(Growing(settings.Capacity, settings.CapacityEpochs));
        capacityC = Scheduled(Growing(Math.Min(settings.CapacityCategory, Math.Log(Categories)),
            settings.CapacityCategoryEpochs > 0 ? settings.CapacityCategoryEpochs : settings.CapacityEpochs));

        Schedule Growing(double end, double epochs)
        {
            var growing = Schedules.Linear(0, end, epochs);
            return epoch => growing(Math.Max(0, epoch - CategoryEpochs));
        }
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<JointVaeSettings>("joint-vae", (parts, settings) => new JointVae(parts, settings), "papers 3, 5; Dupont 2018",
            "(C4)") with
        {
            Code = CodeKind.Joint,
            Recipes = JointRecipes.OfJointVae,
        },
    ];

    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var gapZ = new Term("capacity_gap", (sample.Sample.Kl.Mean() - capacityZ).Abs());
        var gapC = new Term("capacity_gap_category", (sample.C.KlToUniform().Mean() - capacityC).Abs());
        return Reconstruction(x, Decode(sample)) + 0 * Kl(sample) + 0 * CategoryKl(sample) + settings.Gamma * gapZ
            + settings.GammaCategory * gapC;
    }
}
