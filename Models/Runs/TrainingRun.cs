using System.Diagnostics;
using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Distributed;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Runs;

/// <summary>
/// One training run from its first step to its last, with checkpoints, metrics and, when it was stopped, its continuation.
/// </summary>
public sealed class TrainingRun : IDisposable
{
    private static readonly string[] LabelColumns = ["test_mi_label", "test_cluster_accuracy"];

    private static readonly TimeSpan CheckpointInterval = TimeSpan.FromSeconds(60);

    private readonly DatasetSplits data;
    private readonly ICollective ranks;
    private readonly RunDirectory directory;
    private readonly TrainingData trainingData;
    private readonly Trainer trainer;
    private readonly Lazy<Evaluator> test;
    private readonly List<string> metrics = [], probabilities = [];
    private RunLock? held;
    private bool configured;

    /// <param name="compute">The device; not disposed of here.</param>
    /// <param name="data">Both splits; <see cref="DataSettings.Limit"/> is applied to the training images here.</param>
    /// <param name="ranks">The processes that train the run together; null for this one alone. Each has a run of its own, all of the same
    /// configuration; rank 0 alone reads and writes <paramref name="directory"/>.</param>
    internal TrainingRun(Compute compute, RunConfiguration configuration, DatasetSplits data, RunDirectory directory,
        ICollective? ranks = null)
    {
        this.ranks = ranks ?? SingleProcess.Instance;
        var image = ImageShape.Of(data.Train);
        (Configuration, this.directory) = (configuration.OnData(data) with { Image = image.ToString() }, directory);
        this.data = configuration.Data.Limit > 0 ? data with { Train = data.Train.Take(configuration.Data.Limit) } : data;
        var train = this.data.Train;
        configuration.Noise.RequireFits(train);
        trainingData = new(compute, train, configuration.Data.Binarise, configuration.Training.Seed);
        Model = configuration.CreateModel(compute, image, trainingData.Variance, train.Count);
        trainer = new(Model, trainingData, configuration, ranks);
        test = new(() => new(Model, data.Test, configuration) { Ranks = this.ranks });
    }

    /// <summary>
    /// A run in a folder, which is locked until the run is disposed of: a new one where the folder is empty or not there, else the one that
    /// was begun there, from its last checkpoint on.
    /// </summary>
    /// <param name="path">Of the run directory; `vae evaluate` and the other commands take it, with --plugin where the model is not
    /// ours.</param>
    /// <exception cref="OptionException">The folder holds a run of another configuration, or another process writes there.</exception>
    /// <exception cref="Engine.IO.DataException">Its checkpoint is damaged.</exception>
    /// <param name="note">Called with what the user should know of the folder's lock.</param>
    public static TrainingRun Open(Compute compute, RunConfiguration configuration, DatasetSplits data, string path,
        Action<string>? note = null)
    {
        var directory = RunDirectory.CreateOrReuse(path);
        var held = directory.Lock();
        TrainingRun? run = null;
        try
        {
            if (held.Notice is { } notice)
                note?.Invoke(notice);
            var stored = File.Exists(directory.ConfigurationFile) ? directory.LoadConfiguration() : null;
            if (stored is not null && !stored.IsRunOf(configuration))
                throw new OptionException($"{path}: the run there has other settings; name another folder");
            string now = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            run = new(compute, stored ?? configuration.On(compute) with { Started = now }, data, directory);
            if (directory.HasCheckpoint)
                run.Resume();
            else
            {
                run.Prepare();
                directory.SaveConfiguration(run.Configuration);
            }
            run.held = held;
            return run;
        }
        catch
        {
            run?.Dispose();
            held.Dispose();
            throw;
        }
    }

    public RunConfiguration Configuration { get; }

    public RunDirectory Directory => directory;

    public VaeModel Model { get; }

    /// <summary>Epoch in progress, from 1, and steps done in all.</summary>
    public (int Epoch, long Step) Position => (trainer.Epoch + 1, trainer.Step);

    public bool IsFinished => trainer.IsFinished;

    /// <inheritdoc cref="Trainer.ShardCount"/>
    public int ShardCount => trainer.ShardCount;

    /// <summary>Seconds that a step has taken so far in this process, and how many of them went into sums over the ranks.</summary>
    public (double Training, double Adding) SecondsSpent => (trainer.TimeTraining.TotalSeconds, trainer.TimeAdding.TotalSeconds);

