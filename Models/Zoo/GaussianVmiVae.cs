using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="GaussianVmiVae"/>.</summary>
internal sealed record GaussianVmiVaeSettings : IModelSettings
{
    [Setting("weight of the KL term", Least = 0)]
    public double Beta { get; init; } = 1;

    [SettingGroup]
    public QSettings Q { get; init; } = new() { MiFactors = new(0, 1) };

    void IModelSettings.Check(RunConfiguration configuration)
    {
        if (Q.MiFactors.Of(configuration.Network.Latents, "--mi-factors").Length == 0)
            throw new OptionException("--mi-factors: without a category it needs the factors whose information to raise, such as 0,1");
    }
}

/// <summary>
/// Paper 5, section 4.3.1: a VAE whose chosen factors are told from the decoder's output, NLL + beta KL - lambda (E log Q(z_F|x') +
/// H(q(z_F)))
/// (equations.md (Q1), (Q5)). Each batch steps Q first, then encoder and decoder (Q2).
/// </summary>
internal sealed class GaussianVmiVae : VaeModel, ICatalogued
{
    private readonly GaussianVmiVaeSettings settings;
    private readonly CodeReader reader;

    public GaussianVmiVae(VaeParts parts, GaussianVmiVaeSettings settings) : base(parts)
    {
        this.settings = settings;
        reader = new(this, settings.Q);
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<GaussianVmiVaeSettings>("vmi-vae", (parts, settings) => new GaussianVmiVae(parts, settings), "paper 5",
            "(Q1), (Q2), (Q5)") with
        {
            Recipes = JointRecipes.OfGaussianVmiVae,
        },
    ];

    public override IReadOnlyList<TrainingPhase> Phases => [reader.Phase(QObjective), .. base.Phases];

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var decoded = Decode(sample.Z);
        return Reconstruction(x, decoded) + settings.Beta * Kl(sample) + -settings.Q.MiWeight * reader.FactorBound(reader.Read(decoded), q,
            sample.Z);
    }

    public override void Dispose()
    {
        reader.Dispose();
        base.Dispose();
    }

    /// <summary>-log Q of this batch's chosen factors, encoder and decoder as constants.</summary>
    private Objective QObjective(Tensor x)
    {
        var sample = Tape.Current.KeepingStatistics(() => Encode(x).Sample(Rng));
        var q = reader.Learn(() => Decode(sample.Z));
        return new Term("q", -q.LogFactors(reader.Chosen(sample.Z.Detach())));
    }
}
