using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Runs;

/// <summary>One key of a grid and the values it takes.</summary>
public sealed record GridAxis(string Key, IReadOnlyList<string> Values)
{
    /// <summary>Short for noise with values fixed:V.</summary>
    private const string VarianceKey = "sigma2";

    // Paper 2, figures 4 to 9.
    private static readonly string[] PaperBetas = ["0.1", "0.5", "1", .. Enumerable.Range(1, 9).Select(i => $"{2 * i}")];
    private static readonly string[] PaperVariances =
    [
        "0.0005", .. Enumerable.Range(1, 12).Select(i => (0.001m * i).ToString(CultureInfo.InvariantCulture)), .. Enumerable.Range(2, 10).Select(i => (0.01m * i).ToString(CultureInfo.InvariantCulture)),
    ];

    /// <param name="text">KEY=V1,V2,...; a semicolon separates values that hold commas. Values of beta and sigma2 may be the word paper.</param>
    /// <exception cref="OptionException">There is no key or no value.</exception>
    public static GridAxis Parse(string text)
    {
        int equals = text.IndexOf('=');
        string[] values = equals < 0 ? [] : text[(equals + 1)..].Split(text.Contains(';') ? ';' : ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (equals <= 0 || values.Length == 0)
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
}

/// <summary>One run of a sweep.</summary>
/// <param name="Values">The grid's keys with this run's values.</param>
public sealed record SweepPoint(IReadOnlyList<(string Key, string Value)> Values, RunConfiguration Configuration)
{
    /// <summary>What the run is called where the values alone would not tell; null for the values.</summary>
    public string? Label { get; init; }

    /// <summary>The name of the run's folder.</summary>
    public string Name => Label ?? string.Join('_', Values.Select(v => $"{v.Key}-{string.Concat(v.Value.Select(c => char.IsLetterOrDigit(c) || c is '.' or '-' ? c : '-'))}"));
}

/// <summary>A grid of runs in one folder: each in a folder of its own, continued where it was stopped, and a summary of those that are finished.</summary>
public sealed class Sweep
{
    private readonly Lock writing = new();

    /// <param name="start">What all runs have in common.</param>
    /// <param name="axes">Every combination of their values is a run.</param>
    /// <exception cref="OptionException">A key does not exist, a value does not fit, or two runs are the same.</exception>
    public Sweep(RunConfiguration start, IReadOnlyList<GridAxis> axes, string path) : this([.. axes.Select(a => a.Key)], Combine(start, axes), path)
    {
    }

    /// <param name="keys">Columns of the summary.</param>
    /// <param name="points">Runs that no grid describes.</param>
    /// <exception cref="OptionException">A configuration cannot be used, or two runs have the same name.</exception>
    public Sweep(IReadOnlyList<string> keys, IReadOnlyList<SweepPoint> points, string path)
    {
        (Path, Keys, Points) = (path, keys, points);
        foreach (var point in Points)
            point.Configuration.Validate();
        if (Points.GroupBy(p => p.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new OptionException($"--grid: {twice.Key} is there twice; name each key and value once");
    }

    public string Path { get; }

    public IReadOnlyList<string> Keys { get; }

    public IReadOnlyList<SweepPoint> Points { get; }

    /// <summary>Called with what the user should know about a run that is taken up.</summary>
    public Action<string> Note { get; init; } = _ => { };

    public RunDirectory DirectoryOf(SweepPoint point) => RunDirectory.CreateOrReuse(System.IO.Path.Combine(Path, point.Name));

    /// <exception cref="OptionException">The folder holds a run of another configuration.</exception>
    public bool IsFinished(SweepPoint point)
    {
        if (!File.Exists(System.IO.Path.Combine(Path, point.Name, "config.json")))
            return false;
        var directory = DirectoryOf(point);
        var stored = directory.LoadConfiguration();
        if (Settings(stored) != Settings(point.Configuration))
            throw new OptionException($"--out {Path}: {point.Name} in it is a run with other settings; name another folder, or repeat the settings of the sweep that is there");
        return File.Exists(directory.EvaluationFile);
    }

    /// <summary>Trains and evaluates one run, from its checkpoint where there is one.</summary>
    /// <returns>Whether it reached its end.</returns>
    /// <exception cref="OptionException">Another process writes this run.</exception>
    public bool Train(SweepPoint point, Compute compute, DatasetSplits data, Func<bool> stop) => Train(point, compute, data, stop, _ => { }, (_, _) => { });

    /// <inheritdoc cref="Train(SweepPoint, Compute, DatasetSplits, Func{bool})"/>
    /// <param name="progress">Called every few steps.</param>
    /// <param name="epochDone">Called with each finished epoch's means and test means.</param>
    public bool Train(SweepPoint point, Compute compute, DatasetSplits data, Func<bool> stop, Action<TrainingProgress> progress, Action<EpochSummary, Likelihoods> epochDone)
    {
        var directory = DirectoryOf(point);
        using var held = directory.Lock();
        if (held.Notice is { } notice)
            Note(notice);
        var configuration = File.Exists(directory.ConfigurationFile) ? directory.LoadConfiguration() : point.Configuration with { Device = compute.Name };
        directory.SaveConfiguration(configuration);
        using var run = new TrainingRun(compute, configuration, data, directory);
        if (directory.HasCheckpoint)
            run.Resume();
        if (!run.Train(stop, progress, epochDone))
            return false;
        run.Evaluate();
        return true;
    }

    /// <summary>Writes summary.csv and the charts of the runs that are finished.</summary>
    public void WriteSummary()
    {
        lock (writing)
            Summary().Save(Path);
    }

    public SweepSummary Summary() => new(Keys, [.. Points.Where(IsFinished).Select(p => new SweepResult(p, Evaluation(p)))]);

    private static SweepPoint[] Combine(RunConfiguration start, IReadOnlyList<GridAxis> axes)
    {
        IEnumerable<SweepPoint> points = [new([], start)];
        foreach (var axis in axes)
            points = points.SelectMany(p => axis.Values.Select(v => new SweepPoint([.. p.Values, (axis.Key, v)], p.Configuration.With(axis.Key, v, "--grid"))));
        return [.. points];
    }

    private JsonObject Evaluation(SweepPoint point) => JsonNode.Parse(File.ReadAllText(DirectoryOf(point).EvaluationFile))!.AsObject();

    /// <summary>What determines the results, without where and when they were made.</summary>
    private static RunConfiguration Settings(RunConfiguration c) => c with { Device = "", Version = "", Commit = "", Started = "" };
}
