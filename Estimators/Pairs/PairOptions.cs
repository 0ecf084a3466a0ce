using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Estimators.Pairs;

/// <summary>How the information of a pair is estimated.</summary>
/// <param name="Neighbours">k of the neighbour estimators.</param>
/// <param name="Bins">Of each column for binned information.</param>
/// <param name="Transform">Of every column before every estimate.</param>
/// <param name="Critic">How critics are fitted; their batch is lowered for few rows.</param>
/// <param name="Seed">Of every draw.</param>
/// <param name="Threads">Of the neighbour estimators; 0 for one a processor.</param>
public sealed record PairOptions(int Neighbours = 5, int Bins = 20, SampleTransform Transform = SampleTransform.None,
    CriticOptions? Critic = null, ulong Seed = 1, int Threads = 0)
{
    /// <summary>Rows that a batch of a critic is at most a tenth of.</summary>
    private const int BatchesOfRows = 10;

    internal CriticOptions CriticFor(int points)
    {
        var options = Critic ?? new();
        return options with { Batch = Math.Min(options.Batch, Math.Max(2, points / BatchesOfRows)) };
    }
}