    /// <inheritdoc cref="Trainer.Prepare"/>
    public void Prepare() => trainer.Prepare();

    /// <summary>Continues from the last checkpoint.</summary>
    /// <exception cref="Engine.IO.DataException">It is damaged or belongs to another configuration.</exception>
    public void Resume()
    {
        var (state, rows, histograms) = directory.LoadCheckpoint();
        try
        {
            trainer.Restore(state);
        }
        catch (ArgumentException e)
        {
            throw new Engine.IO.DataException($"{directory.CheckpointFile}: {e.Message}", e);
        }
        metrics.AddRange(rows);
        probabilities.AddRange(histograms);
    }

    /// <inheritdoc cref="Trainer.Share"/>
    public void Share() => trainer.Share();

    /// <summary>
    /// Trains to the last epoch, or until <paramref name="stop"/> says so on any rank; writes checkpoints before the first step, each
    /// minute and each epoch, metrics.csv and, with a category, probabilities.csv each epoch.
    /// </summary>
    /// <param name="epochDone">Called with each finished epoch's means and test means.</param>
    /// <returns>Whether the last epoch was reached.</returns>
    /// <exception cref="DivergenceException">A number is not finite; the last checkpoint is from before.</exception>
    public bool Train(
        Func<bool>? stop = null, Action<TrainingProgress>? progress = null, Action<EpochSummary, Likelihoods>? epochDone = null)
    {
        stop ??= () => false;
        configured = Writes && File.Exists(directory.ConfigurationFile);
        if (trainer.Step == 0)
        {
            if (!CategoryStarts.Choose(Model, Configuration, trainingData, stop, ranks))
                return false;
            if (Writes)
                SaveCheckpoint(trainer.Save());
        }
        long saved = trainer.Step;
        var sinceCheckpoint = Stopwatch.StartNew();
        while (!trainer.IsFinished)
        {
            EpochSummary? summary;
            TrainingState state;
            try
            {
                summary = trainer.TrainEpoch(() => stop() || (Writes && sinceCheckpoint.Elapsed > CheckpointInterval), progress);
                state = trainer.Save();
            }
            catch (DivergenceException e)
            {
                throw new DivergenceException($"{e.Message}; {directory.CheckpointFile} is from before, after step {saved}", e);
            }
            if (summary is not null)
            {
                var likelihoods = TestLikelihoods(summary.Epoch);
                var encodings = Model.Categories > 0 ? test.Value.Encode() : null;
                AddMetrics(summary, likelihoods, encodings);
                if (encodings is not null)
                    probabilities.AddRange([.. probabilities.Count == 0 ? [ProbabilityHistogram.Header] : (string[])[],
                        ProbabilityHistogram.Row(summary.Epoch, encodings)]);
                epochDone?.Invoke(summary, likelihoods);
            }
            saved = trainer.Step;
            if (Writes)
            {
                SaveCheckpoint(state);
                if (summary is not null)
                    WriteTables();
            }
            sinceCheckpoint.Restart();
            // The others wait here while rank 0 writes.
            if (ranks.Any(stop(), Collectives.AsLongAsItTakes) && !trainer.IsFinished)
                return false;
        }
        if (!Writes)
            return true;
        CheckThere();
        directory.SaveModel(Model);
        return true;
    }

    /// <summary>
    /// Seconds that an epoch takes here, test images included, from a moment of training. Nothing is written, and this object can do
    /// nothing else afterwards.
    /// </summary>
    /// <param name="sample">How long to train for; at least some fifty steps are made.</param>
    public double SecondsPerEpoch(TimeSpan sample)
    {
        var clock = Stopwatch.StartNew();
        (long Step, double Seconds)? first = null, last = null;
        trainer.TrainEpoch(() => last is not null && clock.Elapsed > sample, p =>
        {
            // The steps before the first report compile and warm up.
            if (first is null)
                first = (p.Step, clock.Elapsed.TotalSeconds);
            else
                last = (p.Step, clock.Elapsed.TotalSeconds);
        });
        double perStep = last is { } l ? (l.Seconds - first!.Value.Seconds) / (l.Step - first.Value.Step)
            : clock.Elapsed.TotalSeconds / Math.Max(1, trainer.StepsPerEpoch);
        test.Value.Likelihoods(decodeMeans: false);
        double before = clock.Elapsed.TotalSeconds;
        test.Value.Likelihoods(decodeMeans: false);
        return perStep * trainer.StepsPerEpoch + clock.Elapsed.TotalSeconds - before;
    }

