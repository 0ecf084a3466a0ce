using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Runs;

/// <summary>One key of a grid and the values it takes.</summary>
internal sealed record GridAxis(string Key, IReadOnlyList<string> Values)
{
    /// <summary>Short for noise with values fixed:V.</summary>
    private const string VarianceKey = "sigma2";

    /// <summary>The key whose values repeat a run, rather than change it.</summary>
    public const string SeedKey = "seed";

    private const int MostSeeds = 10_000;

    // Paper 2, figures 4 to 9.
    private static readonly string[] PaperBetas = ["0.1", "0.5", "1", .. Enumerable.Range(1, 9).Select(i => $"{2 * i}")];
    private static readonly string[] PaperVariances =
    [
        "0.0005", .. Enumerable.Range(1, 12).Select(i => (0.001m * i).ToString(CultureInfo.InvariantCulture)),
            .. Enumerable.Range(2, 10).Select(i => (0.01m * i).ToString(CultureInfo.InvariantCulture)),
    ];

    /// <param name="text">KEY=V1,V2,...; a semicolon separates values that hold commas. Values of beta and sigma2 may be the word
    /// paper.</param>
    /// <exception cref="OptionException">There is no key or no value.</exception>
    public static GridAxis Parse(string text)
    {
        int equals = text.IndexOf('=');
        string[] values = equals < 0 ? [] : text[(equals + 1)..].Split(text.Contains(';') ? ';' : ',', StringSplitOptions.TrimEntries);
        // One value that holds commas ends in a semicolon.
        if (values is [.. var all, ""] && text.EndsWith(';'))
            values = all;
        int empty = Array.IndexOf(values, "");
        if (equals > 0 && values.Length > 1 && empty >= 0)
            throw new OptionException($"--grid {text}: its value {empty + 1} is empty; expected KEY=V1,V2,... such as beta=1,2,4");
        if (equals <= 0 || values.Length == 0 || empty >= 0)
            throw new OptionException($"--grid {text}: expected KEY=V1,V2,... such as beta=1,2,4");
        string key = text[..equals];
        if (values is ["paper"])
            values = key switch
            {
                "beta" => PaperBetas,
                VarianceKey => PaperVariances,
                _ => throw new OptionException($"--grid {text}: only beta and sigma2 have the paper's values; write them out"),
            };
        return key == VarianceKey ? new("noise", [.. values.Select(v => $"fixed:{v}")]) : new(key, values);
    }

    /// <param name="text">Of --seeds: whole numbers and ranges of them, such as 1..5 or 1,2,3.</param>
    /// <exception cref="OptionException">It is not that, or names a seed twice.</exception>
    public static GridAxis Seeds(string text)
    {
        var seeds = new List<ulong>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            ulong?[] ends = Array.ConvertAll(part.Split(".."),
                end => ulong.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed) ? seed : (ulong?)null);
            if (ends is not ([{ }] or [{ }, { }]))
                throw new OptionException($"--seeds {text}: '{part}' is neither a whole number of at least 0 nor a range of them; expected "
                    + $"such as 1..5 or 1,2,3");
            var (first, last) = (ends[0]!.Value, ends[^1]!.Value);
            if (last < first)
                throw new OptionException($"--seeds {text}: the range {part} ends before it begins; write {last}..{first}");
            if (last - first >= (ulong)(MostSeeds - seeds.Count))
                throw new OptionException($"--seeds {text}: these are more than {MostSeeds} seeds; name fewer");
            for (ulong seed = first; seed - first <= last - first; seed++)
                seeds.Add(seed);
        }
        if (seeds.GroupBy(seed => seed).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new OptionException($"--seeds {text}: seed {twice.Key} is there twice; name each once");
        return new(SeedKey, [.. seeds.Select(seed => seed.ToString(CultureInfo.InvariantCulture))]);
    }
}

