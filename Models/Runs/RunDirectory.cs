using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text.Json;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Runs;

/// <summary>
/// The folder of one training run: configuration, metrics, weights, checkpoint and results. Every file is written whole or not at all.
/// </summary>
public sealed class RunDirectory
{
    private const string CheckpointFormat = "vae-checkpoint-1", ChecksumsKey = "checksums";

    /// <summary>The files that commands keep in a run directory, beside traverse-FACTOR.png and .csv.</summary>
    private static readonly string[] FileNames =
    [
        "config.json", "model.safetensors", "checkpoint.safetensors", "metrics.csv", "probabilities.csv", "evaluation.json",
            "influence.csv", "influence.svg", "reduced.csv", "classification.csv", ClassifierName,
        "metrics.json", "report.html", "samples.png", "samples.csv", "reconstructions.png", "reconstructions.csv", "latent.svg",
            DesignedLatents.FileName, MembershipMaps.FileName, StoredMixture.FileName, RunLock.FileName, FailureName,
    ];

    private const string ClassifierName = "classifier.safetensors", FailureName = "failure.txt";

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

    /// <summary>Weights of the classifier that `vae classify` trained on the most factors.</summary>
    public string ClassifierFile => File(ClassifierName);

    public string ReportFile => File("report.html");

    /// <summary>Why a run of a sweep could not be trained to its end; gone once it can.</summary>
    public string FailureFile => File(FailureName);

    public bool HasCheckpoint => System.IO.File.Exists(CheckpointFile);

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>A new folder; it is made with the first file, so that a run that cannot start leaves nothing behind.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="canResume">Whether the command can go on with a run that is there; for the error.</param>
    /// <exception cref="OptionException">The folder is there and not empty.</exception>
    public static RunDirectory Create(string path, bool canResume = true)
    {
        if (IsFree(path))
            return new(path);
        RunLock.ThrowIfHeld(path);
        throw new OptionException(
            $"--out {path}: it exists "
            + $"already{(IsRun(path) ? "" : ", and is no run")}; name another folder"
            + (canResume && IsRun(path) ? ", or add --resume to continue the run in it" : ""));
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

    /// <summary>
    /// Takes the right to write here, which one process has at a time, and removes what a killed one has left; the folder is made if need
    /// be.
    /// </summary>
    /// <exception cref="RunHeldException">Another process writes here.</exception>
    internal RunLock Lock()
    {
        var held = RunLock.Take(Path);
        RemoveLeftovers();
        return held;
    }

    /// <summary>Whether <paramref name="path"/> is a file that a command keeps in a run directory, whichever run.</summary>
    public static bool IsFileOfRun(string path)
    {
        string name = System.IO.Path.GetFileName(path), folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) ?? "";
        bool kept = FileNames.Contains(name)
            || (name.StartsWith("traverse-", StringComparison.Ordinal) && System.IO.Path.GetExtension(name) is ".png" or ".csv");
        return kept && IsRun(folder);
    }

    /// <summary>Deletes the temporary files of a run that was killed while it wrote.</summary>
    private void RemoveLeftovers()
    {
        foreach (string file in Directory.GetFiles(Path, ".*").Where(file => IsLeftover(System.IO.Path.GetFileName(file))))
        {
            try
            {
                System.IO.File.Delete(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It is in nobody's way; what the run writes itself says what is wrong with the folder.
            }
        }
    }

    public void SaveConfiguration(RunConfiguration configuration) => AtomicFile.WriteText(ConfigurationFile, configuration.ToJson());

    /// <exception cref="DataException">config.json cannot be read as a configuration.</exception>
    public RunConfiguration LoadConfiguration()
    {
        try
        {
            return RunConfiguration.FromJson(System.IO.File.ReadAllText(ConfigurationFile));
        }
        catch (OptionException e)
        {
            throw new DataException($"{ConfigurationFile}: {e.Message}; a model of your own needs --plugin and its assembly", e);
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new DataException(
                $"{ConfigurationFile}: not a configuration of this version ({JsonFile.Problem(ConfigurationFile, e)}); train the model "
                + $"again or restore the file", e);
        }
    }

    /// <summary>Writes model.safetensors: every parameter in PyTorch's name and layout.</summary>
    public void SaveModel(VaeModel model) => WeightFile.Save(model.Parameters, ModelFile);

    public void LoadModel(VaeModel model) => WeightFile.Load(model.Parameters, ModelFile);

    /// <summary>
    /// Writes checkpoint.safetensors; the rows of metrics.csv and probabilities.csv go with it, so that all always agree.
    /// </summary>
    internal void SaveCheckpoint(TrainingState state, IReadOnlyList<string> metrics, IReadOnlyList<string> probabilities)
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
        List<(string Name, HostArray Array)> arrays = [("device_sums", new([state.DeviceSums.Length], state.DeviceSums)),
            .. state.Arrays.Select(a => (a.Name, new HostArray([a.Values.Length], a.Values)))];
        metadata[ChecksumsKey] = string.Join('\n', arrays.Select(a => $"{Checksum(a.Array.Data)} {a.Name}"));
        Safetensors.Write(CheckpointFile, arrays, metadata);
    }

