using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>What the bound of a <see cref="VmiVae"/> is made with.</summary>
/// <param name="Category">lambda of the category.</param>
/// <param name="Factors">lambda of the chosen factors.</param>
/// <param name="Chosen">Indices of these factors.</param>
/// <param name="Sampled">Whether Q reads x' drawn from p(x|z), or the decoder's mean.</param>
/// <param name="Widths">Of Q's hidden layers.</param>
/// <param name="LearningRate">Of Q's Adam.</param>
public sealed record VmiSettings(double Category, double Factors, int[] Chosen, bool Sampled, int[] Widths, double LearningRate, ulong Seed);

/// <summary>
/// Variational mutual information maximisation of paper 5: NLL + beta KL - lambda (E log Q(code|x') + H(q(code))), x' the decoder's output, for the category and for chosen
/// factors (equations.md (Q1)). Each batch steps Q first, then encoder and decoder (Q2).
/// </summary>
public sealed class VmiVae : JointModel
{
    // Apart from the draws of encoder and decoder ("vmiq" in ASCII).
    private const uint Stream = 0x766d6971;

    private readonly double beta;
    private readonly VmiSettings settings;
    private readonly AuxiliaryNetwork network;
    private readonly ParameterArena arena;

    public VmiVae(VaeParts parts, JointSettings joint, double beta, VmiSettings settings) : base(parts, joint)
    {
        (this.beta, this.settings) = (beta, settings);
        network = new(Image.Pixels, settings.Widths, Categories, settings.Chosen.Length, new Initialise(settings.Seed, Stream));
        arena = new(Compute, network.Parameters);
    }

    public override IReadOnlyList<TrainingPhase> Phases => [new("q", arena, batch => QObjective(batch.Images), new(settings.LearningRate)), .. base.Phases];

    protected override Objective Objective(Tensor x, JointSample sample)
    {
        var decoded = Decode(sample);
        // Q has taken its statistics from the batch in its own step.
        var q = Tape.Current!.KeepingStatistics(() => network.Read(Output(decoded)));
        var objective = Reconstruction(x, decoded) + beta * Kl(sample) + 0 * CategoryKl(sample)
            + -settings.Category * new Term("mi_bound_category", q.LogCategory(sample.Y) + sample.C.EntropyOfMean());
        if (settings.Chosen.Length == 0)
            return objective;
        var z = Chosen(sample.Sample.Z);
        var logAggregate = Ops.MixtureLogDensity(z, Chosen(sample.Z.Mu), Chosen(sample.Z.LogVar), PairLogWeights.Uniform(x.Shape[0])).Joint;
        return objective + -settings.Factors * new Term("mi_bound_factors", q.LogFactors(z) - logAggregate);
    }

    public override void Dispose()
    {
        arena.Dispose();
        base.Dispose();
    }

    /// <summary>-log Q of this batch's codes, encoder and decoder as constants.</summary>
    private Objective QObjective(Tensor x)
    {
        var sample = Tape.Current!.KeepingStatistics(() => Draw(x));
        var output = Tape.Current.KeepingStatistics(() => Output(Decode(sample)));
        var q = network.Read(output.Detach());
        var loss = -q.LogCategory(sample.Y.Detach());
        return new Term("q", settings.Chosen.Length == 0 ? loss : loss - q.LogFactors(Chosen(sample.Sample.Z)));
    }

    /// <summary>x'.</summary>
    private Tensor Output(Tensor decoded) => settings.Sampled ? Noise.Sample(decoded, Rng) : Noise.Mean(decoded);

    /// <summary>The chosen columns of [B, H], [B, F].</summary>
    private Tensor Chosen(Tensor factors) => Ops.Concat(1, [.. settings.Chosen.Select(h => factors.Slice(1, h, 1))]);
}