    /// <summary>Measures the model on the test images and writes evaluation.json, influence.csv and mixture.json.</summary>
    public EvaluationResult Evaluate()
    {
        using var activity = Telemetry.Source.StartActivity("evaluation")?.SetTag("epoch", trainer.Epoch);
        CheckThere();
        var result = EvaluationResult.Compute(Model, data.Test, Configuration, data.Train, importanceSamples: 0, new(directory.Path),
            ranks);
        result.Save(directory);
        MembershipMaps.Save(Model, data.Test, directory.File(MembershipMaps.FileName));
        return result;
    }

    /// <summary>What the other ranks do while rank 0 calls <see cref="Evaluate"/>: their share of the images.</summary>
    internal void HelpToEvaluate() => EvaluationResult.Help(Model, data.Test, Configuration, data.Train, ranks);

    public void Dispose()
    {
        if (test.IsValueCreated)
            test.Value.Dispose();
        trainer.Dispose();
        Model.Dispose();
        trainingData.Dispose();
        held?.Dispose();
    }

    private bool Writes => ranks.Rank == 0;

    private Likelihoods TestLikelihoods(int epoch)
    {
        using var activity = Telemetry.Source.StartActivity("evaluation")?.SetTag("epoch", epoch);
        return test.Value.Likelihoods(decodeMeans: false);
    }

    private void SaveCheckpoint(TrainingState state)
    {
        using var activity = Telemetry.Source.StartActivity("checkpoint")?.SetTag("step", trainer.Step);
        CheckThere();
        directory.SaveCheckpoint(state, metrics, probabilities);
    }

    /// <summary>
    /// A folder that vanished would be made anew by the next file, without what belongs to that; one that another process has taken over
    /// is that one's.
    /// </summary>
    private void CheckThere()
    {
        if (configured && !File.Exists(directory.ConfigurationFile))
            throw new DirectoryNotFoundException($"{directory.Path}: the run directory has vanished, and all that was trained with it; "
                + $"train again, into a folder that stays");
        RunLock.ThrowIfLost(directory.Path);
    }

    private void WriteTables()
    {
        CheckThere();
        foreach (var (file, rows) in ((string, List<string>)[])[(directory.MetricsFile, metrics),
            (directory.ProbabilitiesFile, probabilities)])
            if (rows.Count > 0)
                Engine.IO.AtomicFile.WriteText(file, string.Join('\n', rows) + "\n");
    }

    private void AddMetrics(EpochSummary train, Likelihoods test, Encodings? encodings)
    {
        // What paper 3's figure 3 tracks; a run of an earlier version goes on with the columns that it has.
        bool labelled = encodings is { Labels.Length: > 0 } && (metrics.Count == 0 || metrics[0].Contains(LabelColumns[0],
            StringComparison.Ordinal));
        if (metrics.Count == 0)
            metrics.Add(string.Join(',', ["epoch", "step", "seconds", "images_per_second", .. train.Terms.Select(t => "train_" + t.Name),
                .. test.Terms.Select(t => "test_" + t.Name), .. test.ClassificationError is null ? [] : (string[])["test_error"],
                .. labelled ? LabelColumns : [], "sigma2"]));
        string[] row =
        [
            Number(train.Epoch), Number(train.Step), train.Seconds.ToString("F3", CultureInfo.InvariantCulture),
                train.ImagesPerSecond.ToString("F1", CultureInfo.InvariantCulture),
            .. train.Terms.Select(t => Number(t.Value)), .. test.Terms.Select(t => Number(t.Value)),
                .. test.ClassificationError is { } error ? [Number(error)] : (string[])[],
            .. labelled ? AgainstLabels(encodings!).Select(Number) : [], train.Variance is { } variance ? Number(variance) : "",
        ];
        metrics.Add(string.Join(',', row));

        static string Number(double value) => value.ToString("G9", CultureInfo.InvariantCulture);
    }

    /// <summary>I(y; label) and the share of labels that the best one-to-one map finds, of the test images alone (S3).</summary>
    private static double[] AgainstLabels(Encodings e)
    {
        var table = new ContingencyTable(ContingencyTable.MostProbable(e.Probabilities.Span, e.Categories), e.Labels.Span, e.Categories);
        return [table.MutualInformation().Value, table.ClusteringAccuracy()];
    }
}
