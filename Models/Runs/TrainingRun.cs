using System.Diagnostics;
using System.Globalization;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Runs;

/// <summary>One training run from its first step to its last, with checkpoints, metrics and, when it was stopped, its continuation.</summary>
public sealed class TrainingRun : IDisposable
{
    private static readonly TimeSpan CheckpointInterval = TimeSpan.FromSeconds(60);

    private readonly DatasetSplits data;
    private readonly RunDirectory directory;
    private readonly TrainingData trainingData;
    private readonly Trainer trainer;
    private readonly Evaluator test;
    private readonly List<string> metrics = [], probabilities = [];

    /// <param name="compute">The device; not disposed of here.</param>
    /// <param name="data">Both splits; <see cref="RunConfiguration.Limit"/> is applied to the training images here.</param>
    public TrainingRun(Compute compute, RunConfiguration configuration, DatasetSplits data, RunDirectory directory)
    {
        (Configuration, this.directory) = (configuration, directory);
        this.data = configuration.Limit > 0 ? data with { Train = data.Train.Take(configuration.Limit) } : data;
        var train = this.data.Train;
        trainingData = new(compute, train, configuration.Binarise, configuration.Seed);
        Model = ModelCatalogue.Create(compute, configuration, new ImageShape(train.Height, train.Width, train.Channels), trainingData.Variance, train.Count);
        trainer = new(Model, trainingData, configuration);
        test = new(Model, data.Test, configuration);
    }

    public RunConfiguration Configuration { get; }

    public VaeModel Model { get; }

    /// <summary>Epoch in progress, from 1, and steps done in all.</summary>
    public (int Epoch, long Step) Position => (trainer.Epoch + 1, trainer.Step);

    public bool IsFinished => trainer.IsFinished;

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

    /// <summary>
    /// Trains to the last epoch, or until <paramref name="stop"/> says so; writes checkpoints before the first step, each minute and
    /// each epoch, metrics.csv and, with a category, probabilities.csv each epoch.
    /// </summary>
    /// <param name="epochDone">Called with each finished epoch's means and test means.</param>
    /// <returns>Whether the last epoch was reached.</returns>
    /// <exception cref="DivergenceException">A number is not finite; the last checkpoint is from before.</exception>
    public bool Train(Func<bool> stop, Action<TrainingProgress> progress, Action<EpochSummary, Likelihoods> epochDone)
    {
        if (trainer.Step == 0)
            directory.SaveCheckpoint(trainer.Save(), metrics, probabilities);
        long saved = trainer.Step;
        var sinceCheckpoint = Stopwatch.StartNew();
        while (!trainer.IsFinished)
        {
            EpochSummary? summary;
            TrainingState state;
            try
            {
                summary = trainer.TrainEpoch(() => stop() || sinceCheckpoint.Elapsed > CheckpointInterval, progress);
                state = trainer.Save();
            }
            catch (DivergenceException e)
            {
                throw new DivergenceException($"{e.Message}; {directory.CheckpointFile} is from before, after step {saved}", e);
            }
            if (summary is not null)
            {
                var likelihoods = test.Likelihoods(decodeMeans: false);
                AddMetrics(summary, likelihoods);
                if (Model.Categories > 0)
                    probabilities.AddRange([.. probabilities.Count == 0 ? [ProbabilityHistogram.Header] : (string[])[], ProbabilityHistogram.Row(summary.Epoch, test.Encode())]);
                epochDone(summary, likelihoods);
            }
            directory.SaveCheckpoint(state, metrics, probabilities);
            saved = trainer.Step;
            sinceCheckpoint.Restart();
            if (summary is not null)
                WriteTables();
            if (stop() && !trainer.IsFinished)
                return false;
        }
        directory.SaveModel(Model);
        return true;
    }

    /// <summary>Seconds that an epoch takes here, test images included, from a moment of training. Nothing is written, and this object can do nothing else afterwards.</summary>
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
        double perStep = last is { } l ? (l.Seconds - first!.Value.Seconds) / (l.Step - first.Value.Step) : clock.Elapsed.TotalSeconds / Math.Max(1, trainer.StepsPerEpoch);
        test.Likelihoods(decodeMeans: false);
        double before = clock.Elapsed.TotalSeconds;
        test.Likelihoods(decodeMeans: false);
        return perStep * trainer.StepsPerEpoch + clock.Elapsed.TotalSeconds - before;
    }

    /// <summary>Measures the model on the test images and writes evaluation.json and influence.csv.</summary>
    public EvaluationResult Evaluate()
    {
        var result = EvaluationResult.Compute(Model, data.Test, Configuration, data.Train);
        result.Save(directory);
        MembershipMaps.Save(Model, data.Test, directory.File(MembershipMaps.FileName));
        return result;
    }

    public void Dispose()
    {
        test.Dispose();
        trainer.Dispose();
        Model.Dispose();
        trainingData.Dispose();
    }

    private void WriteTables()
    {
        foreach (var (file, rows) in ((string, List<string>)[])[(directory.MetricsFile, metrics), (directory.ProbabilitiesFile, probabilities)])
            if (rows.Count > 0)
                Engine.IO.AtomicFile.WriteText(file, string.Join('\n', rows) + "\n");
    }

    private void AddMetrics(EpochSummary train, Likelihoods test)
    {
        if (metrics.Count == 0)
            metrics.Add(string.Join(',', ["epoch", "step", "seconds", "images_per_second", .. train.Terms.Select(t => "train_" + t.Name), .. test.Terms.Select(t => "test_" + t.Name), .. test.ClassificationError is null ? [] : (string[])["test_error"], "sigma2"]));
        string[] row =
        [
            Number(train.Epoch), Number(train.Step), train.Seconds.ToString("F3", CultureInfo.InvariantCulture), train.ImagesPerSecond.ToString("F1", CultureInfo.InvariantCulture),
            .. train.Terms.Select(t => Number(t.Value)), .. test.Terms.Select(t => Number(t.Value)), .. test.ClassificationError is { } error ? [Number(error)] : (string[])[],
            train.Variance is { } variance ? Number(variance) : "",
        ];
        metrics.Add(string.Join(',', row));

        static string Number(double value) => value.ToString("G9", CultureInfo.InvariantCulture);
    }
}
