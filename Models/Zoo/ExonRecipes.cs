namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of EXoN by data set: the text of paper 4, and those that reach its figures (equations.md (G8)).</summary>
internal static class ExonRecipes
{
    /// <summary>Section 4.1: 5 000 labels, two hidden layers, a plane as latent space.</summary>
    private static readonly RunConfiguration Paper = new()
    {
        Model = "exon",
        Recipe = "paper",
        Network = "mlp:400,200",
        LeakySlope = 0.01,
        Latents = 2,
        Labels = 5000,
        Lambda1 = 100,
        Lambda2 = 1.1,
        Optimiser = "rmsprop",
        Batch = 2000,
        LabelledBatch = 179,
        Epochs = 200,
    };

    /// <summary>The same objective, with batch normalisation and smaller batches, in fewer epochs.</summary>
    public static readonly RunConfiguration Tuned = Paper with
    {
        Recipe = "tuned",
        LeakySlope = 0,
        BatchNorm = "encoder",
        Optimiser = "adam",
        LearningRateHold = 0.4,
        WeightDecay = 5e-4,
        Batch = 500,
        LabelledBatch = 100,
        Epochs = 15,
        Augment = 1,
        AugmentRotation = 25,
        AugmentScale = 0,
        AugmentShear = 0,
        AugmentShift = 4,
    };

    /// <summary>
    /// (G8) in nats: beta 0.25 on pixels in [-1, 1] is a fixed variance of 0.0625 on pixels in [0, 1]; lambda_1 6000 for a sum over 32 labelled of 128 images is
    /// 6000 for means over both, after division by beta.
    /// </summary>
    private static readonly RunConfiguration Full = Tuned with
    {
        Recipe = "full",
        Labels = 100,
        Noise = "fixed:0.0625",
        Lambda1 = 6000,
        Lambda2 = 0,
        Classifier = "conv:32,64,128",
        Mixup = true,
        LearningRate = 3e-3,
        Batch = 128,
        LabelledBatch = 32,
        Epochs = 30,
    };

    /// <summary>Section 4.2: 10 000 labels of 50 000 images, the networks of tables 1 and 2, the weighted Gaussian (N6), a classifier trained beforehand.</summary>
    private static readonly RunConfiguration Cifar = new()
    {
        Model = "exon",
        Recipe = "paper",
        Data = "cifar10",
        Network = "exon",
        Classifier = "pool:32,64,128",
        Latents = 300,
        Design = "line",
        Noise = "weighted",
        Labels = 10_000,
        Lambda1 = 100,
        LearningRate = 5e-3,
        Batch = 128,
        LabelledBatch = 128,
        PretrainingEpochs = 15,
        PretrainingLearningRate = 2e-3,
        Epochs = 200,
    };

    private static readonly RunConfiguration CifarFull = Cifar with
    {
        Recipe = "full",
        Labels = 4000,
        Latents = 256,
        Noise = "fixed:0.0625",
        Lambda1 = 6000,
        Mixup = true,
        RampEpochs = 50,
        Augment = 1,
        AugmentRotation = 0,
        AugmentScale = 0,
        AugmentShear = 0,
        AugmentShift = 2,
        AugmentMirror = true,
        AugmentReflect = true,
        LearningRate = 1e-3,
        LearningRateHold = 0.4,
        WeightDecay = 5e-4,
        LabelledBatch = 32,
    };

    /// <summary>The first of each data set is its default.</summary>
    public static IReadOnlyList<Recipe> All { get; } = [.. new[] { Tuned, Paper, Full, Cifar, CifarFull }.Select(c => new Recipe(c.Recipe, c.Data, c))];
}
