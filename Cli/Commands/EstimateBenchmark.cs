using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Estimators.Pairs;
using VaeFromScratch.Estimators.Tasks;
using VaeFromScratch.Models;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae estimate --benchmark: every estimator on tasks whose information is known.</summary>
internal sealed class EstimateBenchmark
{
    private const int Points = 10_000, QuickPoints = 3000;
    private const double PictureRange = 0.5;
    private static readonly string[] Estimators = ["ksg", "ksg-rank", "cca", "copula", "binned", "infonce", "nwj", "mine", "smile", "club"];
    private static readonly string[] QuickEstimators = ["ksg", "ksg-rank", "cca", "copula", "binned", "infonce"];

    private readonly Option<bool> benchmark = new("--benchmark")
    {
        Description = "the forty tasks of Czyz et al. (2023), whose " +
        "information is known, instead of a file"
    };
    private readonly Option<bool> quick = new("--quick")
    {
        Description = "with --benchmark: 3 000 samples instead of 10 000, short fits, " +
        "one critic"
    };
    private readonly Option<bool> variants = new("--variants")
    {
        Description = "with --benchmark: ten other tasks, on which the advice " +
        "was not developed"
    };
    private readonly Option<string?> only = new("--tasks") { Description = "with --benchmark: only tasks with this in their names" };
    private readonly Option<string> folder = new("--out")
    {
        Description = "with --benchmark: folder for benchmark.csv and benchmark.svg",
        DefaultValueFactory = _ => Path.Combine("runs", "information-benchmark")
    };

    public EstimateBenchmark(Command command)
    {
        foreach (var option in (Option[])[benchmark, quick, variants, only, folder])
            command.Options.Add(option);
    }

    public bool IsAsked(ParseResult parsed) => parsed.GetValue(benchmark);

    /// <summary>Refuses its options where it is not asked for.</summary>
    public void CheckUnused(ParseResult parsed)
    {
        foreach (var option in (Option[])[quick, variants, only, folder])
            if (parsed.GetResult(option) is { Implicit: false })
                throw new OptionException($"{option.Name}: it is for the benchmark; give --benchmark too, or leave it out");
    }

    /// <param name="wanted">Names of estimators; null for the default.</param>
    public int Run(ParseResult parsed, CommandContext context, string[]? wanted)
    {
        string to = OutputFile.Folder("--out", parsed.GetValue(folder))!;
        bool isQuick = parsed.GetValue(quick);
        string? part = parsed.GetValue(only);
        InformationTask[] tasks = [.. (parsed.GetValue(variants) ? InformationTasks.Variants : InformationTasks.All).Where(t =>
            part is null || t.Name.Contains(part, StringComparison.OrdinalIgnoreCase))];
        if (tasks.Length == 0)
            throw new OptionException($"--tasks {part}: no task has this in its name; such names are " +
                $"{string.Join("; ", InformationTasks.All.Take(8).Select(t => t.Name))}");
        var options = new PairOptions(Critic: isQuick ? new(Steps: 600, Patience: 4) : new(), Seed: context.Seed, Threads: context.Threads);
        string[] names = wanted ?? (isQuick ? QuickEstimators : Estimators);
        if (names.FirstOrDefault(name => !Estimators.Contains(name)) is { } unfit)
            throw new OptionException($"--with {unfit}: it is for classes, and the tasks are of numbers; expected some of "
                + string.Join(", ", Estimators));
        using var compute = context.OpenCompute();
        return Interruption.EndingByItself(() => Measure(context.Output, tasks, names, options, isQuick ? QuickPoints : Points, compute,
            to));
    }

    private static int Measure(Output output, InformationTask[] tasks, string[] names, PairOptions options, int points, Compute compute,
        string folder)
    {
        int nameWidth = tasks.Max(t => t.Name.Length);
        int[] widths = [nameWidth, 7, .. names.Select(n => Math.Max(7, n.Length)), 8];
        output.Row(["task", "truth", .. names, "advice"], widths, textColumns: 1);
        var rows = new List<TaskResult>();
        foreach (var (index, task) in tasks.Index())
        {
            if (Interruption.IsRequested)
                break;
            var row = Measure(task, $"task {index + 1} of {tasks.Length}, {task.Name}", names, options, points, compute);
            if (row.Estimates.Count == 0)
                continue;
            rows.Add(row);
            output.Row([task.Name, Text(task.Truth), .. names.Select(n => row.Find(n) is { } e ? Text(e.Value.Value) : "-"),
                row.Advice.Estimator], widths, textColumns: 1);
            // After every task, so that nothing that is known gets lost.
            Write(folder, rows, names);
        }
        var scores = Scores(rows, names);
        if (rows.Count > 0)
            Print(output, rows, scores, points, folder);
        output.Json(new JsonObject
        {
            ["points"] = points,
            ["tasks"] = new JsonArray([.. rows.Select(r => new JsonObject
            {
                ["name"] = r.Task.Name,
                ["true_nats"] = r.Task.Truth,
                ["estimates"] = new JsonArray([.. r.Estimates.Select(EstimatePairs.ToJson)]),
                ["advice"] = new JsonObject { ["estimator"] = r.Advice.Estimator, ["reason"] = r.Advice.Reason },
            })]),
            ["estimators"] = new JsonArray([.. scores.Select(s => new JsonObject
            {
                ["estimator"] = s.Estimator,
                ["tasks"] = s.Tasks,
                ["near"] = s.Near,
                ["mean_error_nats"] = s.MeanError,
                ["largest_error_nats"] = s.LargestError,
            })]),
        });
        return Interruption.IsRequested ? Interruption.Stopped() : rows.Count > 0 ? ExitCode.Done : ExitCode.Data;
    }

