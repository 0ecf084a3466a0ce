using System.Globalization;
using VaeFromScratch.Models.Noise;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// Training has left the finite numbers; the message is one sentence that says which term or parameter, when, and what to try.
/// </summary>
public sealed class DivergenceException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>How far a run is known to be finite, and what is said when it no longer is.</summary>
internal sealed class DivergenceWatch(VaeModel model, RunConfiguration configuration)
{
    /// <summary>Steps whose terms and gradients are all known to be finite.</summary>
    public long FiniteUntil { get; set; }

    /// <param name="epoch">Epochs finished.</param>
    /// <param name="step">Steps done; the first number that is not finite came after <see cref="FiniteUntil"/> and not after it.</param>
    /// <param name="sums">Every sum over these steps, finite or not, with what it is called.</param>
    public DivergenceException Diverged(int epoch, long step, IEnumerable<(string Name, float Value)> sums)
    {
        var broken = sums.Where(s => !float.IsFinite(s.Value)).DistinctBy(s => s.Name)
            .GroupBy(s => Describe(s.Value), s => s.Name).Select(g => $"{List([.. g])} {g.Key}");
        string steps = FiniteUntil + 1 == step ? $"in step {step}" : $"between steps {FiniteUntil + 1} and {step}";
        return Sentence($"{string.Join(", ", broken)} {steps} (epoch {epoch + 1})");
    }

    /// <param name="array">Part of a checkpoint.</param>
    /// <param name="value">What it holds and should not.</param>
    /// <param name="when">Such as "after step 50".</param>
    public DivergenceException Diverged(string array, float value, string when)
    {
        string holder = model.Parameters.FirstOrDefault(p => !p.Value.ToArray().All(float.IsFinite))?.Name ?? array;
        return Sentence($"{holder} is {Describe(value)} {when}");
    }

    private DivergenceException Sentence(string what)
    {
        List<string> advice =
        [
            $"a lower --lr (now {Number(configuration.Optimiser.LearningRate)})",
            .. model.Phases.Where(p => p.Optimiser is not null)
                .Select(p => $"a lower --{p.Name}-learning-rate (now {Number(p.Optimiser!.LearningRate)})"),
        ];
        if (model is ILearnsFromLabels { Pretraining: { } pretraining })
            advice.Add($"a lower --pretraining-learning-rate (now {Number(pretraining.LearningRate)})");
        double clip = configuration.Optimiser.ClipNorm;
        advice.Add(clip > 0 ? $"a smaller --clip-norm (now {Number(clip)})" : "--clip-norm 1, which limits the gradients");
        if (configuration.Value("kl_warm_up_epochs") is double warmUp)
            advice.Add($"a longer warm-up (--kl-warm-up-epochs, now {Number(warmUp)})");
        if (configuration.Noise is { Noise.IsLearned: true, NoiseUpdate: NoiseUpdate.ClosedForm } noise)
            advice.Add($"a higher noise floor (--noise-floor, now {Number(noise.NoiseFloor)})");
        return new($"training diverged: {what}; try {string.Join(" or ", advice)}");
    }

    private static string List(string[] names) =>
        names.Length == 1 ? $"{names[0]} is" : $"{string.Join(", ", names[..^1])} and {names[^1]} are";

    private static string Describe(float value) => float.IsNaN(value) ? "NaN" : "infinite";

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
