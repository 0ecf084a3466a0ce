using System.Diagnostics;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Training;

/// <summary>Where training is, for a progress bar.</summary>
/// <param name="Terms">Each term's mean over the epoch so far, nats per image, "loss" first.</param>
public sealed record TrainingProgress(int Epoch, int Epochs, long Step, int StepInEpoch, int StepsPerEpoch, double ImagesPerSecond, IReadOnlyList<(string Name, double Value)> Terms, float? Variance, TimeSpan Remaining);

/// <summary>Means over one epoch of training.</summary>
/// <param name="Seconds">Wall time of the training loop so far in this run, resumed parts included, without evaluation and checkpoints.</param>
public sealed record EpochSummary(
    int Epoch, long Step, double Seconds, double ImagesPerSecond, IReadOnlyList<(string Name, double Value)> Terms, float? Variance)
{
    // Of the mean over an epoch, nats; chance is far below it.
    private const double LargestChance = 1;

    /// <summary>A sentence for each mean of a KL divergence that is below 0, which none can be.</summary>
    public IEnumerable<string> ImpossibleTerms(RunConfiguration configuration)
    {
        string reason = configuration.Estimate == "weighted"
            ? "--estimate weighted counts a posterior 1 / (N B), which takes log N a factor off it and adds as much to mi and tc together; "
                + "use --estimate stratified, or batch, whose gradients are the same"
            : "its estimate from minibatches is off; try a larger --batch";
        return Terms.Where(t => t.Name.StartsWith("kl", StringComparison.Ordinal) && t.Value < -LargestChance).Select(t =>
            FormattableString.Invariant($"{t.Name} was {t.Value:F1} nats on average in epoch {Epoch}, and no KL divergence is below 0: {reason}"));
    }
}

/// <summary>
/// Minimises a model's objective over a data set. A step is captured once for each batch size and replayed: the batch, the random state, the learning rate and
/// the weights that follow schedules are in device memory.
/// </summary>
public sealed class Trainer : IDisposable
{
    private const int MaximumTerms = 64;
    private const int StepsBetweenReports = 25;

    // Apart from the steps of training, which begin at 0, and those of evaluation, which begin at the upper half.
    private const uint FirstPretrainingStep = 0x4000_0000;

    // The second batch comes in an order of its own.
    private const ulong SecondOrder = 0x9E37_79B9_7F4A_7C15;

    private readonly VaeModel model;
    private readonly RunConfiguration configuration;
    private readonly TrainingData data;
    private readonly Compute compute;
    private readonly BatchFeed feed;
    private readonly BatchFeed? secondFeed;
    private readonly LabelledImages? labelled;
    private readonly Dictionary<int, CapturedStep> steps = [];
    private readonly List<string> termNames = [];
    private readonly Slice<float> sums;
    private readonly double[] epochSums = new double[MaximumTerms];
    private readonly IReadOnlyList<(TrainingPhase Phase, Optimiser Optimiser, Schedule LearningRate)> phases;
    private readonly DivergenceWatch watch;
    private double secondsBefore;
    private double secondsAtEpochStart;
    private readonly Stopwatch clock = new();

    public Trainer(VaeModel model, TrainingData data, RunConfiguration configuration)
    {
        (this.model, this.data, this.configuration) = (model, data, configuration);
        compute = model.Compute;
        labelled = model.Classes > 0 ? new(compute, data.Dataset, model.Classes, configuration.Labels, configuration.LabelledBatch, configuration.Binarise, configuration.Seed) : null;
        feed = BatchFeed.Create(compute, data, configuration.Batch, configuration.Seed);
        secondFeed = model.UsesSecondBatch ? BatchFeed.Create(compute, data, configuration.Batch, configuration.Seed ^ SecondOrder) : null;
        phases = [.. model.Phases.Select(p => (p, CreateOptimiser(p), LearningRate(p)))];
        watch = new(model, configuration);
        sums = compute.Pool.Rent<float>(MaximumTerms);
        compute.Backend.Fill(sums, 0);
    }

    /// <summary>Epochs finished.</summary>
    public int Epoch { get; private set; }

    public int StepInEpoch { get; private set; }

    public int StepsPerEpoch => feed.BatchesPerEpoch;

