using System.Globalization;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Models.Runs;

/// <summary>
/// How sure a category is: the shares of all probabilities q(c|x) of a set that lie in equal bins from 0 to 1 (paper 5, figure 4.7). One
/// line of probabilities.csv an epoch.
/// </summary>
internal static class ProbabilityHistogram
{
    private const int Bins = 20;

    public static string Header { get; } = string.Join(',', ["epoch", .. Enumerable.Range(0, Bins).Select(b => $"bin_{b:00}")]);

    public static string Row(int epoch, Encodings encodings)
    {
        var counts = new int[Bins];
        foreach (float p in encodings.Probabilities.Span)
            counts[Math.Min(Bins - 1, (int)(p * Bins))]++;
        return string.Join(',', [epoch.ToString(CultureInfo.InvariantCulture),
            .. counts.Select(c => ((double)c / encodings.Probabilities.Length).ToString("G6", CultureInfo.InvariantCulture))]);
    }
}
