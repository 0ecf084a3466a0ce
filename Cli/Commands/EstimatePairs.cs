using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Pairs;
using VaeFromScratch.Estimators.Samples;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae estimate FILE --x NAME --y NAME: the information between two variables, by every estimator that applies.</summary>
internal sealed class EstimatePairs
{
    private static readonly int[] Widths = [9, 8, 8, 8, 9, 8];
    private static readonly string[] Header = ["estimator", "nats", "error", "kind", "ceiling", "seconds"];

    private static readonly string[] Transforms = [.. Enum.GetNames<SampleTransform>().Select(name => name.ToLowerInvariant())];

    private readonly Option<string?> x = new("--x")
    {
        Description = "one variable: an array [N] or [N, D] of an npz, or columns of a CSV " +
        "(x stands for x_0, x_1, ... too); several by commas"
    };
    private readonly Option<string?> y = new("--y") { Description = "the other variable" };
    private readonly Option<string?> given = new("--given")
    {
        Description = "what is known: the information is that of x and y given " +
        "this"
    };
    private readonly Option<string?> with = new("--with")
    {
        Description = $"estimators, by commas: " +
        $"{string.Join(", ", PairEstimators.Names)} (default: those that apply, without four of the critics)",
        HelpName = "NAMES",
    };
    private readonly Option<string> transform = new Option<string>("--transform")
    {
        Description = "of every column first: none, rank (normal scores) or " +
        "asinh; the value without it is shown beside",
        DefaultValueFactory = _ => Transforms[0]
    }.Among(Transforms);

    public EstimatePairs(Command command)
    {
        with.CompletionSources.Add([.. PairEstimators.Names]);
        foreach (var option in (Option[])[x, y, given, with, transform])
            command.Options.Add(option);
    }

    /// <summary>Whether variables were named.</summary>
    public bool IsAsked(ParseResult parsed) => parsed.GetValue(x) is not null || parsed.GetValue(y) is not null
        || parsed.GetValue(given) is not null;

    /// <exception cref="OptionException">An option is given that counts for pairs only.</exception>
    public void CheckUnused(ParseResult parsed)
    {
        foreach (var option in (Option[])[with, transform])
            if (parsed.GetResult(option) is { Implicit: false })
                throw new OptionException($"{option.Name}: it is for two variables; name them with --x and --y, or leave it out");
    }

    public int Run(ParseResult parsed, CommandContext context, string path)
    {
        if (parsed.GetValue(x) is not { } nameX || parsed.GetValue(y) is not { } nameY)
            throw new OptionException($"--{(parsed.GetValue(x) is null ? "x" : "y")}: it must be given, because its other side is; name " +
                $"an array or a column of {path}");
        var names = Wanted(parsed);
        var options = new PairOptions(Transform: Enum.Parse<SampleTransform>(parsed.GetValue(transform)!, ignoreCase: true),
            Seed: context.Seed, Threads: context.Threads);
        SampleVariable[] variables = [.. SampleColumns.Read(path, parsed.GetValue(given) is { } nameC ? [nameX, nameY, nameC] : [nameX,
            nameY]).Select(Variable)];
        var (a, b, c) = (variables[0], variables[1], variables.Length > 2 ? variables[2] : null);
        Compute? compute = null;
        try
        {
            var estimators = new PairEstimators(a, b, c, options, () => compute ??= context.OpenCompute());
            foreach (string name in names ?? [])
                if (!estimators.Applicable.Contains(name))
                    throw new OptionException($"--with {name}: it is not for {Describe(a)} and " +
                        $"{Describe(b)}{(c is null ? "" : $" given {Describe(c)}")}; expected some of " +
                            $"{string.Join(", ", estimators.Applicable)}");
            return Interruption.EndingByItself(() => Estimate(context.Output, estimators, a, b, c, names ?? estimators.Default));
        }
        finally
        {
            compute?.Dispose();
        }
    }

