using VaeFromScratch.Data.Own;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Training;

/// <summary>How grey values become 0 or 1.</summary>
public enum Binarise
{
    /// <summary>They stay as they are.</summary>
    None,
    /// <summary>1 where a pixel is above 0.5.</summary>
    Threshold,
    /// <summary>Drawn once by the seed, with the pixel as probability.</summary>
    Static,
    /// <summary>Drawn anew for each batch.</summary>
    Dynamic,
}

/// <summary>What is trained on.</summary>
public sealed record DataSettings
{
    private const string Names = "a data set of `vae list datasets`, or a file of your own: arrays (.npz) or a table (.csv)";

    [Setting(Names, Key = "data", Expected = Names)]
    public string Name { get; init => field = OwnFile.FullName(value); } = "mnist";

    [Setting("only the first N training images in file order; 0 for all", Least = 0)]
    public int Limit { get; init; }

    [Setting("how grey values become 0 or 1: threshold (above 0.5), static (drawn once) or dynamic (drawn anew for each batch)")]
    public Binarise Binarise { get; init; }
}

/// <summary>How long is trained, and from which random numbers.</summary>
public sealed record TrainingSettings
{
    [Setting("passes over the training images", Least = 1, MayChange = true)]
    public int Epochs { get; init; } = 5;

    [Setting("images per step; more than there are means one batch", Least = 1)]
    public int Batch { get; init; } = 100;

    [Setting("parts of each batch whose gradients are added in a fixed order, so that any number of processes trains the same bits: "
        + "a power of two; 0 for one part a process", Least = 0)]
    public int Reproducible { get; init; }

    [Setting("of all random draws")]
    public ulong Seed { get; init; } = 1;

    [Setting("operands of matrix products and convolutions, on tensor cores where it is not fp32")]
    public Precision Precision { get; init; } = Precision.Tf32;
}

/// <summary>An optimiser by name.</summary>
public enum OptimiserKind
{
    Adam,
    Rmsprop,
    Sgd,
}

/// <summary>How the model's parameters are stepped; a discriminator and the like bring an optimiser of their own.</summary>
public sealed record OptimiserSettings
{
    [Setting("how parameters are stepped")]
    public OptimiserKind Optimiser { get; init; }

    [Setting("learning rate", Short = "--lr", Above = 0, MayChange = true)]
    public double LearningRate { get; init; } = 1e-3;

    [Setting("factor on the learning rate after each epoch", Above = 0, Most = 1)]
    public double LearningRateDecay { get; init; } = 1;

    [Setting("share of the epochs after which the learning rate falls, by exp(-5 t^2) with t from 0 to 1 over the rest; 1 for never",
        Least = 0, Most = 1)]
    public double LearningRateHold { get; init; } = 1;

    [Setting("weight decay: decoupled with adam, a part of the gradient with sgd", Least = 0, OnlyWith = "optimiser=adam|sgd")]
    public double WeightDecay { get; init; }

    [Setting("momentum of sgd", Least = 0, Below = 1, OnlyWith = "optimiser=sgd")]
    public double Momentum { get; init; } = 0.9;

    [Setting("largest norm of all gradients of a step together, to which larger ones are scaled down; 0 for no limit", Least = 0,
        MayChange = true)]
    public double ClipNorm { get; init; }

    /// <exception cref="OptionException">There is a weight decay that the optimiser has not.</exception>
    internal void Check()
    {
        if (Optimiser == OptimiserKind.Rmsprop && WeightDecay > 0)
            throw new OptionException(
                FormattableString.Invariant($"weight_decay {WeightDecay}: rmsprop has none; set it to 0, or optimiser to adam or sgd"));
    }

    internal Optimiser Create(Compute compute, ParameterArena arena) => Optimiser switch
    {
        OptimiserKind.Rmsprop => new RmsProp(compute, arena) { ClipNorm = ClipNorm },
        OptimiserKind.Sgd => new Sgd(compute, arena, Momentum, WeightDecay) { ClipNorm = ClipNorm },
        _ => new Adam(compute, arena, decoupledWeightDecay: WeightDecay) { ClipNorm = ClipNorm },
    };

    /// <param name="own">The learning rate that a phase starts from in place of the run's; null for the run's.</param>
    internal Schedule Schedule(int epochs, double? own = null) =>
        Schedules.RampDown(Schedules.PerEpoch(own ?? LearningRate, LearningRateDecay), epochs, LearningRateHold);
}
