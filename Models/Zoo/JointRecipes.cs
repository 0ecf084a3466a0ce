namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// Named settings of the models with a category. "paper" is what the papers say, where they say it; "tuned" are the settings that reach the figures of docs/discrete-models.md.
/// </summary>
public static class JointRecipes
{
    /// <summary>Paper 3's networks and code for all four of its models.</summary>
    private static readonly RunConfiguration Paper3 = new()
    {
        LatentKind = "joint",
        Network = "mlp:500,1000/500,500",
        BatchNorm = "encoder",
        Latents = 10,
        Noise = "bernoulli",
        KlWarmUpEpochs = 0,
        Optimiser = "sgd",
        LearningRate = 1e-3,
        LearningRateDecay = 0.98,
        Batch = 128,
        Epochs = 40,
        EncoderMi = "0",
        Vat = 5,
        VatRadius = 1,
        VatStep = 0.1,
        Recipe = "paper",
    };

    /// <summary>The same with Adam, a long step of the power iteration, more of the adversary, and a category that starts undecided.</summary>
    private static readonly RunConfiguration Tuned = Paper3 with
    {
        Optimiser = "adam",
        LearningRate = 2e-3,
        LearningRateDecay = 1,
        Batch = 250,
        Epochs = 5,
        Vat = 50,
        VatRadius = 1.5,
        VatStep = 10,
        CategoryScale = 0.01,
        Recipe = "tuned",
    };

    public static RunConfiguration Imae { get; } = Tuned with { Model = "imae", Beta = 5, Gamma = 4, EncoderMi = "5:4", CategoryEpochs = 2, Epochs = 6 };

    public static RunConfiguration JointVae { get; } = Tuned with
    {
        Model = "joint-vae",
        Gamma = 5,
        GammaCategory = 5,
        Capacity = 5,
        CapacityEpochs = 2,
        LearningRate = 1e-3,
        Batch = 125,
        Epochs = 6,
        CategoryEpochs = 3,
        EncoderMi = "5:4",
        Augment = 50,
        Vat = 0,
    };

    public static RunConfiguration VmiVae { get; } = Tuned with
    {
        Model = "vmi-vae",
        Latents = 16,
        Noise = "fixed:0.49",
        Beta = 1,
        Lambda = 2,
        MiWeight = 0.1,
        QInput = "mean",
        LearningRate = 1e-3,
        Batch = 125,
        CategoryEpochs = 3,
        EncoderMi = "5:4",
        Augment = 50,
        Vat = 0,
    };

    public static IReadOnlyList<Recipe> OfImae { get; } =
    [
        new("tuned", "mnist", Imae),
        new("paper", "mnist", Paper3 with { Model = "imae", Beta = 5, Gamma = 2, EncoderMi = "5", Estimate = "batch" }),
        new("tuned", "fashion-mnist", Imae with { Data = "fashion-mnist", Beta = 2, Gamma = 1, CategoryEpochs = 0, Epochs = 8 }),
        new("paper", "fashion-mnist", Paper3 with { Model = "imae", Data = "fashion-mnist", Beta = 5, Gamma = 2, EncoderMi = "5", Estimate = "batch" }),
    ];

    public static IReadOnlyList<Recipe> OfJointVae { get; } =
    [
        new("tuned", "mnist", JointVae),
        // Dupont (2018): gamma 30, C_z 5, C_c log 10; no adversary, no information term.
        new("paper", "mnist", JointVae with { Recipe = "paper", Gamma = 30, GammaCategory = 30, CapacityEpochs = 5, Batch = 128, CategoryEpochs = 0, EncoderMi = "0", Augment = 0, CategoryScale = 1 }),
    ];

    public static IReadOnlyList<Recipe> OfVmiVae { get; } =
    [
        new("tuned", "mnist", VmiVae),
        new("paper", "mnist", VmiVae with { Recipe = "paper", Batch = 128, CategoryEpochs = 0, EncoderMi = "0", Augment = 0, CategoryScale = 1 }),
    ];

    /// <summary>Paper 3's baseline with the weight that all its models have.</summary>
    public static IReadOnlyList<Recipe> OfBetaVae { get; } = Baseline(new() { Model = "beta-vae", Beta = 5 });

    public static IReadOnlyList<Recipe> OfInfoVae { get; } = Baseline(new() { Model = "info-vae", Beta = 5, Reading = "marginal", Estimate = "batch" });

    private static Recipe[] Baseline(RunConfiguration own) =>
        [.. new[] { Tuned, Paper3 }.Select(r => new Recipe(r.Recipe, "mnist", r with { Model = own.Model, Beta = own.Beta, Reading = own.Reading, Estimate = own.Estimate }))];
}