    /// <summary>Steps done in all.</summary>
    public long Step => (long)Epoch * StepsPerEpoch + StepInEpoch;

    public bool IsFinished => Epoch >= configuration.Epochs;

    /// <summary>Kernel calls in a step of a full batch; 0 before the first.</summary>
    public int CallsPerStep => steps.TryGetValue(feed.BatchSize, out var step) ? step.Calls : 0;

    /// <summary>
    /// Trains to the end of the current epoch, or until <paramref name="interrupt"/> says so after a step.
    /// </summary>
    /// <param name="interrupt">Asked after each step; true stops there.</param>
    /// <param name="progress">Called every few steps.</param>
    /// <returns>The epoch's means, or null when it was interrupted.</returns>
    /// <exception cref="DivergenceException">A term or a gradient since the last report is not finite.</exception>
    public EpochSummary? TrainEpoch(Func<bool>? interrupt = null, Action<TrainingProgress>? progress = null)
    {
        clock.Start();
        if (Step == 0)
            Pretrain();
        using var second = secondFeed?.Batches(Epoch, StepInEpoch).GetEnumerator();
        foreach (int images in feed.Batches(Epoch, StepInEpoch))
        {
            second?.MoveNext();
            RunStep(images);
            StepInEpoch++;
            bool last = StepInEpoch == StepsPerEpoch;
            if (last || StepInEpoch % StepsBetweenReports == 0)
            {
                ReadSums();
                progress?.Invoke(Progress());
            }
            if (!last && interrupt?.Invoke() == true)
            {
                compute.Backend.Synchronise();
                clock.Stop();
                return null;
            }
        }
        clock.Stop();
        Epoch++;
        StepInEpoch = 0;
        double seconds = Seconds;
        var summary = new EpochSummary(Epoch, Step, seconds, data.Count / Math.Max(1e-9, seconds - secondsAtEpochStart), Means(data.Count), model.Noise.Variance);
        secondsAtEpochStart = seconds;
        Array.Clear(epochSums);
        return summary;
    }

    /// <summary>The state that, with the model's configuration, a run continues from bit for bit. All of it is finite.</summary>
    /// <exception cref="DivergenceException">A term or a gradient since the last report, or a number of the state itself, is not finite.</exception>
    public TrainingState Save()
    {
        var device = DownloadSums();
        return new(Epoch, StepInEpoch, Seconds, secondsAtEpochStart, [.. epochSums], device, [.. termNames],
            DownloadArrays($"after step {Step}"));
    }

    public void Restore(TrainingState state)
    {
        (Epoch, StepInEpoch, secondsBefore, secondsAtEpochStart) = (state.Epoch, state.StepInEpoch, state.Seconds, state.SecondsAtEpochStart);
        state.EpochSums.CopyTo(epochSums, 0);
        termNames.Clear();
        termNames.AddRange(state.TermNames);
        watch.FiniteUntil = Step;
        compute.Backend.Upload<float>(state.DeviceSums, sums);
        var saved = state.Arrays.ToDictionary(a => a.Name, a => a.Values);
        foreach (var (name, slice) in Arrays())
        {
            if (!saved.TryGetValue(name, out var values) || values.Length != slice.Length)
                throw new ArgumentException($"the checkpoint has no array '{name}' of {slice.Length} values; it belongs to another model or configuration");
            compute.Backend.Upload<float>(values, slice);
        }
    }

    public void Dispose()
    {
        foreach (var step in steps.Values)
            step.Dispose();
        foreach (var (_, optimiser, _) in phases)
            optimiser.Dispose();
        feed.Dispose();
        secondFeed?.Dispose();
        labelled?.Dispose();
        compute.Pool.Return(sums);
    }

    private double Seconds => secondsBefore + clock.Elapsed.TotalSeconds;

    private void RunStep(int images)
    {
        double epoch = Epoch + (double)StepInEpoch / StepsPerEpoch;
        if (!steps.TryGetValue(images, out var step))
            steps.Add(images, step = CaptureStep(images));
        model.Rng.BeginStep((uint)Step);
        foreach (var scalar in model.ScheduledScalars)
            scalar.Set(epoch);
        labelled?.BeginStep(Step);
        model.BeforeStep((uint)Step, images);
        foreach (var (_, optimiser, learningRate) in phases)
            optimiser.BeginStep(Step + 1, learningRate(epoch));
        step.Replay();
    }

