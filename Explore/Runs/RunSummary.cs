using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Explore.Web;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Explore.Runs;

/// <summary>What a run's files say without opening its model.</summary>
/// <param name="Stamp">Changes with the weights, so that the page knows when to draw again; null where there are none.</param>
/// <param name="Problem">Why the run cannot be shown, a sentence; null where it can.</param>
internal sealed record RunSummary(RunEntry Run, RunConfiguration? Configuration, MetricsTable? Metrics, JsonObject? Evaluation,
    string? Stamp, string? Problem)
{
    public const string NoWeights = "it has neither a model nor a checkpoint yet, so that there are no weights to show";

    public const string NoPictures = "it was trained on a table or on vectors, which the page cannot draw; `vae sample` and `vae "
        + "reconstruct` write them as CSV";

    /// <summary>Whether a run's items are no pictures.</summary>
    public static bool IsTable(RunConfiguration configuration) => ImageShape.TryParse(configuration.Image)?.Table is not null;

    /// <summary>A run that is broken, or only half there, has a problem and no exception.</summary>
    public static RunSummary Read(RunEntry run)
    {
        RunConfiguration? configuration = null;
        try
        {
            var directory = RunDirectory.Open(run.Path);
            configuration = directory.LoadConfiguration();
            configuration.Validate();
            var metrics = MetricsTable.Read(directory.MetricsFile);
            string? stamp = WeightsOf(directory) is { } weights
                ? File.GetLastWriteTimeUtc(weights).Ticks.ToString(CultureInfo.InvariantCulture) : null;
            return new(run, configuration, metrics, ReadEvaluation(directory), stamp, stamp is null ? NoWeights
                : IsTable(configuration) ? NoPictures : null);
        }
        catch (Exception e) when (e is DataException or OptionException or IOException or UnauthorizedAccessException)
        {
            return new(run, configuration, null, null, null, Answer.Sentence(e));
        }
    }

    /// <summary>The file with the newest weights; null where there is none yet.</summary>
    public static string? WeightsOf(RunDirectory directory)
    {
        bool model = File.Exists(directory.ModelFile), checkpoint = directory.HasCheckpoint;
        return model
            && (!checkpoint || File.GetLastWriteTimeUtc(directory.ModelFile) >= File.GetLastWriteTimeUtc(directory.CheckpointFile))
            ? directory.ModelFile
            : checkpoint ? directory.CheckpointFile : null;
    }

    /// <summary>finished, training, stopped, or broken.</summary>
    public string State =>
        Configuration is null ? "broken"
        : RunLock.SeemsHeld(Run.Path) && !IsTrained ? "training"
        : Problem is not null and not NoPictures ? "broken"
        : File.Exists(Path.Combine(Run.Path, "model.safetensors")) ? "finished" : "stopped";

    /// <summary>Whether all epochs are done: who holds the lock of such a run measures it.</summary>
    private bool IsTrained => File.Exists(Path.Combine(Run.Path, "model.safetensors")) && EpochsDone >= Configuration!.Training.Epochs;

    public int EpochsDone => Metrics is { Epochs: > 0 } metrics && metrics.Columns.TryGetValue("epoch", out double[]? epochs)
        ? (int)epochs[^1] : 0;

    /// <summary>A number of evaluation.json; null where there is none.</summary>
    public JsonNode? Measured(string key) => Evaluation?[key] is JsonValue value && value.TryGetValue(out double number)
        ? Answer.Finite(number) : null;

    public JsonObject ToJson() => new()
    {
        ["id"] = Run.Id,
        ["state"] = State,
        // The page knows runs by their names.
        ["problem"] = Problem?.Replace(Run.Path, Run.Id, StringComparison.Ordinal),
        ["model"] = Configuration?.Model.Title,
        ["data"] = Configuration?.Data.Name,
        ["latents"] = Configuration?.Network.Latents,
        ["seed"] = Configuration?.Training.Seed,
        ["epochs"] = Configuration?.Training.Epochs,
        ["epochsDone"] = EpochsDone,
        ["evlb"] = Evaluation is not null ? Measured("evlb_nats") : LastEvlb(),
        ["information"] = Measured("mi_nats"),
        ["influential"] = Measured("influential_factors"),
        ["started"] = Configuration?.Started,
        ["stamp"] = Stamp,
    };

    /// <summary>-(NLL + KL) of the test images after the last epoch, where the run has not been evaluated yet.</summary>
    private JsonNode? LastEvlb() => Metrics is { Epochs: > 0 } m && m.Columns.TryGetValue("test_nll", out double[]? nll)
        && m.Columns.TryGetValue("test_kl", out double[]? kl)
        ? Answer.Finite(-(nll[^1] + kl[^1]))
        : null;

    private static JsonObject? ReadEvaluation(RunDirectory directory)
    {
        if (!File.Exists(directory.EvaluationFile))
            return null;
        try
        {
            return JsonNode.Parse(File.ReadAllText(directory.EvaluationFile)) as JsonObject;
        }
        catch (JsonException e)
        {
            throw new DataException($"{directory.EvaluationFile}: {e.Message.Split('\n')[0].TrimEnd('.')}; `vae evaluate` writes it again",
                e);
        }
    }
}