    private static int Estimate(Output output, PairEstimators estimators, SampleVariable a, SampleVariable b, SampleVariable? c,
        IReadOnlyList<string> names)
    {
        output.Line($"I({a.Name}; {b.Name}{(c is null ? "" : $" | {c.Name}")}), {a.Points} rows; " +
            $"{string.Join("; ", new[] { a, b, c }.OfType<SampleVariable>().Select(Describe))}");
        output.Row(Header, Widths, textColumns: 1);
        var done = new List<PairEstimate>();
        try
        {
            foreach (string name in names)
            {
                var watch = new FitProgress(name);
                try
                {
                    var estimate = estimators.Run(name, watch.Report);
                    done.Add(estimate);
                    Print(output, estimate);
                }
                catch (EstimatorException e) when (names.Count > 1)
                {
                    Output.Warn($"{e.Message}; the other estimators go on");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // What is known was printed, row by row.
        }
        var advice = done.Count > 0 ? Advisor.Advise(a, b, c, done) : null;
        if (done.Count > 0)
        {
            output.Line();
            output.Line("error: the spread over ten disjoint tenths of the rows for neighbours, else that of the terms whose mean the " +
                "value is");
            if (done.Any(e => e.Untransformed is not null))
                output.Line($"without the transform: " +
                    $"{string.Join(", ", done.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Estimator} {e.Untransformed:F4}")))}");
            output.Line($"advice: {advice!.Estimator}: {advice.Reason}");
        }
        output.Json(ToJson(a.Points, done, advice));
        if (Interruption.IsRequested)
            return Interruption.Stopped();
        return done.Count > 0 ? ExitCode.Done : ExitCode.Data;
    }

    /// <summary>As `vae estimate --json` gives it.</summary>
    internal static JsonObject ToJson(int points, IReadOnlyList<PairEstimate> estimates, PairAdvice? advice) => new()
    {
        ["points"] = points,
        ["estimates"] = new JsonArray([.. estimates.Select(ToJson)]),
        ["advice"] = advice is null ? null : new JsonObject { ["estimator"] = advice.Estimator, ["reason"] = advice.Reason },
    };

    internal static JsonNode ToJson(PairEstimate estimate)
    {
        var json = new JsonObject
        {
            ["estimator"] = estimate.Estimator,
            ["nats"] = estimate.Value.Value,
            ["standard_error"] = estimate.Value.StandardError,
            ["kind"] = estimate.Value.Bound.ToString().ToLowerInvariant(),
            ["ceiling_nats"] = double.IsFinite(estimate.Value.Ceiling) ? estimate.Value.Ceiling : null,
            ["seconds"] = estimate.Seconds,
            ["warnings"] = new JsonArray([.. estimate.Warnings.Select(w => JsonValue.Create(w))]),
        };
        if (estimate.Untransformed is { } before)
            json["untransformed_nats"] = before;
        return json;
    }

    private static void Print(Output output, PairEstimate e)
    {
        output.Row([e.Estimator, Number(e.Value.Value, "F4"), Number(e.Value.StandardError, "F4"),
            e.Value.Bound.ToString().ToLowerInvariant(),
            double.IsFinite(e.Value.Ceiling) ? Number(e.Value.Ceiling, "F3") : "none", Number(e.Seconds, "F1")], Widths, textColumns: 1);
        foreach (string warning in e.Warnings)
            output.Line($"           {warning}");
    }

    /// <summary>The estimators that --with names; null where it is not given.</summary>
    /// <exception cref="OptionException">There is no such estimator.</exception>
    public string[]? Wanted(ParseResult parsed)
    {
        string[]? names = parsed.GetValue(with)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Distinct().ToArray();
        foreach (string name in names ?? [])
            if (!PairEstimators.Names.Contains(name))
                throw new OptionException($"--with {name}: there is no such estimator; expected some of " +
                    $"{string.Join(", ", PairEstimators.Names)}");
        return names is [] ? throw new OptionException("--with: no estimator is named; expected some of " + string.Join(", ",
            PairEstimators.Names)) : names;
    }

    private static SampleVariable Variable(SampleColumns columns)
    {
        if (columns.Labels is not { } labels)
            return SampleVariable.Of(columns.Name, columns.Values!, columns.Columns);
        string[] texts = [.. labels.Distinct().Order(StringComparer.Ordinal)];
        return SampleVariable.OfClasses(columns.Name, Array.ConvertAll(labels, label => Array.BinarySearch(texts, label,
            StringComparer.Ordinal)));
    }

    private static string Describe(SampleVariable v) => v.Labels is null
        ? $"{v.Name}: {v.Columns} column{(v.Columns == 1 ? "" : "s")} of numbers" : $"{v.Name}: {v.Classes} classes";

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture) is var text
        && text.TrimStart('-').All(c => c is '0' or '.') ? text.TrimStart('-') : text;
}

/// <summary>Says every ten seconds how far a fit is, and ends it when a signal came.</summary>
internal sealed class FitProgress(string name)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private readonly System.Diagnostics.Stopwatch since = System.Diagnostics.Stopwatch.StartNew();

    public void Report(int step, int most)
    {
        if (Interruption.IsRequested)
            throw new OperationCanceledException();
        if (since.Elapsed < Interval)
            return;
        Output.Note($"{name}: step {step} of at most {most}");
        since.Restart();
    }
}