    private CapturedStep CaptureStep(int images) => compute.Capture(() =>
    {
        model.Rng.RestartDraws();
        using var outer = new Tape(compute, gradients: false, training: true);
        var batch = new TrainingBatch(feed.Images(images, model.Rng), secondFeed?.Images(images, model.Rng), labelled?.Batch(model.Rng));
        var names = new List<string>();
        var tapes = new Stack<Tape>();
        try
        {
            for (int turn = 0; turn < phases.Count; turn++)
            {
                var (phase, optimiser, _) = phases[turn];
                foreach (var (other, _, _) in phases)
                    other.Arena.Frozen = other != phase;
                var tape = new Tape(compute);
                tapes.Push(tape);
                var objective = phase.Objective(batch);
                tape.Backward(objective.Seeds());
                optimiser.Update(sums.Part(GradientSlot(turn), 1));
                bool ofModel = phase.Arena == model.Arena;
                if (ofModel)
                    model.Noise.AfterStep();
                AddToSums(objective, images, ofModel, names);
            }
        }
        finally
        {
            // Later phases read tensors of earlier ones, so that all tapes end together.
            while (tapes.TryPop(out var tape))
                tape.Dispose();
            foreach (var (phase, _, _) in phases)
                phase.Arena.Frozen = false;
        }
        termNames.Clear();
        termNames.AddRange(names);
    });

    /// <summary>Adds each term, times the images it stands for, to its sum on the device; a term whose weight changes adds its share of the loss to one more.</summary>
    /// <param name="inLoss">Whether the terms are part of the reported loss, which is the model's own.</param>
    private void AddToSums(Objective objective, int images, bool inLoss, List<string> names)
    {
        foreach (var (term, weight, factor) in objective.Terms)
        {
            Add(term.Value, term.Name, weight);
            if (factor is not null)
                Add(term.Value * factor, WeightedPrefix + term.Name, weight);
        }

        void Add(Tensor value, string name, double weight)
        {
            int slot = names.Count;
            if (slot == MaximumTerms - phases.Count)
                throw new InvalidOperationException($"an objective has more than {slot} terms");
            names.Add(FormattableString.Invariant($"{name}={(inLoss ? weight : 0):R}"));
            compute.Backend.Sum(value.Data, 1, value.Length, 1, (float)images / value.Length, sums.Part(slot, 1), accumulate: true);
        }
    }

    private const string WeightedPrefix = "*";

    /// <summary>Where the squared norms of a phase's gradients are added up: from the end, behind all terms.</summary>
    private static int GradientSlot(int turn) => MaximumTerms - 1 - turn;

    private void ReadSums()
    {
        var device = DownloadSums();
        compute.Backend.Fill(sums, 0);
        for (int i = 0; i < MaximumTerms; i++)
            epochSums[i] += device[i];
    }

    /// <summary>The sums on the device, which are then known to be finite.</summary>
    private float[] DownloadSums()
    {
        var device = Download(sums);
        if (!device.All(float.IsFinite))
            throw watch.Diverged(Epoch, Step, [.. termNames.Select((n, slot) => (NameOf(n).TrimStart(WeightedPrefix[0]), device[slot])),
                .. phases.Select((p, turn) => ($"the squared gradient norm of {p.Phase.Name}", device[GradientSlot(turn)]))]);
        watch.FiniteUntil = Step;
        return device;
    }

    /// <summary>The part of an entry of <see cref="termNames"/> before its weight.</summary>
    private static string NameOf(string entry) => entry[..entry.LastIndexOf('=')];

    /// <summary>Loss first, then each term by name. A term with a scheduled weight enters the loss through its weighted twin.</summary>
    private List<(string Name, double Value)> Means(int images)
    {
        var terms = new List<(string Name, double Value)>();
        var scheduled = termNames.Where(n => n.StartsWith(WeightedPrefix, StringComparison.Ordinal)).Select(n => n[1..]).ToHashSet();
        double loss = 0;
        for (int i = 0; i < termNames.Count; i++)
        {
            string name = NameOf(termNames[i]);
            double weight = double.Parse(termNames[i][(name.Length + 1)..], System.Globalization.CultureInfo.InvariantCulture);
            double mean = epochSums[i] / images;
            if (!name.StartsWith(WeightedPrefix, StringComparison.Ordinal))
                terms.Add((name, mean));
            if (!scheduled.Contains(termNames[i]))
                loss += weight * mean;
        }
        return [("loss", loss), .. terms];
    }