    /// <summary>Gives a model the weights of the last checkpoint: those of a run that is still in training.</summary>
    /// <exception cref="DataException">The file is damaged, no checkpoint, or belongs to another model.</exception>
    public void LoadCheckpoint(VaeModel model)
    {
        var saved = LoadCheckpoint().State.Arrays.ToDictionary(a => a.Name, a => a.Values);
        foreach (var phase in model.Phases)
            foreach (var (name, slice) in phase.Weights)
                if (saved.TryGetValue(name, out var values) && values.Length == slice.Length)
                    model.Compute.Backend.Upload<float>(values, slice);
                else
                    throw new DataException(
                        $"{CheckpointFile}: it has no array '{name}' of {slice.Length} values, so it belongs to another model or "
                        + $"configuration");
    }

    /// <exception cref="DataException">The file is damaged or no checkpoint.</exception>
    internal (TrainingState State, string[] Metrics, string[] Probabilities) LoadCheckpoint()
    {
        var file = Safetensors.Read(CheckpointFile);
        try
        {
            if (file.Metadata["format"] != CheckpointFormat)
                throw new FormatException();
            var arrays = file.Arrays.ToDictionary(a => a.Key, a => a.Value.Data);
            CheckSums(file, arrays);
            foreach (var (name, values) in arrays)
                if (Array.FindIndex(values, v => !float.IsFinite(v)) is >= 0 and var bad)
                    throw new DataException(FormattableString.Invariant($"{CheckpointFile}: {name} holds {values[bad]} at element {bad}, ")
                        + "so training had diverged when it was written; train again into another folder, with a lower --lr");
            arrays.Remove("device_sums", out var deviceSums);
            return (new(int.Parse(file.Metadata["epoch"], CultureInfo.InvariantCulture),
                int.Parse(file.Metadata["step_in_epoch"], CultureInfo.InvariantCulture),
                double.Parse(file.Metadata["seconds"], CultureInfo.InvariantCulture),
                    double.Parse(file.Metadata["seconds_at_epoch_start"], CultureInfo.InvariantCulture),
                [.. file.Metadata["epoch_sums"].Split(' ').Select(s => double.Parse(s, CultureInfo.InvariantCulture))], deviceSums!,
                file.Metadata["term_names"].Split('\n', StringSplitOptions.RemoveEmptyEntries), [.. arrays.Select(a => (a.Key, a.Value))]),
                file.Metadata["metrics"].Split('\n', StringSplitOptions.RemoveEmptyEntries),
                    file.Metadata["probabilities"].Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        catch (Exception e) when (e is KeyNotFoundException or FormatException or OverflowException)
        {
            throw new DataException($"{CheckpointFile}: not a checkpoint of this version; train again into another folder", e);
        }
    }

    /// <exception cref="DataException">The bytes of a tensor are not those that were written. Earlier versions wrote no
    /// checksums.</exception>
    private void CheckSums(SafetensorsFile file, Dictionary<string, float[]> arrays)
    {
        foreach (string line in file.Metadata.GetValueOrDefault(ChecksumsKey, "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (line.Split(' ', 2) is not [var sum, var name] || !arrays.TryGetValue(name, out float[]? values) || Checksum(values) != sum)
                throw new DataException($"{CheckpointFile}: {line.Split(' ', 2)[^1]} is not as it was written (its checksum differs); "
                    + $"restore the file from a copy, or train again into another folder");
    }

    private static string Checksum(float[] values) =>
        Crc32.HashToUInt32(MemoryMarshal.AsBytes<float>(values)).ToString("x8", CultureInfo.InvariantCulture);

    /// <summary>
    /// Whether a new run can be made here: there is nothing, or what a process that was killed before its run began has left.
    /// </summary>
    private static bool IsFree(string path) => !System.IO.File.Exists(path) && (!Directory.Exists(path)
        || Directory.EnumerateFileSystemEntries(path).Select(entry => System.IO.Path.GetFileName(entry)!).All(name =>
            name == RunLock.FileName || IsLeftover(name)));

    private static bool IsLeftover(string name) => FileNames.Any(file => AtomicFile.IsTemporaryOf(file, name));
}
