namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// Named settings of the models with a category. "paper" is what the papers say, where they say it; "tuned" are the settings that reach the
/// figures of docs/discrete-models.md.
/// </summary>
internal static class JointRecipes
{
    private const string Mnist = "mnist", Fashion = "fashion-mnist";

    /// <summary>Paper 3's networks, code and training, and the weight that all four of its models have.</summary>
    private static readonly (string Key, object Value)[] Paper3 =
    [
        ("network", "mlp:500,1000/500,500"), ("batch_norm", "encoder"), ("latents", 10), ("noise", "bernoulli"),
        ("optimiser", "sgd"), ("learning_rate", 1e-3), ("learning_rate_decay", 0.98), ("batch", 128), ("epochs", 40),
        ("vat", 5), ("vat_radius", 1), ("vat_step", 0.1),
    ];

    /// <summary>
    /// The same with Adam, a long step of the power iteration, more of the adversary, and a category that starts undecided.
    /// </summary>
    private static readonly (string Key, object Value)[] Tuned =
    [
        .. Paper3, ("optimiser", "adam"), ("learning_rate", 2e-3), ("learning_rate_decay", 1), ("batch", 250), ("epochs", 5),
        ("vat", 50), ("vat_radius", 1.5), ("vat_step", 10), ("category_scale", 0.01),
    ];

    /// <summary>Two stages, the category first, by its information and motions in place of the adversary.</summary>
    private static readonly (string Key, object Value)[] Staged =
        [.. Tuned, ("learning_rate", 1e-3), ("batch", 125), ("category_epochs", 3), ("encoder_mi", "5:4"), ("augment", 50), ("vat", 0)];

    private static readonly (string Key, object Value)[] NothingForTheCategory = [("batch", 128), ("category_epochs", 0),
        ("encoder_mi", "0"), ("augment", 0), ("category_scale", 1)];

    private static readonly (string Key, object Value)[] Imae = [.. Tuned, ("encoder_mi", "5:4"), ("category_epochs", 2), ("epochs", 6)];

    private static readonly (string Key, object Value)[] ImaePaper = [.. Paper3, ("gamma", 2), ("encoder_mi", "5"), ("estimate", "batch")];

    private static readonly (string Key, object Value)[] JointVae = [.. Staged, ("gamma", 5), ("gamma_category", 5), ("capacity", 5),
        ("capacity_epochs", 2), ("epochs", 6)];

    /// <summary>
    /// Dupont (2018), appendix, and the code that he published: convolutions of 32, 64 and 64 channels and no more help for the category.
    /// Both capacities grow by
    /// 5 nats in 25 000 steps of 64 images, the category's up to log 10. His images are padded to 32 x 32.
    /// </summary>
    private static readonly (string Key, object Value)[] Dupont =
    [
        ("network", "conv:32,64,64"), ("latents", 10), ("noise", "bernoulli"), ("learning_rate", 5e-4), ("batch", 64), ("epochs", 100),
        ("temperature", 0.67), ("temperature_end", 0.67), ("gamma", 30), ("gamma_category", 30), ("capacity", 5),
        ("capacity_epochs", 25_000 * 64 / 60_000.0), ("capacity_category_epochs", 25_000 * 64 / 60_000.0 * Math.Log(10) / 5),
    ];

    private static readonly (string Key, object Value)[] VmiVae = [.. Staged, ("latents", 16), ("noise", "fixed:0.49"), ("beta", 1),
        ("lambda", 2), ("mi_weight", 0.1), ("q_input", "mean")];

    public static IReadOnlyList<Recipe> OfImae { get; } =
    [
        new("tuned", Mnist, Imae),
        new("paper", Mnist, ImaePaper),
        new("tuned", Fashion, [.. Imae, ("beta", 2), ("gamma", 1), ("category_epochs", 0), ("epochs", 8)]),
        new("paper", Fashion, ImaePaper),
    ];

    public static IReadOnlyList<Recipe> OfJointVae { get; } =
    [
        new("tuned", Mnist, JointVae),
        new("paper", Mnist, Dupont),
    ];

    public static IReadOnlyList<Recipe> OfVmiVae { get; } =
    [
        new("tuned", Mnist, VmiVae),
        // Section 4.3.2: the objective alone, for 30 epochs of convolutional networks.
        new("paper", Mnist, [.. VmiVae, .. NothingForTheCategory, ("network", "conv"), ("batch_norm", "all"), ("epochs", 30)]),
    ];

    /// <summary>
    /// Section 4.3.1 (Q5): 32 factors, x' drawn from p(x|z), information of two of them, of which the paper takes the least influential
    /// ones of the plain run. Its lambda of
    /// 0.01 belongs to a loss that is a mean over the 784 pixels (Q4).
    /// </summary>
    public static IReadOnlyList<Recipe> OfGaussianVmiVae { get; } = [new("paper", Mnist,
        [("network", "conv"), ("batch_norm", "all"), ("latents", 32), ("noise", "fixed:0.49"), ("batch", 128), ("epochs", 30),
            ("mi_weight", 7.84)])];

    /// <summary>Paper 3's baselines, with the weight that all its models have.</summary>
    public static IReadOnlyList<Recipe> OfInfoVae { get; } = [new("tuned", Mnist, Tuned), new("paper", Mnist, Paper3)];

    public static IReadOnlyList<Recipe> OfBetaVae { get; } =
        [.. OfInfoVae.Select(r => r with { Settings = [.. r.Settings, ("beta", 5), ("kl_warm_up_epochs", 0)] })];
}