    private TrainingProgress Progress()
    {
        int images = Math.Min(data.Count, StepInEpoch * feed.BatchSize);
        double seconds = Math.Max(1e-9, Seconds - secondsAtEpochStart);
        double done = Step, total = (double)configuration.Epochs * StepsPerEpoch;
        var remaining = TimeSpan.FromSeconds(Math.Min(1e7, Seconds * (total - done) / done));
        return new(Epoch + 1, configuration.Epochs, Step, StepInEpoch, StepsPerEpoch, images / seconds, Means(images), model.Noise.Variance, remaining);
    }

    /// <summary>
    /// Trains the classifier on the labelled images alone where the model asks for it. It is not interrupted, and a checkpoint is never from within: a run that is stopped
    /// here begins again.
    /// </summary>
    private void Pretrain()
    {
        if (model.Pretraining is not { } pretraining)
            return;
        using var adam = new Adam(compute, model.Arena);
        using var step = compute.Capture(() =>
        {
            model.Rng.RestartDraws();
            using var tape = new Tape(compute);
            var (images, y) = labelled!.Batch(model.Rng);
            tape.Backward(new Seed(y * model.ClassLogits(images).LogSoftmax(), -1f / labelled.BatchSize));
            adam.Update();
        });
        long steps = (long)pretraining.Epochs * labelled!.Count / labelled.BatchSize;
        for (long i = 0; i < steps; i++)
        {
            model.Rng.BeginStep(FirstPretrainingStep + (uint)i);
            labelled.BeginStep(i);
            adam.BeginStep(i + 1, pretraining.LearningRate);
            step.Replay();
        }
        DownloadArrays("after pre-training");
    }

    private Schedule LearningRate(TrainingPhase phase) => Schedules.RampDown(
        Schedules.PerEpoch(phase.Optimiser?.LearningRate ?? configuration.LearningRate, configuration.LearningRateDecay), configuration.Epochs, configuration.LearningRateHold);

    private Optimiser CreateOptimiser(TrainingPhase phase) => (phase.Optimiser, configuration.Optimiser) switch
    {
        ({ } own, _) => new Adam(compute, phase.Arena, own.Beta1, own.Beta2),
        (_, "rmsprop") => new RmsProp(compute, phase.Arena),
        (_, "sgd") => new Sgd(compute, phase.Arena, configuration.Momentum),
        _ => new Adam(compute, phase.Arena, decoupledWeightDecay: configuration.WeightDecay),
    };

    private IEnumerable<(string Name, Slice<float> Slice)> Arrays()
    {
        foreach (var (phase, optimiser, _) in phases)
        {
            yield return ($"{phase.Name}.values", phase.Arena.Values);
            yield return ($"{phase.Name}.state", phase.Arena.State);
            for (int i = 0; i < optimiser.Slots.Count; i++)
                yield return ($"{phase.Name}.optimiser.{i}", optimiser.Slots[i]);
        }
    }

    /// <summary>Copies of <see cref="Arrays"/>, which are then known to be finite.</summary>
    private (string Name, float[] Values)[] DownloadArrays(string when)
    {
        (string Name, float[] Values)[] arrays = [.. Arrays().Select(a => (a.Name, Download(a.Slice)))];
        foreach (var (name, values) in arrays)
            if (Array.FindIndex(values, v => !float.IsFinite(v)) is >= 0 and var bad)
                throw watch.Diverged(name, values[bad], when);
        return arrays;
    }

    private float[] Download(Slice<float> slice)
    {
        var values = new float[slice.Length];
        compute.Backend.Download(slice, values);
        return values;
    }
}

/// <summary>What <see cref="Trainer.Save"/> gives: arrays exactly as they are in device memory, and the place in the epoch.</summary>
public sealed record TrainingState(int Epoch, int StepInEpoch, double Seconds, double SecondsAtEpochStart, double[] EpochSums, float[] DeviceSums, string[] TermNames, (string Name, float[] Values)[] Arrays);