/// <summary>One run of a sweep.</summary>
/// <param name="Values">The grid's keys with this run's values.</param>
internal sealed record SweepPoint(IReadOnlyList<(string Key, string Value)> Values, RunConfiguration Configuration)
{
    /// <summary>What the run is called where the values alone would not tell; null for the values.</summary>
    public string? Label { get; init; }

    /// <summary>The name of the run's folder.</summary>
    public string Name => Label ?? NameOf(Values);

    /// <summary>The same for runs that differ in the seed alone.</summary>
    public string Combination => Label ?? NameOf(Values.Where(v => v.Key != GridAxis.SeedKey));

    private static string NameOf(IEnumerable<(string Key, string Value)> values) => string.Join('_',
        values.Select(v => $"{v.Key}-{string.Concat(v.Value.Select(c => char.IsLetterOrDigit(c) || c is '.' or '-' ? c : '-'))}"));
}

/// <summary>How an attempt to train a run of a sweep ended.</summary>
internal enum RunEnd
{
    /// <summary>It was stopped before its end, with a checkpoint.</summary>
    Stopped,

    /// <summary>It was trained to its end and measured.</summary>
    Finished,

    /// <summary>Another process had done all of it.</summary>
    WasFinished,
}

/// <summary>
/// A grid of runs in one folder: each in a folder of its own, continued where it was stopped, and a summary of those that are finished.
/// Any number of processes, on any machines that see the folder, may work on one sweep: a run is trained by whoever holds its lock.
/// </summary>
internal sealed class Sweep
{
    public const string PlanName = "sweep.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly RunConfiguration? start;
    private readonly IReadOnlyList<GridAxis> axes = [];

    /// <param name="start">What all runs have in common.</param>
    /// <param name="axes">Every combination of their values is a run.</param>
    /// <exception cref="OptionException">A key does not exist, a value does not fit, or two runs are the same.</exception>
    public Sweep(RunConfiguration start, IReadOnlyList<GridAxis> axes, string path)
        : this([.. axes.Select(a => a.Key)], Combine(start, axes), path)
    {
        (this.start, this.axes) = (start, axes);
    }

