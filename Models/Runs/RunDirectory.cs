using System.Globalization;
using System.Text.Json;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Runs;

/// <summary>The folder of one training run: configuration, metrics, weights, checkpoint and results. Every file is written whole or not at all.</summary>
public sealed class RunDirectory
{
    private const string CheckpointFormat = "vae-checkpoint-1";

    /// <summary>The files that commands keep in a run directory, beside traverse-FACTOR.png.</summary>
    private static readonly string[] FileNames =
    [
        "config.json", "model.safetensors", "checkpoint.safetensors", "metrics.csv", "probabilities.csv", "evaluation.json", "influence.csv", "influence.svg", "reduced.csv", "classification.csv",
        "metrics.json", "report.html", "samples.png", "reconstructions.png", "latent.svg", DesignedLatents.FileName, MembershipMaps.FileName, RunLock.FileName,
    ];

    private RunDirectory(string path) => Path = path;

    public string Path { get; }

    public string ConfigurationFile => File("config.json");

    public string ModelFile => File("model.safetensors");

    public string CheckpointFile => File("checkpoint.safetensors");

    public string MetricsFile => File("metrics.csv");

    /// <summary>How sure the category was after each epoch; see <see cref="ProbabilityHistogram"/>.</summary>
    public string ProbabilitiesFile => File("probabilities.csv");

    public string EvaluationFile => File("evaluation.json");

    public string InfluenceFile => File("influence.csv");

    public string ReducedFile => File("reduced.csv");

    public string ReportFile => File("report.html");

    public bool HasCheckpoint => System.IO.File.Exists(CheckpointFile);

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>A new folder; it is made with the first file, so that a run that cannot start leaves nothing behind.</summary>
    /// <exception cref="OptionException">The folder is there and not empty.</exception>
    public static RunDirectory Create(string path)
    {
        if (IsFree(path))
            return new(path);
        RunLock.ThrowIfHeld(path);
        throw new OptionException($"--out {path}: it exists already; name another folder, or add --resume to continue the run in it");
    }

    /// <summary>The folder, whatever a run that was killed before its first file has left in it.</summary>
    public static RunDirectory CreateOrReuse(string path) => new(path);

    /// <summary>A new folder of this name, with -2, -3, ... added when it is taken.</summary>
    public static RunDirectory CreateUnique(string path)
    {
        string free = path;
        for (int i = 2; Directory.Exists(free) || System.IO.File.Exists(free); i++)
            free = FormattableString.Invariant($"{path}-{i}");
        return new(free);
    }

    public static bool IsRun(string path) => System.IO.File.Exists(System.IO.Path.Combine(path, "config.json"));

    /// <exception cref="DataException">The folder is not a run.</exception>
    public static RunDirectory Open(string path)
    {
        if (!Directory.Exists(path))
            throw new DataException($"{path}: there is no such run directory; `vae train --out {path}` makes one");
        var run = new RunDirectory(path);
        return System.IO.File.Exists(run.ConfigurationFile)
            ? run
            : throw new DataException($"{path}: it has no config.json, so it is not a run directory; name a folder that `vae train` made");
    }

    /// <summary>Takes the right to write here, which one process has at a time; the folder is made if need be.</summary>
    /// <exception cref="OptionException">Another process writes here.</exception>
    public RunLock Lock() => RunLock.Take(Path);

