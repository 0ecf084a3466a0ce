using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Training;

/// <summary>Where training is, for a progress bar.</summary>
/// <param name="Terms">Each term's mean over the epoch so far, nats per image, "loss" first.</param>
public sealed record TrainingProgress(int Epoch, int Epochs, long Step, int StepInEpoch, int StepsPerEpoch, double ImagesPerSecond,
    IReadOnlyList<(string Name, double Value)> Terms, float? Variance, TimeSpan Remaining);

/// <summary>Means over one epoch of training.</summary>
/// <param name="Seconds">Wall time of the training loop so far in this run, resumed parts included, without evaluation and
/// checkpoints.</param>
public sealed record EpochSummary(
    int Epoch, long Step, double Seconds, double ImagesPerSecond, IReadOnlyList<(string Name, double Value)> Terms, float? Variance)
{
    /// <summary>
    /// What each term was multiplied by in the loss; of one that follows a schedule the mean over the epoch, as the loss has it.
    /// </summary>
    public IReadOnlyDictionary<string, double> Weights { get; init; } = new Dictionary<string, double>();

    // Of the mean over an epoch, nats; chance is far below it.
    private const double LargestChance = 1;

    /// <summary>A sentence for each mean of a KL divergence that is below 0, which none can be.</summary>
    public IEnumerable<string> ImpossibleTerms(RunConfiguration configuration)
    {
        string reason = configuration.Value("estimate") is MinibatchEstimate.Weighted
            ? "--estimate weighted counts a posterior 1 / (N B), which takes log N a factor off it and adds as much to mi and tc together; "
                + "use --estimate stratified, or batch, whose gradients are the same"
            : "its estimate from minibatches is off; try a larger --batch";
        return Terms.Where(t => t.Name.StartsWith("kl", StringComparison.Ordinal) && t.Value < -LargestChance).Select(t =>
            FormattableString.Invariant(
                $"{t.Name} was {t.Value:F1} nats on average in epoch {Epoch}, and no KL divergence is below 0: {reason}"));
    }
}
