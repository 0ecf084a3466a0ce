using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Terms;

/// <summary>What the auxiliary network Q reads.</summary>
internal enum QInput
{
    /// <summary>x' drawn from p(x|z).</summary>
    Sample,
    /// <summary>The decoder's mean.</summary>
    Mean,
}

/// <summary>Settings of the auxiliary network Q of paper 5's models.</summary>
internal sealed record QSettings
{
    [Setting("lambda of the bound on the chosen factors' information", Least = 0)]
    public double MiWeight { get; init; } = 1;

    [Setting("factors whose information is raised, such as 0,1; empty for none",
        Expected = "different factors such as 0,1 with commas between")]
    public FactorList MiFactors { get; init; } = new();

    [Setting("what Q reads: x' drawn from p(x|z), or the decoder's mean")]
    public QInput QInput { get; init; }

    [Setting("widths of the hidden layers of the auxiliary network Q", Expected = "widths such as 256,128")]
    public Widths QNetwork { get; init; } = new(256, 128);

    [Setting("learning rate of Q's Adam", Above = 0, MayChange = true)]
    public double QLearningRate { get; init; } = 1e-3;
}

/// <summary>
/// Q of paper 5, which tells a model's code from the decoder's output x', with the phase that trains it (equations.md (Q1), (Q2)).
/// </summary>
internal sealed class CodeReader : IDisposable
{
    // Apart from the draws of encoder and decoder ("vmiq" in ASCII).
    private const uint Stream = 0x766d6971;

    private readonly VaeModel model;
    private readonly QSettings settings;
    private readonly AuxiliaryNetwork network;
    private readonly ParameterArena arena;

    public CodeReader(VaeModel model, QSettings settings)
    {
        (this.model, this.settings) = (model, settings);
        network = new(model.Image.Pixels, settings.QNetwork.Values, model.Categories, settings.MiFactors.Factors.Length,
            new Initialise(model.Rng.Seed, Stream));
        arena = new(model.Compute, network.Parameters);
    }

    /// <summary>Whether there are factors whose information is raised.</summary>
    public bool HasFactors => settings.MiFactors.Factors.Length > 0;

    /// <summary>Q's own step on each batch, before encoder and decoder take theirs.</summary>
    public TrainingPhase Phase(Func<Tensor, Objective> objective) => new("q", arena, batch => objective(batch.Images),
        new(settings.QLearningRate));

    /// <summary>Q of x', through which gradients flow into the decoder; its statistics are those of its own step.</summary>
    public AuxiliaryOutput Read(Tensor decoded) => Tape.Current.KeepingStatistics(() => network.Read(Output(decoded)));

    /// <summary>Q in its own step: x' is a constant.</summary>
    public AuxiliaryOutput Learn(Func<Tensor> decode)
    {
        var output = Tape.Current.KeepingStatistics(() => Output(decode()));
        return network.Read(output.Detach());
    }

    /// <summary>E log Q(z_F|x') + H(q(z_F)), the entropy by the mixture of the batch's posteriors, nats.</summary>
    /// <param name="posterior">q(z|x).</param>
    /// <param name="z">Its samples, [B, H].</param>
    public Term FactorBound(AuxiliaryOutput q, DiagonalGaussian posterior, Tensor z)
    {
        var chosen = Chosen(z);
        var logAggregate = Ops.MixtureLogDensity(chosen, Chosen(posterior.Mu), Chosen(posterior.LogVar),
            PairLogWeights.Uniform(z.Shape[0])).Joint;
        return new("mi_bound_factors", q.LogFactors(chosen) - logAggregate);
    }

    /// <summary>The chosen columns of [B, H], [B, F].</summary>
    public Tensor Chosen(Tensor factors) => Ops.Concat(1, [.. settings.MiFactors.Factors.Select(h => factors.Slice(1, h, 1))]);

    public void Dispose() => arena.Dispose();

    /// <summary>The decoded image x' that is read.</summary>
    private Tensor Output(Tensor decoded) => settings.QInput == QInput.Sample ? model.Noise.Sample(decoded, model.Rng)
        : model.Noise.Mean(decoded);
}
