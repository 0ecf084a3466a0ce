using System.Diagnostics;
using System.Runtime.InteropServices;
using VaeFromScratch.Distributed;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// Minimises a model's objective over a data set. A step is captured once for each batch size and replayed: the batch, the random state,
/// the learning rate and
/// the weights that follow schedules are in device memory. With several ranks, or with shards, a step is captured in parts: each shard's
/// forward and backward pass, and the optimiser's part behind the sum over the shards.
/// </summary>
internal sealed class Trainer : IDisposable
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
    private readonly ICollective ranks;
    private readonly DataParallel? parallel;
    private readonly Dictionary<int, CapturedStep> steps = [];
    private readonly Dictionary<(int Shard, int Images, int Batch), CapturedStep[]> shardSteps = [];
    private readonly CapturedStep?[] updates;
    private readonly List<string> termNames = [];
    private readonly Slice<float> sums;
    private readonly double[] epochSums = new double[MaximumTerms];
    private readonly IReadOnlyList<(TrainingPhase Phase, Optimiser Optimiser, Schedule LearningRate)> phases;
    private readonly DivergenceWatch watch;
    private double secondsBefore;
    private double secondsAtEpochStart;
    private readonly Stopwatch clock = new();

    /// <param name="ranks">The processes that train the model together; this one alone where null.</param>
    /// <exception cref="OptionException">The batch cannot be cut into the shards, or these divided among the ranks.</exception>
    public Trainer(VaeModel model, TrainingData data, RunConfiguration configuration, ICollective? ranks = null)
    {
        (this.model, this.data, this.configuration, this.ranks) = (model, data, configuration, ranks ?? SingleProcess.Instance);
        compute = model.Compute;
        int shards = Shards(configuration, this.ranks.Size, data.Count);
        var (batch, seed) = (configuration.Training.Batch, configuration.Training.Seed);
        labelled = model is ILearnsFromLabels learner ? new(compute, data.Dataset, learner.Classes, model is IHasDesign, learner.Labelled,
            configuration.Data.Binarise, seed, shards) : null;
        feed = BatchFeed.Create(compute, data, batch, seed);
        secondFeed = !model.UsesSecondBatch ? null : model.SecondIsPaired ? new PairedFeed(compute, data, new(data.Count, batch, seed))
            : BatchFeed.Create(compute, data, batch, seed ^ SecondOrder);
        phases = [.. model.Phases.Select(p =>
            (p, CreateOptimiser(p), configuration.Optimiser.Schedule(configuration.Training.Epochs, p.Optimiser?.LearningRate)))];
        watch = new(model, configuration);
        model.Shards = shards;
        updates = new CapturedStep?[phases.Count];
        parallel = shards == 1 ? null : new(compute, this.ranks, shards, model.Phases.Select(p => p.Arena), MaximumTerms);
        sums = compute.Pool.Rent<float>(MaximumTerms);
        compute.Backend.Fill(sums, 0);
    }

    /// <summary>The number of epochs finished.</summary>
    public int Epoch { get; private set; }

    public int StepInEpoch { get; private set; }

    public int StepsPerEpoch => feed.BatchesPerEpoch;

    /// <summary>Steps done in all.</summary>
    public long Step => (long)Epoch * StepsPerEpoch + StepInEpoch;

    public bool IsFinished => Epoch >= configuration.Training.Epochs;

    /// <summary>Kernel calls in a step of a full batch; 0 before the first.</summary>
    public int CallsPerStep => parallel is null ? steps.TryGetValue(feed.BatchSize, out var step) ? step.Calls : 0
        : shardSteps.Where(s => s.Key.Batch == feed.BatchSize).Sum(s => s.Value.Sum(part => part.Calls)) + updates.Sum(u => u?.Calls ?? 0);

    /// <summary>S, parts of each batch; see <see cref="TrainingSettings.Reproducible"/>.</summary>
    public int ShardCount => parallel?.Shards ?? 1;

    /// <summary>Time of the training loop so far in this process that went into sums over the ranks, waiting included.</summary>
    public TimeSpan TimeAdding => parallel?.TimeAdding ?? TimeSpan.Zero;

    /// <summary>Time of the training loop so far in this process.</summary>
    public TimeSpan TimeTraining => clock.Elapsed;

    /// <summary>Takes the memory that a step needs, before anything is written of a run that does not fit.</summary>
    /// <exception cref="DeviceMemoryException">There is not enough.</exception>
    public void Prepare()
    {
        if (parallel is null)
            Captured(feed.BatchSize);
        else
            foreach (int shard in parallel.Own)
                Captured(shard, feed.BatchSize);
    }

    /// <summary>Gives all ranks the state that rank 0 has, so that they begin alike whatever each has read or computed.</summary>
    /// <exception cref="CollectiveException">Another rank has gone.</exception>
    public void Share()
    {
        double[] place = [Epoch, StepInEpoch, .. epochSums];
        byte[] bytes = MemoryMarshal.AsBytes<double>(place).ToArray();
        ranks.Broadcast(bytes, Collectives.AsLongAsItTakes);
        MemoryMarshal.Cast<byte, double>(bytes).CopyTo(place);
        (Epoch, StepInEpoch) = ((int)place[0], (int)place[1]);
        place.AsSpan(2).CopyTo(epochSums);
        watch.FiniteUntil = Step;
        foreach (var slice in Arrays().Select(a => a.Slice).Append(sums).Where(s => s.Length > 0))
        {
            byte[] values = MemoryMarshal.AsBytes<float>(Download(slice)).ToArray();
            ranks.Broadcast(values);
            compute.Backend.Upload<float>(MemoryMarshal.Cast<byte, float>(values), slice);
        }
    }

    /// <summary>S: as many as the configuration says, or a shard for each rank.</summary>
    /// <param name="count">Training images.</param>
    /// <exception cref="OptionException">The batch cannot be cut into them, or they cannot be divided among the ranks.</exception>
    public static int Shards(RunConfiguration configuration, int ranks, int count = int.MaxValue)
    {
        int given = configuration.Training.Reproducible, shards = given == 0 ? ranks : given;
        int batch = Math.Min(configuration.Training.Batch, count);
        if (given != 0 && ShardSum.Problem(given, ranks) is { } problem)
            throw new OptionException($"reproducible {given}: {problem}");
        return shards == 1 || batch >= DataParallel.LeastImages * shards ? shards : throw new OptionException(
            $"batch {batch}: it is cut into {shards} shards, each of which needs {DataParallel.LeastImages} images; give a larger "
            + $"--batch or fewer shards");
    }

    /// <summary>
    /// Trains to the end of the current epoch, or until <paramref name="interrupt"/> says so after a step.
    /// </summary>
    /// <param name="interrupt">Asked after each step; true stops there. With several ranks or shards it is asked before each step, and
    /// true on any rank stops all of them behind it.</param>
    /// <param name="progress">Called every few steps.</param>
    /// <returns>The epoch's means, or null when it was interrupted.</returns>
    /// <exception cref="DivergenceException">A term or a gradient since the last report is not finite.</exception>
    public EpochSummary? TrainEpoch(Func<bool>? interrupt = null, Action<TrainingProgress>? progress = null)
    {
        using var activity = Telemetry.Source.StartActivity("epoch")?.SetTag("epoch", Epoch + 1).SetTag("first_step", Step);
        clock.Start();
        if (Step == 0)
            Pretrain();
        using var second = secondFeed?.Batches(Epoch, StepInEpoch).GetEnumerator();
        foreach (int images in feed.Batches(Epoch, StepInEpoch))
        {
            second?.MoveNext();
            bool stop = RunStep(images, interrupt);
            StepInEpoch++;
            bool last = StepInEpoch == StepsPerEpoch;
            if (last || StepInEpoch % StepsBetweenReports == 0)
            {
                ReadSums();
                Report(progress);
            }
            if (!last && (parallel is null ? interrupt?.Invoke() == true : stop))
            {
                compute.Backend.Synchronise();
                clock.Stop();
                return null;
            }
        }
        clock.Stop();
        Epoch++;
        StepInEpoch = 0;
        activity?.SetTag("finished", true);
        double seconds = Seconds;
        var summary = new EpochSummary(Epoch, Step, seconds, data.Count / Math.Max(1e-9, seconds - secondsAtEpochStart), Means(data.Count),
            model.Noise.Variance)
        {
            Weights = Weights(),
        };
        secondsAtEpochStart = seconds;
        Array.Clear(epochSums);
        return summary;
    }

    /// <summary>The state that, with the model's configuration, a run continues from bit for bit. All of it is finite.</summary>
    /// <exception cref="DivergenceException">A term or a gradient since the last report, or a number of the state itself, is not
    /// finite.</exception>
    public TrainingState Save()
    {
        var device = DownloadSums();
        return new(Epoch, StepInEpoch, Seconds, secondsAtEpochStart, [.. epochSums], device, [.. termNames],
            DownloadArrays($"after step {Step}"));
    }

    public void Restore(TrainingState state)
    {
        (Epoch, StepInEpoch, secondsBefore, secondsAtEpochStart) =
            (state.Epoch, state.StepInEpoch, state.Seconds, state.SecondsAtEpochStart);
        state.EpochSums.CopyTo(epochSums, 0);
        termNames.Clear();
        termNames.AddRange(state.TermNames);
        watch.FiniteUntil = Step;
        compute.Backend.Upload<float>(state.DeviceSums, sums);
        var saved = state.Arrays.ToDictionary(a => a.Name, a => a.Values);
        foreach (var (name, slice) in Arrays())
        {
            if (!saved.TryGetValue(name, out var values) || values.Length != slice.Length)
                throw new ArgumentException(
                    $"the checkpoint has no array '{name}' of {slice.Length} values; it belongs to another model or configuration");
            compute.Backend.Upload<float>(values, slice);
        }
    }

    public void Dispose()
    {
        foreach (var step in (CapturedStep[])[.. steps.Values, .. shardSteps.Values.SelectMany(s => s), .. updates.OfType<CapturedStep>()])
            step.Dispose();
        parallel?.Dispose();
        foreach (var (_, optimiser, _) in phases)
            optimiser.Dispose();
        feed.Dispose();
        secondFeed?.Dispose();
        labelled?.Dispose();
        compute.Pool.Return(sums);
    }

    private double Seconds => secondsBefore + clock.Elapsed.TotalSeconds;

    /// <returns>Whether a rank has asked to stop; where there is no other to agree with, nobody has.</returns>
    private bool RunStep(int images, Func<bool>? interrupt)
    {
        double epoch = Epoch + (double)StepInEpoch / StepsPerEpoch;
        foreach (var scalar in model.ScheduledScalars)
            scalar.Set(epoch);
        foreach (var (_, optimiser, learningRate) in phases)
            optimiser.BeginStep(Step + 1, learningRate(epoch));
        if (parallel is not null)
            return RunShards(parallel, images, interrupt?.Invoke() == true);
        var step = Captured(images);
        BeginDraws((uint)Step, images);
        step.Replay();
        return false;
    }

    /// <summary>A step in shards: each network's turn on all of them, then its optimiser's.</summary>
    private bool RunShards(DataParallel parallel, int images, bool asksToStop)
    {
        bool stop = false;
        for (int turn = 0; turn < phases.Count; turn++)
        {
            var arena = phases[turn].Phase.Arena;
            parallel.Begin(arena);
            foreach (int shard in parallel.Own)
            {
                var (start, count) = parallel.Part(shard, images);
                if (count == 0)
                    parallel.LeaveOut(arena);
                else
                {
                    var parts = Captured(shard, images);
                    BeginDraws(parallel.Number(Step, shard), count);
                    feed.StartAt(start);
                    secondFeed?.StartAt(start);
                    parts[turn].Replay();
                }
                parallel.Add(asksToStop);
            }
            stop |= parallel.End(arena, sums);
            Update(turn).Replay();
        }
        return stop;
    }

    /// <summary>Moves all random draws to those of a step, or of a shard of one.</summary>
    private void BeginDraws(uint number, int images)
    {
        model.Rng.BeginStep(number);
        labelled?.BeginStep(number);
        model.BeforeStep(number, images);
    }

    private CapturedStep Captured(int images)
    {
        if (!steps.TryGetValue(images, out var step))
            steps.Add(images, step = compute.Capture(() =>
            {
                foreach (int turn in Turns(images, share: 1, sums))
                    phases[turn].Optimiser.Update(sums.Part(GradientSlot(turn), 1));
            }));
        return step;
    }

    /// <summary>
    /// A shard's step, a part for each network. Each shard has its own, as later networks read what it has from earlier ones.
    /// </summary>
    private CapturedStep[] Captured(int shard, int batch)
    {
        int images = parallel!.Part(shard, batch).Count;
        if (!shardSteps.TryGetValue((shard, images, batch), out var parts))
            shardSteps.Add((shard, images, batch), parts = compute.CaptureParts(ShardTurns(images, (double)images / batch), phases.Count));
        return parts;
    }

    private IEnumerable<int> ShardTurns(int images, double share)
    {
        using var turns = Turns(images, share, parallel!.Sums).GetEnumerator();
        for (int turn = 0; turn < phases.Count; turn++)
        {
            parallel.BeginShard();
            turns.MoveNext();
            parallel.EndShard(phases[turn].Phase.Arena, share);
            yield return turn;
        }
    }

    /// <summary>The optimiser's part of a network's turn in a step of shards.</summary>
    private CapturedStep Update(int turn) =>
        updates[turn] ??= compute.Capture(() => phases[turn].Optimiser.Apply(sums.Part(GradientSlot(turn), 1)));

    /// <summary>
    /// Each network's forward and backward pass on the batch at hand, in turn. It yields when the gradients are there, for the optimiser to
    /// take them.
    /// </summary>
    /// <param name="share">What the gradients are multiplied by.</param>
    /// <param name="into">What the terms are added to.</param>
    private IEnumerable<int> Turns(int images, double share, Slice<float> into)
    {
        model.Rng.RestartDraws();
        using var outer = compute.Tape(gradients: false, training: true);
        var batch = new TrainingBatch(feed.Images(images, model.Rng), secondFeed?.Images(images, model.Rng), labelled?.Batch(model.Rng));
        var names = new List<string>();
        var tapes = new Stack<Tape>();
        try
        {
            for (int turn = 0; turn < phases.Count; turn++)
            {
                var phase = phases[turn].Phase;
                foreach (var (other, _, _) in phases)
                    other.Arena.Frozen = other != phase;
                var tape = compute.Tape();
                tapes.Push(tape);
                var objective = phase.Objective(batch);
                tape.Backward(objective.Seeds(share));
                bool ofModel = phase.Arena == model.Arena;
                if (ofModel)
                    model.Noise.AfterStep();
                AddToSums(objective, images, ofModel, names, into);
                if (turn == phases.Count - 1)
                {
                    termNames.Clear();
                    termNames.AddRange(names);
                }
                yield return turn;
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
    }

    /// <summary>
    /// Adds each term, times the images it stands for, to its sum on the device; a term whose weight changes adds its share of the loss to
    /// one more.
    /// </summary>
    /// <param name="inLoss">Whether the terms are part of the reported loss, which is the model's own.</param>
    /// <param name="into">The sums.</param>
    private void AddToSums(Objective objective, int images, bool inLoss, List<string> names, Slice<float> into)
    {
        var terms = new List<ColumnSum>();
        foreach (var (term, weight, factor) in objective.Terms)
        {
            Add(term.Value, term.Name, weight);
            if (factor is not null)
                Add(term.Value * factor, WeightedPrefix + term.Name, weight);
        }
        compute.Backend.SumColumns(CollectionsMarshal.AsSpan(terms));

        void Add(Tensor value, string name, double weight)
        {
            int slot = names.Count;
            if (slot == MaximumTerms - phases.Count)
                throw new InvalidOperationException($"an objective has more than {slot} terms");
            names.Add(FormattableString.Invariant($"{name}={(inLoss ? weight : 0):R}"));
            terms.Add(new(value.Length, 1, value.Data, into.Part(slot, 1), Accumulate: true, (float)images / value.Length));
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

    /// <summary>The weight of each term in the loss so far in this epoch.</summary>
    private Dictionary<string, double> Weights()
    {
        var weights = new Dictionary<string, double>();
        for (int i = 0; i < termNames.Count; i++)
        {
            string name = NameOf(termNames[i]);
            double weight = double.Parse(termNames[i][(name.Length + 1)..], System.Globalization.CultureInfo.InvariantCulture);
            if (!name.StartsWith(WeightedPrefix, StringComparison.Ordinal))
                weights[name] = weight;
            // Its twin stands right behind a term with a schedule.
            else if (epochSums[i - 1] != 0)
                weights[name[1..]] = weight * epochSums[i] / epochSums[i - 1];
        }
        return weights;
    }

    private void Report(Action<TrainingProgress>? progress)
    {
        bool isMeasured = Telemetry.IsMeasured;
        if (progress is null && !isMeasured)
            return;
        var now = Progress();
        progress?.Invoke(now);
        if (isMeasured)
            Telemetry.Record(now, compute.Pool.BytesHeld
                + steps.Values.Concat(shardSteps.Values.Select(parts => parts[0])).Sum(step => step.Bytes));
    }

    private TrainingProgress Progress()
    {
        int images = Math.Min(data.Count, StepInEpoch * feed.BatchSize);
        double seconds = Math.Max(1e-9, Seconds - secondsAtEpochStart);
        double done = Step, total = (double)configuration.Training.Epochs * StepsPerEpoch;
        var remaining = TimeSpan.FromSeconds(Math.Min(1e7, Seconds * (total - done) / done));
        return new(Epoch + 1, configuration.Training.Epochs, Step, StepInEpoch, StepsPerEpoch, images / seconds, Means(images),
            model.Noise.Variance, remaining);
    }

    /// <summary>
    /// Trains the classifier on the labelled images alone where the model asks for it. It is not interrupted, and a checkpoint is never
    /// from within: a run that is stopped
    /// here begins again.
    /// </summary>
    private void Pretrain()
    {
        if (model is not ILearnsFromLabels { Pretraining: { } pretraining } learner)
            return;
        using var adam = new Adam(compute, model.Arena);
        int shards = ShardCount;
        using var step = parallel is null
            ? compute.Capture(() => { Backward(); adam.Update(); })
            : compute.Capture(() => { parallel.BeginShard(); Backward(); parallel.EndShard(model.Arena, 1.0 / shards); });
        using var update = compute.Capture(() => adam.Apply());
        long steps = (long)pretraining.Epochs * labelled!.Count / (labelled.BatchSize * shards);
        for (long i = 0; i < steps; i++)
        {
            adam.BeginStep(i + 1, pretraining.LearningRate);
            parallel?.Begin(model.Arena);
            foreach (int shard in parallel?.Own ?? [0])
            {
                long number = i * shards + shard;
                model.Rng.BeginStep(FirstPretrainingStep + (uint)number);
                labelled.BeginStep(number);
                step.Replay();
                parallel?.Add(asksToStop: false);
            }
            if (parallel is null)
                continue;
            parallel.End(model.Arena, sums);
            update.Replay();
        }
        DownloadArrays("after pre-training");

        void Backward()
        {
            model.Rng.RestartDraws();
            using var tape = compute.Tape();
            var (images, y) = labelled!.Batch(model.Rng);
            tape.Backward(new Seed(y * learner.ClassLogits(images).LogSoftmax(), (float)(-1.0 / (labelled.BatchSize * shards))));
        }
    }

    private Optimiser CreateOptimiser(TrainingPhase phase) => phase.Optimiser is { } own
        ? new Adam(compute, phase.Arena, own.Beta1, own.Beta2) { ClipNorm = configuration.Optimiser.ClipNorm }
        : configuration.Optimiser.Create(compute, phase.Arena);

    private IEnumerable<(string Name, Slice<float> Slice)> Arrays()
    {
        foreach (var (phase, optimiser, _) in phases)
        {
            foreach (var weights in phase.Weights)
                yield return weights;
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
