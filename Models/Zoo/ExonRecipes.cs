namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of EXoN by data set: the text of paper 4, and those that reach its figures (equations.md (G8)).</summary>
internal static class ExonRecipes
{
    private const string Mnist = "mnist", Cifar10 = "cifar10";

    /// <summary>Section 4.1: 5 000 labels, hidden layers of 200 and 400 both ways, a plane as latent space.</summary>
    private static readonly (string Key, object Value)[] Paper =
    [
        ("network", "mlp:200,400/200,400"), ("leaky_slope", 0.01), ("latents", 2), ("labels", 5000), ("lambda1", 100), ("lambda2", 1.1),
        ("optimiser", "rmsprop"), ("batch", 2000), ("labelled_batch", 179), ("epochs", 200),
    ];

    /// <summary>The same objective, with batch normalisation and smaller batches, in fewer epochs.</summary>
    private static readonly (string Key, object Value)[] Tuned =
    [
        .. Paper, ("network", "mlp:400,200"), ("leaky_slope", 0), ("batch_norm", "encoder"), ("optimiser", "adam"), ("learning_rate_hold",
            0.4), ("weight_decay", 5e-4),
        ("batch", 500), ("labelled_batch", 100), ("epochs", 15),
        ("augment", 1), ("augment_rotation", 25), ("augment_scale", 0), ("augment_shear", 0), ("augment_shift", 4),
    ];

    /// <summary>
    /// (G8) in nats: beta 0.25 on pixels in [-1, 1] is a fixed variance of 0.0625 on pixels in [0, 1]; lambda_1 6000 for a sum over 32
    /// labelled of 128 images is
    /// 6000 for means over both, after division by beta.
    /// </summary>
    private static readonly (string Key, object Value)[] Full =
    [
        .. Tuned, ("labels", 100), ("noise", "fixed:0.0625"), ("lambda1", 6000), ("lambda2", 0), ("classifier", "conv:32,64,128"),
            ("mixup", true),
        ("learning_rate", 3e-3), ("batch", 128), ("labelled_batch", 32), ("epochs", 30),
    ];

    /// <summary>
    /// Section 4.2: 10 000 labels of 50 000 images, the networks of tables 1 and 2, the weighted Gaussian (N6), a classifier trained
    /// beforehand.
    /// </summary>
    private static readonly (string Key, object Value)[] Cifar =
    [
        ("network", "exon"), ("classifier", "pool:32,64,128"), ("latents", 300), ("design", "line"), ("noise", "weighted"),
            ("labels", 10_000), ("lambda1", 100),
        ("learning_rate", 5e-3), ("batch", 128), ("labelled_batch", 128), ("pretraining_epochs", 15), ("pretraining_learning_rate", 2e-3),
            ("epochs", 200),
    ];

    private static readonly (string Key, object Value)[] CifarFull =
    [
        .. Cifar, ("labels", 4000), ("latents", 256), ("noise", "fixed:0.0625"), ("lambda1", 6000), ("mixup", true), ("ramp_epochs", 50),
        ("augment", 1), ("augment_rotation", 0), ("augment_scale", 0), ("augment_shear", 0), ("augment_shift", 2),
            ("augment_mirror", true), ("augment_reflect", true),
        ("learning_rate", 1e-3), ("learning_rate_hold", 0.4), ("weight_decay", 5e-4), ("labelled_batch", 32),
    ];

    /// <summary>The first of each data set is its default.</summary>
    public static IReadOnlyList<Recipe> All { get; } =
        [new("tuned", Mnist, Tuned), new("paper", Mnist, Paper), new("full", Mnist, Full), new("paper", Cifar10, Cifar),
            new("full", Cifar10, CifarFull)];
}
