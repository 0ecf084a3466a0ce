using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="VmiVae"/>.</summary>
internal sealed record VmiVaeSettings : JointSettings
{
    [Setting("weight of the KL term", Least = 0)]
    public double Beta { get; init; } = 10;

    [Setting("lambda of the bound on the category's information", Least = 0)]
    public double Lambda { get; init; } = 10;

    [SettingGroup]
    public QSettings Q { get; init; } = new();

    protected override void Check(RunConfiguration configuration)
    {
        base.Check(configuration);
        Q.MiFactors.Of(configuration.Network.Latents, "--mi-factors");
    }
}

/// <summary>
/// Variational mutual information maximisation of paper 5: NLL + beta KL - lambda (E log Q(code|x') + H(q(code))), x' the decoder's output,
/// for the category and for chosen
/// factors (equations.md (Q1)). Each batch steps Q first, then encoder and decoder (Q2).
/// </summary>
internal sealed class VmiVae : JointModel, ICatalogued
{
    private readonly VmiVaeSettings settings;
    private readonly CodeReader reader;

    public VmiVae(VaeParts parts, VmiVaeSettings settings) : base(parts, settings.Category)
    {
        this.settings = settings;
        reader = new(this, settings.Q);
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
    [
        ModelEntry.Of<VmiVaeSettings>("vmi-vae", (parts, settings) => new VmiVae(parts, settings), "paper 5", "(Q1), (Q2)") with
        {
            Code = CodeKind.Joint,
            IsFirst = true,
            Recipes = JointRecipes.OfVmiVae,
        },
    ];

    public override IReadOnlyList<TrainingPhase> Phases => [reader.Phase(QObjective), .. base.Phases];

    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var decoded = Decode(sample);
        var q = reader.Read(decoded);
        var objective = Reconstruction(x, decoded) + settings.Beta * Kl(sample) + 0 * CategoryKl(sample)
            + -settings.Lambda * new Term("mi_bound_category", q.LogCategory(sample.Y) + sample.C.EntropyOfMean());
        return reader.HasFactors ? objective + -settings.Q.MiWeight * reader.FactorBound(q, sample.Z, sample.Sample.Z) : objective;
    }

    public override void Dispose()
    {
        reader.Dispose();
        base.Dispose();
    }

    /// <summary>-log Q of this batch's codes, encoder and decoder as constants.</summary>
    private Objective QObjective(Tensor x)
    {
        var sample = Tape.Current.KeepingStatistics(() => Draw(x));
        var q = reader.Learn(() => Decode(sample));
        var loss = -q.LogCategory(sample.Y.Detach());
        return new Term("q", reader.HasFactors ? loss - q.LogFactors(reader.Chosen(sample.Sample.Z)) : loss);
    }
}
