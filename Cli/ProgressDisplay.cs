using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Cli;

/// <summary>Shows training as it goes: a live bar on a terminal, a line per epoch (and every ten seconds) elsewhere.</summary>
internal sealed class ProgressDisplay(Output output)
{
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(10);

    /// <summary>Runs <paramref name="training"/> and passes on what it returns.</summary>
    public T Show<T>(Func<Action<TrainingProgress>, Action<EpochSummary, Likelihoods>, T> training)
    {
        if (!output.IsRich)
            return ShowPlain(training);
        return AnsiConsole.Progress().AutoClear(false)
            .Columns(new ProgressBarColumn { Width = 24 }, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                var bar = context.AddTask("starting");
                return training(
                    p =>
                    {
                        bar.MaxValue = (double)p.Epochs * p.StepsPerEpoch;
                        bar.Value = p.Step;
                        bar.Description = Markup.Escape(Describe(p));
                    },
                    (train, test) => AnsiConsole.WriteLine(Describe(train, test)));
            });
    }

    private T ShowPlain<T>(Func<Action<TrainingProgress>, Action<EpochSummary, Likelihoods>, T> training)
    {
        var sinceLine = Stopwatch.StartNew();
        return training(
            p =>
            {
                if (sinceLine.Elapsed < PlainInterval)
                    return;
                output.Line(Describe(p));
                sinceLine.Restart();
            },
            (train, test) =>
            {
                output.Line(Describe(train, test));
                sinceLine.Restart();
            });
    }

    private static string Describe(TrainingProgress p) => string.Create(CultureInfo.InvariantCulture,
        $"epoch {p.Epoch}/{p.Epochs}  step {p.StepInEpoch}/{p.StepsPerEpoch}  {p.ImagesPerSecond:F0} images/s  {Terms(p.Terms)}{Sigma(p.Variance)}  {p.Remaining:hh\\:mm\\:ss} left");

    private static string Describe(EpochSummary train, Likelihoods test) => string.Create(CultureInfo.InvariantCulture,
        $"epoch {train.Epoch}  {train.ImagesPerSecond:F0} images/s  train {Terms(train.Terms)}  test {Terms(test.Terms)}{Sigma(train.Variance)}");

    private static string Terms(IEnumerable<(string Name, double Value)> terms) =>
        string.Join(" ", terms.Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Name} {t.Value:F1}")));

    private static string Sigma(float? variance) => variance is { } v ? string.Create(CultureInfo.InvariantCulture, $"  sigma^2 {v:G3}") : "";
}
