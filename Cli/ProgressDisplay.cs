using System.Diagnostics;
using System.Globalization;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Cli;

/// <summary>Shows training as it goes: a live line with a bar on a terminal, a line per epoch (and every ten seconds) elsewhere.</summary>
internal sealed class ProgressDisplay(Output output, string item = "image")
{
    private const int BarWidth = 24;
    private const int NarrowBarWidth = 10;
    private const int WideTerminal = 110;
    private const string ClearLine = "\r\u001b[K";
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RichInterval = TimeSpan.FromSeconds(0.1);

    /// <summary>Runs <paramref name="training"/> and passes on what it returns.</summary>
    public T Show<T>(Func<Action<TrainingProgress>, Action<EpochSummary, Likelihoods>, T> training)
    {
        var sinceLine = Stopwatch.StartNew();
        try
        {
            return training(
                p =>
                {
                    if (sinceLine.Elapsed < (output.IsRich ? RichInterval : PlainInterval))
                        return;
                    if (output.IsRich)
                        Console.Out.Write(ClearLine + LiveLine(p));
                    else
                        output.Line(Describe(p));
                    sinceLine.Restart();
                },
                (train, test) =>
                {
                    output.Line((output.IsRich ? ClearLine : "") + Describe(train, test));
                    sinceLine.Restart();
                });
        }
        finally
        {
            if (output.IsRich)
                Console.Out.Write(ClearLine);
        }
    }

    /// <summary>Cut to the terminal's width: a line that wraps cannot be drawn over.</summary>
    private string LiveLine(TrainingProgress p)
    {
        double share = p.Step / ((double)p.Epochs * p.StepsPerEpoch);
        string line = string.Create(CultureInfo.InvariantCulture,
            $"{output.Bar(share, output.Width < WideTerminal ? NarrowBarWidth : BarWidth)} {share,4:P0}  {Describe(p)}");
        return line.Length < output.Width ? line : line[..(output.Width - 1)];
    }

    private string Describe(TrainingProgress p) => string.Create(CultureInfo.InvariantCulture,
        $"epoch {p.Epoch}/{p.Epochs}  step {p.StepInEpoch}/{p.StepsPerEpoch}  {p.Remaining:hh\\:mm\\:ss} left  {p.ImagesPerSecond:F0} "
            + $"{item}s/s  {Terms(p.Terms)}{Sigma(p.Variance)}");

    private string Describe(EpochSummary train, Likelihoods test) => string.Create(CultureInfo.InvariantCulture,
        $"epoch {train.Epoch}  {train.ImagesPerSecond:F0} {item}s/s  train {Terms(train.Terms, train.Weights)}  "
            + $"test {Terms(test.Terms)}{Error(test)}{Sigma(train.Variance)}");

    /// <summary>
    /// Each term, and in parentheses what it is multiplied by in the loss where that is not 1: during a warm-up the mean over the epoch.
    /// </summary>
    private static string Terms(IEnumerable<(string Name, double Value)> terms, IReadOnlyDictionary<string, double>? weights = null) =>
        string.Join(" ", terms.Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Name} {t.Value:F1}{Weight(weights, t.Name)}")));

    private static string Weight(IReadOnlyDictionary<string, double>? weights, string term) =>
        weights is not null && weights.TryGetValue(term, out double weight) && weight is not (0 or 1)
            ? string.Create(CultureInfo.InvariantCulture, $" (x {weight:G3})") : "";

    private static string Error(Likelihoods test) =>
        test.ClassificationError is { } error ? string.Create(CultureInfo.InvariantCulture, $" error {100 * error:F2} %") : "";

    private static string Sigma(float? variance) =>
        variance is { } v ? string.Create(CultureInfo.InvariantCulture, $"  sigma^2 {v:G3}") : "";
}