    /// <summary>Whether <paramref name="path"/> is a file that a command keeps in a run directory, whichever run.</summary>
    public static bool IsFileOfRun(string path)
    {
        string name = System.IO.Path.GetFileName(path), folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) ?? "";
        bool kept = FileNames.Contains(name) || (name.StartsWith("traverse-", StringComparison.Ordinal) && name.EndsWith(".png", StringComparison.Ordinal));
        return kept && IsRun(folder);
    }

    /// <summary>Deletes the temporary files of a run that was killed while it wrote.</summary>
    public void RemoveLeftovers()
    {
        foreach (string name in FileNames)
            foreach (string leftover in Directory.GetFiles(Path, $".{name}.*"))
                System.IO.File.Delete(leftover);
    }

    public void SaveConfiguration(RunConfiguration configuration) => AtomicFile.WriteText(ConfigurationFile, configuration.ToJson());

    /// <exception cref="DataException">config.json cannot be read as a configuration.</exception>
    public RunConfiguration LoadConfiguration()
    {
        try
        {
            return RunConfiguration.FromJson(System.IO.File.ReadAllText(ConfigurationFile));
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new DataException($"{ConfigurationFile}: not a configuration of this version ({e.Message.Split('\n')[0].TrimEnd('.')}); train the model again or restore the file", e);
        }
    }

    /// <summary>Writes model.safetensors: every parameter in PyTorch's name and layout.</summary>
    public void SaveModel(VaeModel model) => WeightFile.Save(model.Parameters, ModelFile);

    public void LoadModel(VaeModel model) => WeightFile.Load(model.Parameters, ModelFile);

    /// <summary>Writes checkpoint.safetensors; the rows of metrics.csv and probabilities.csv go with it, so that all always agree.</summary>
    public void SaveCheckpoint(TrainingState state, IReadOnlyList<string> metrics, IReadOnlyList<string> probabilities)
    {
        var metadata = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["format"] = CheckpointFormat,
            ["epoch"] = state.Epoch.ToString(CultureInfo.InvariantCulture),
            ["step_in_epoch"] = state.StepInEpoch.ToString(CultureInfo.InvariantCulture),
            ["seconds"] = state.Seconds.ToString("R", CultureInfo.InvariantCulture),
            ["seconds_at_epoch_start"] = state.SecondsAtEpochStart.ToString("R", CultureInfo.InvariantCulture),
            ["epoch_sums"] = string.Join(' ', state.EpochSums.Select(s => s.ToString("R", CultureInfo.InvariantCulture))),
            ["term_names"] = string.Join('\n', state.TermNames),
            ["metrics"] = string.Join('\n', metrics),
            ["probabilities"] = string.Join('\n', probabilities),
        };
        List<(string, HostArray)> arrays = [("device_sums", new([state.DeviceSums.Length], state.DeviceSums)), .. state.Arrays.Select(a => (a.Name, new HostArray([a.Values.Length], a.Values)))];
        Safetensors.Write(CheckpointFile, arrays, metadata);
    }

    /// <exception cref="DataException">The file is damaged or no checkpoint.</exception>
    public (TrainingState State, string[] Metrics, string[] Probabilities) LoadCheckpoint()
    {
        var file = Safetensors.Read(CheckpointFile);
        try
        {
            if (file.Metadata["format"] != CheckpointFormat)
                throw new FormatException();
            var arrays = file.Arrays.ToDictionary(a => a.Key, a => a.Value.Data);
            foreach (var (name, values) in arrays)
                if (Array.FindIndex(values, v => !float.IsFinite(v)) is >= 0 and var bad)
                    throw new DataException(FormattableString.Invariant($"{CheckpointFile}: {name} holds {values[bad]} at element {bad}, ")
                        + "so training had diverged when it was written; train again into another folder, with a lower --lr");
            arrays.Remove("device_sums", out var deviceSums);
            return (new(int.Parse(file.Metadata["epoch"], CultureInfo.InvariantCulture), int.Parse(file.Metadata["step_in_epoch"], CultureInfo.InvariantCulture),
                double.Parse(file.Metadata["seconds"], CultureInfo.InvariantCulture), double.Parse(file.Metadata["seconds_at_epoch_start"], CultureInfo.InvariantCulture),
                [.. file.Metadata["epoch_sums"].Split(' ').Select(s => double.Parse(s, CultureInfo.InvariantCulture))], deviceSums!,
                file.Metadata["term_names"].Split('\n', StringSplitOptions.RemoveEmptyEntries), [.. arrays.Select(a => (a.Key, a.Value))]),
                file.Metadata["metrics"].Split('\n', StringSplitOptions.RemoveEmptyEntries), file.Metadata["probabilities"].Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        catch (Exception e) when (e is KeyNotFoundException or FormatException or OverflowException)
        {
            throw new DataException($"{CheckpointFile}: not a checkpoint of this version; train again into another folder", e);
        }
    }

    private static bool IsFree(string path) =>
        !System.IO.File.Exists(path) && (!Directory.Exists(path) || Directory.EnumerateFileSystemEntries(path).All(entry => System.IO.Path.GetFileName(entry) == RunLock.FileName));
}