    /// <param name="keys">Columns of the summary.</param>
    /// <param name="points">Runs that no grid describes.</param>
    /// <exception cref="OptionException">A configuration cannot be used, or two runs have the same name.</exception>
    public Sweep(IReadOnlyList<string> keys, IReadOnlyList<SweepPoint> points, string path)
    {
        (Path, Keys, Points) = (path, keys, points);
        if (Keys.GroupBy(key => key).FirstOrDefault(g => g.Count() > 1) is { } same)
            throw new OptionException($"--grid: {same.Key} is there twice; name each key once, with all its values");
        foreach (var point in Points)
            point.Configuration.Validate();
        if (Points.GroupBy(p => p.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new OptionException($"--grid: {twice.Key} is there twice; name each key and value once");
    }

    /// <summary>The sweep that was begun in a folder, from what <see cref="SavePlan"/> wrote there.</summary>
    /// <exception cref="DataException">There is none.</exception>
    /// <exception cref="OptionException">It is of a model that there is not.</exception>
    public static Sweep Open(string path)
    {
        string file = System.IO.Path.Combine(path, PlanName);
        if (!File.Exists(file))
            throw new DataException($"{path}: it has no {PlanName}, so no sweep was begun in it; name the folder that `vae sweep` was "
                + $"given with --out");
        return JsonFile.Read("sweep", file, "the file as `vae sweep` wrote it; begin the sweep again to have it written anew", json =>
            new Sweep(RunConfiguration.FromJson(Part(json, "configuration").ToJsonString()),
                [.. Part(json, "grid").Select(axis => new GridAxis(axis.Key, Values(axis.Key, axis.Value)))], path));

        static string[] Values(string key, JsonNode? array) => array is JsonArray values ? [.. values.Select(v => $"{v}")]
            : throw new JsonException($"the values of '{key}' are no array");

        static JsonObject Part(JsonObject json, string key) =>
            json[key] as JsonObject ?? throw new JsonException($"it has no object '{key}'");
    }

    public string Path { get; }

    public IReadOnlyList<string> Keys { get; }

    public IReadOnlyList<SweepPoint> Points { get; }

    /// <summary>Called with what the user should know about a run that is taken up.</summary>
    public Action<string> Note { get; init; } = _ => { };

    /// <summary>Writes sweep.json: what all runs have in common, and the grid; the same bytes whichever process writes it.</summary>
    public void SavePlan()
    {
        var grid = new JsonObject(axes.Select(a =>
            KeyValuePair.Create(a.Key, (JsonNode?)new JsonArray([.. a.Values.Select(v => JsonValue.Create(v))]))));
        AtomicFile.WriteText(System.IO.Path.Combine(Path, PlanName),
            new JsonObject { ["configuration"] = start!.ToJsonObject(), ["grid"] = grid }.ToJsonString(Indented) + "\n");
    }

    /// <summary>
    /// The grid of a folder may grow, and <see cref="SavePlan"/> then replaces the one that is there; a narrower one would leave begun runs
    /// out of the summary.
    /// </summary>
    /// <exception cref="OptionException">Runs of the sweep in the folder are begun, and are none of this one's.</exception>
    internal void ThrowIfNarrower()
    {
        Sweep there;
        try
        {
            there = Open(Path);
        }
        catch (Exception e) when (e is DataException or OptionException)
        {
            // None was begun, or the file is damaged and is about to be written anew.
            return;
        }
        var own = Points.Select(p => p.Name).ToHashSet();
        SweepPoint[] left = [.. there.Points.Where(p => !own.Contains(p.Name)
            && RunDirectory.IsRun(System.IO.Path.Combine(Path, p.Name)))];
        if (left.Length > 0)
            throw new OptionException($"--out {Path}: the sweep in it is of {there.Points.Count} runs, {there.GridText}, and this one "
                + $"would leave {left.Length} begun runs of it out, such as {left[0].Name}; repeat the grid with all its "
                + $"values and what is new, or name another folder");
    }

    /// <summary>The grid as it is given on the command line.</summary>
    private string GridText => string.Join(" ", axes.Select(a =>
        $"--grid {a.Key}={string.Join(a.Values.Any(v => v.Contains(',')) ? ';' : ',', a.Values)}"));

    public RunDirectory DirectoryOf(SweepPoint point) => RunDirectory.CreateOrReuse(System.IO.Path.Combine(Path, point.Name));

    /// <exception cref="OptionException">The folder holds a run of another configuration.</exception>
    public bool IsFinished(SweepPoint point)
    {
        if (!File.Exists(System.IO.Path.Combine(Path, point.Name, "config.json")))
            return false;
        var directory = DirectoryOf(point);
        var stored = directory.LoadConfiguration();
        if (!stored.IsRunOf(point.Configuration))
            throw new OptionException(
                $"--out {Path}: {point.Name} in it is a run with other settings; name another folder, or repeat the settings of the "
                + $"sweep that is there");
        return File.Exists(directory.EvaluationFile);
    }

    /// <summary>Why a run that is not finished failed when it was last tried; null where it did not.</summary>
    public string? FailureOf(SweepPoint point)
    {
        try
        {
            return IsFinished(point) ? null : File.ReadAllText(DirectoryOf(point).FailureFile).Trim();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Keeps the sentence with which a run failed beside what there is of it, until it is tried again.</summary>
    public void SaveFailure(SweepPoint point, string sentence) =>
        AtomicFile.WriteText(DirectoryOf(point).FailureFile, sentence + "\n");

    /// <summary>Trains and evaluates one run, from its checkpoint where there is one; one that is finished already is left alone.</summary>
    /// <exception cref="RunHeldException">Another process writes this run.</exception>
    public RunEnd Train(SweepPoint point, Compute compute, DatasetSplits data, Func<bool> stop) =>
        Train(point, compute, data, stop, _ => { }, (_, _) => { });

    /// <inheritdoc cref="Train(SweepPoint, Compute, DatasetSplits, Func{bool})"/>
    /// <param name="progress">Called every few steps.</param>
    /// <param name="epochDone">Called with each finished epoch's means and test means.</param>
    public RunEnd Train(SweepPoint point, Compute compute, DatasetSplits data, Func<bool> stop, Action<TrainingProgress> progress,
        Action<EpochSummary, Likelihoods> epochDone)
    {
        using var run = TrainingRun.Open(compute, point.Configuration, data, DirectoryOf(point).Path, Note);
        // Another process may have done all of it between the caller's look and the lock.
        if (IsFinished(point))
            return RunEnd.WasFinished;
        File.Delete(run.Directory.FailureFile);
        if (!run.Train(stop, progress, epochDone))
            return RunEnd.Stopped;
        run.Evaluate();
        return RunEnd.Finished;
    }

    /// <summary>What the finished runs measured.</summary>
    public IReadOnlyList<SweepResult> Results => [.. Points.Where(IsFinished).Select(ResultOf)];

    /// <summary>What a run measured that is finished.</summary>
    public SweepResult ResultOf(SweepPoint point) =>
        new(point, JsonNode.Parse(File.ReadAllText(DirectoryOf(point).EvaluationFile))!.AsObject());

    private static SweepPoint[] Combine(RunConfiguration start, IReadOnlyList<GridAxis> axes)
    {
        IEnumerable<SweepPoint> points = [new([], start)];
        foreach (var axis in axes)
            points = points.SelectMany(p =>
                axis.Values.Select(v => new SweepPoint([.. p.Values, (axis.Key, v)], p.Configuration.With(axis.Key, v, "--grid"))));
        return [.. points];
    }
}

/// <summary>What a finished run of a sweep measured.</summary>
/// <param name="Evaluation">Its evaluation.json.</param>
internal sealed record SweepResult(SweepPoint Point, JsonObject Evaluation)
{
    /// <summary>A number of evaluation.json; NaN where it is null.</summary>
    public double this[string key] => Evaluation[key]?.GetValue<double>() ?? double.NaN;

    /// <summary>1 for a model that has none.</summary>
    public double Beta => Point.Configuration.Value("beta") as double? ?? 1;

    /// <summary>beta sigma^2: what paper 2 calls the normalised variance.</summary>
    public double NormalisedVariance => Beta * this["sigma2"];

    /// <summary>Runs that differ in beta, in the value of a fixed variance and in the seed only are one line of a chart.</summary>
    public string Line => string.Join(", ",
        ((string[])[$"{(Point.Configuration.Noise.Noise is { Name: "fixed" } kind ? kind.Name : Point.Configuration.Noise.Noise)} noise",
        .. Point.Values.Where(v => v.Key is not ("beta" or "noise" or GridAxis.SeedKey)).Select(v => $"{v.Key} {v.Value}")]));
}

/// <summary>Finished runs of a sweep that differ in the seed alone.</summary>
/// <param name="Values">The grid's keys but for the seed, with the values of these runs.</param>
/// <param name="Results">At least one.</param>
internal sealed record SeedGroup(IReadOnlyList<(string Key, string Value)> Values, IReadOnlyList<SweepResult> Results)
{
    /// <summary>Every combination of the other keys' values, in the order of the runs.</summary>
    public static IReadOnlyList<SeedGroup> Of(IEnumerable<SweepResult> results) => [.. results.GroupBy(r => r.Point.Combination)
        .Select(g => new SeedGroup([.. g.First().Point.Values.Where(v => v.Key != GridAxis.SeedKey)], [.. g]))];

    /// <summary>
    /// The mean over the seeds, and half the width of its 95 % confidence interval by Student's t with one degree of freedom less than
    /// there are runs. One run has no interval, NaN, and neither has a value that some run does not have.
    /// </summary>
    public (double Mean, double HalfWidth) Over(Func<SweepResult, double> value)
    {
        var score = Score.Over(0, i => value(Results[(int)i]), Results.Count);
        return (score.Mean, Results.Count < 2 ? double.NaN : score.HalfWidth);
    }
}