    private static void Print(Output output, List<TaskResult> rows, IReadOnlyList<EstimatorScore> scores, int points, string folder)
    {
        output.Line();
        output.Table(["error", "tasks", "within 5 % or 0.03", "mean, nats", "largest, nats"], scores.Select(s => (IReadOnlyList<string>)
            [s.Estimator, $"{s.Tasks}", $"{s.Near}", Text(s.MeanError), Text(s.LargestError)]), textColumns: 1);
        output.Line();
        output.Line($"the best estimator is within 5 % or 0.03 nats of the truth on {rows.Count(r => r.BestIsGood)} of {rows.Count} " +
            $"tasks, the advised one within 10 % on {rows.Count(r => r.AdviceIsGood)}; {points} samples a task");
        output.Line($"written: {Path.Combine(folder, "benchmark.csv")}, {Path.Combine(folder, "benchmark.svg")}");
    }

    /// <summary>What an estimator missed the truth by, over the tasks that it gave a value for.</summary>
    private static IReadOnlyList<EstimatorScore> Scores(List<TaskResult> rows, string[] names) => [.. names.Select(name =>
    {
        var found = rows.Where(r => r.Find(name) is not null).ToArray();
        double[] errors = [.. found.Select(r => r.Error(r.Find(name)!))];
        int near = found.Zip(errors).Count(pair => pair.First.IsNear(pair.Second));
        return errors.Length == 0 ? null : new EstimatorScore(name, errors.Length, near, errors.Average(), errors.Max());
    }).OfType<EstimatorScore>()];

    /// <summary>Of the estimators that gave a value before a signal came, if one did.</summary>
    private static TaskResult Measure(InformationTask task, string title, string[] names, PairOptions options, int points, Compute compute)
    {
        var (sampleX, sampleY) = task.Sample(points, options.Seed);
        SampleVariable x = SampleVariable.Of("x", sampleX, task.XColumns), y = SampleVariable.Of("y", sampleY, task.YColumns);
        var estimators = new PairEstimators(x, y, null, options, () => compute);
        var estimates = new List<PairEstimate>();
        foreach (string name in names.Where(estimators.Applicable.Contains))
            try
            {
                if (Interruption.IsRequested)
                    break;
                estimates.Add(estimators.Run(name, new FitProgress($"{title}, {name}").Report));
            }
            catch (EstimatorException e)
            {
                Output.Warn($"{task.Name}: {e.Message}");
            }
            catch (OperationCanceledException)
            {
                break;
            }
        return new(task, estimates, estimates.Count == 0 ? new("", "") : Advisor.Advise(x, y, null, estimates));
    }

    private static void Write(string folder, List<TaskResult> rows, string[] names)
    {
        Directory.CreateDirectory(folder);
        Csv.Save(Path.Combine(folder, "benchmark.csv"),
            ["task", "true_nats", .. names, "advice", .. names.Select(n => $"{n}_standard_error")],
            rows.Select(r => (IEnumerable<object?>)[r.Task.Name, r.Task.Truth, .. names.Select(n => (object?)r.Find(n)?.Value.Value),
                r.Advice.Estimator, .. names.Select(n => (object?)r.Find(n)?.Value.StandardError)]));
        var map = new HeatMap(rows.Count, names.Length, [.. rows.SelectMany(r => names.Select(n => r.Find(n) is { } e
            ? Math.Clamp(e.Value.Value - r.Task.Truth, -PictureRange, PictureRange) : double.NaN))])
        {
            Title = "Estimate less the true information, nats",
            RowLabels = [.. rows.Select(r => r.Task.Name)],
            ColumnLabels = names,
            Lowest = -PictureRange,
            Highest = PictureRange,
            Width = 1000,
            Height = 120 + 20 * rows.Count,
        };
        AtomicFile.WriteText(Path.Combine(folder, "benchmark.svg"), map.ToSvg());
    }

    private static string Text(double value) => value.ToString("F3", CultureInfo.InvariantCulture);

    /// <summary>What was measured on one task.</summary>
    private sealed record TaskResult(InformationTask Task, IReadOnlyList<PairEstimate> Estimates, PairAdvice Advice)
    {
        public PairEstimate? Find(string name) => Estimates.FirstOrDefault(e => e.Estimator == name);

        public bool BestIsGood => IsNear(Estimates.Min(Error));

        public bool IsNear(double error) => error <= Math.Max(0.03, 0.05 * Task.Truth);

        public bool AdviceIsGood => Error(Find(Advice.Estimator)!) <= 0.1 * Task.Truth;

        public double Error(PairEstimate e) => Math.Abs(e.Value.Value - Task.Truth);
    }

    /// <summary>Absolute errors of one estimator, nats, and on how many tasks it is within 5 % or 0.03 nats.</summary>
    private sealed record EstimatorScore(string Estimator, int Tasks, int Near, double MeanError, double LargestError);
}
