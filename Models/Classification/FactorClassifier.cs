using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Graphs;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Models.Classification;

/// <summary>How a classifier is trained.</summary>
/// <param name="Hidden">Width of the LSTM; 0 for a linear classifier.</param>
/// <param name="Batch">Sequences a step.</param>
/// <param name="LearningRate">The learning rate of Adam.</param>
internal sealed record ClassifierSettings(int Epochs, int Batch, double LearningRate, int Hidden)
{
    /// <summary>For single images: multinomial logistic regression.</summary>
    public static ClassifierSettings Linear { get; } = new(Epochs: 20, Batch: 100, LearningRate: 1e-2, Hidden: 0);

    /// <summary>For trials of EEG: paper 1's LSTM with 128 units.</summary>
    public static ClassifierSettings Sequence { get; } = new(Epochs: 30, Batch: 16, LearningRate: 3e-3, Hidden: 128);

    /// <summary>A fraction of the epochs, for a first look.</summary>
    public ClassifierSettings Quick => this with { Epochs = (Epochs + 3) / 4 };

    public static ClassifierSettings For(ImageDataset dataset) => dataset.SequenceLength > 1 ? Sequence : Linear;
}

/// <summary>
/// Tells classes apart from sequences of factors: a linear layer on single images, on sequences an LSTM whose last state it reads.
/// Minimises the softmax cross-entropy by Adam.
/// </summary>
internal sealed class FactorClassifier : IDisposable
{
    /// <summary>Keeps the initial weights apart from those of a model with the same seed ("clas" in ASCII).</summary>
    private const uint WeightStream = 0x636C6173;
    private const int EvaluationBatch = 500;

    private readonly Compute compute;
    private readonly ClassifierSettings settings;
    private readonly ulong seed;
    private readonly int steps, factors, classes;
    private readonly Lstm? lstm;
    private readonly Linear head;
    private readonly ParameterArena arena;

    /// <param name="steps">Images a sequence.</param>
    /// <param name="factors">H.</param>
    public FactorClassifier(Compute compute, int steps, int factors, int classes, ClassifierSettings settings, ulong seed)
    {
        (this.compute, this.steps, this.factors, this.classes, this.settings, this.seed) =
            (compute, steps, factors, classes, settings, seed);
        var init = new Initialise(seed, WeightStream);
        lstm = settings.Hidden > 0 ? new("lstm", factors, settings.Hidden, init) : null;
        head = new("head", lstm?.Hidden ?? steps * factors, classes, init);
        arena = new(compute, [.. lstm?.Parameters ?? [], .. head.Parameters]);
    }

    /// <summary>Trains from the first epoch to the last.</summary>
    public void Train(FactorSequences data)
    {
        var order = new BatchOrder(data.Count, settings.Batch, seed);
        using var optimiser = new Adam(compute, arena);
        var x = compute.Allocate(new(order.BatchSize, steps, factors));
        var targets = compute.Pool.Rent<int>(order.BatchSize);
        var captured = new Dictionary<int, CapturedStep>();
        try
        {
            long step = 0;
            for (int epoch = 0; epoch < settings.Epochs; epoch++)
                foreach (var batch in order.Batches(epoch))
                {
                    int count = batch.Length;
                    if (!captured.TryGetValue(count, out var replay))
                        captured.Add(count, replay = Capture(x, targets, count, optimiser));
                    compute.Backend.Upload<float>(Inputs(data, batch.Span), x.Data.Part(0, count * steps * factors));
                    compute.Backend.Upload<int>(Classes(data, batch.Span), targets.Part(0, count));
                    optimiser.BeginStep(++step, settings.LearningRate);
                    replay.Replay();
                }
            compute.Backend.Synchronise();
        }
        finally
        {
            foreach (var replay in captured.Values)
                replay.Dispose();
            compute.Free(x);
            compute.Pool.Return(targets);
        }
    }

    /// <summary>Share of the sequences whose most probable class is their own.</summary>
    public double Accuracy(FactorSequences data)
    {
        int right = 0;
        for (int start = 0; start < data.Count; start += EvaluationBatch)
        {
            int count = Math.Min(EvaluationBatch, data.Count - start);
            using var tape = compute.Tape(gradients: false);
            float[] logits = Logits(
                tape.Constant(new(count, steps, factors), data.Values.AsSpan(start * steps * factors, count * steps * factors))).ToArray();
            for (int i = 0; i < count; i++)
            {
                var row = logits.AsSpan(i * classes, classes);
                int best = 0;
                for (int c = 1; c < classes; c++)
                    if (row[c] > row[best])
                        best = c;
                right += best == data.Classes[start + i] ? 1 : 0;
            }
        }
        return (double)right / data.Count;
    }

    /// <summary>
    /// Writes the weights by PyTorch's names, lstm.* and head.*, with 0 for those of factors that it was trained without: what was fitted
    /// to masked factors reads all of them then.
    /// </summary>
    /// <param name="mask">1 for each factor that was kept, 0 for the others, [H].</param>
    public void Save(Stream stream, ReadOnlyMemory<float> mask)
    {
        var reads = arena.Parameters[0];
        HostArray Masked(Parameter parameter)
        {
            float[] values = parameter.ToArray();
            for (int i = 0; parameter == reads && i < values.Length; i++)
                values[i] *= mask.Span[i / parameter.Shape[1] % factors];
            return new(parameter.Layout.Disk, parameter.Layout.ToDisk(values));
        }

        Safetensors.Write(stream, [.. arena.Parameters.Select(p => (p.Name, Masked(p)))], new Dictionary<string, string>
        {
            ["steps"] = steps.ToString(CultureInfo.InvariantCulture),
            ["factors"] = factors.ToString(CultureInfo.InvariantCulture),
            ["classes"] = classes.ToString(CultureInfo.InvariantCulture),
            ["hidden"] = settings.Hidden.ToString(CultureInfo.InvariantCulture),
        });
    }

    /// <summary>A classifier that <see cref="Save"/> wrote.</summary>
    /// <exception cref="DataException">The file is damaged or none of a classifier.</exception>
    public static FactorClassifier Load(Compute compute, string path)
    {
        var metadata = Safetensors.Read(path).Metadata;
        int Number(string key) => metadata.TryGetValue(key, out string? text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
            : throw new DataException($"{path}: its metadata has no number '{key}', so it is no classifier; `vae classify` writes it anew");
        var classifier = new FactorClassifier(compute, Number("steps"), Number("factors"), Number("classes"),
            ClassifierSettings.Linear with { Hidden = Number("hidden") }, seed: 0);
        try
        {
            WeightFile.Load(classifier.arena.Parameters, path);
            return classifier;
        }
        catch
        {
            classifier.Dispose();
            throw;
        }
    }

    /// <summary>From factors, [T, H] or of single images [H], to the probability of each class, [K], as a graph.</summary>
    public (InputNode Factors, GraphNode Probabilities) Describe()
    {
        var input = new InputNode("factors", steps == 1 ? new(factors) : new(steps, factors));
        var state = lstm is not null ? lstm.DescribeLast(steps == 1 ? input.Reshape(new(1, factors)) : input) : steps == 1
            ? (GraphNode)input : input.Reshape(new(steps * factors));
        return (input, head.Describe(state).Apply(GraphFunction.Softmax));
    }

    /// <summary>The probability of each class, [B, K].</summary>
    /// <param name="x">[B, T, H].</param>
    public Tensor Probabilities(Tensor x) => Logits(x).Softmax();

    public void Dispose() => arena.Dispose();

    /// <param name="x">[B, steps, factors].</param>
    /// <returns>[B, classes].</returns>
    private Tensor Logits(Tensor x) => head.Forward(lstm?.Last(x) ?? x.Reshape(x.Shape[0], steps * factors));

    private CapturedStep Capture(Tensor x, Slice<int> targets, int count, Optimiser optimiser) => compute.Capture(() =>
    {
        using var tape = compute.Tape();
        var loss = Logits(x.Slice(0, 0, count)).SoftmaxCrossEntropy(targets.Part(0, count));
        tape.Backward(new Seed(loss, 1f / count));
        optimiser.Update();
    });

    private float[] Inputs(FactorSequences data, ReadOnlySpan<int> batch)
    {
        int length = steps * factors;
        float[] inputs = new float[batch.Length * length];
        for (int i = 0; i < batch.Length; i++)
            data.Values.AsSpan(batch[i] * length, length).CopyTo(inputs.AsSpan(i * length));
        return inputs;
    }

    private static int[] Classes(FactorSequences data, ReadOnlySpan<int> batch)
    {
        int[] classes = new int[batch.Length];
        for (int i = 0; i < classes.Length; i++)
            classes[i] = data.Classes[batch[i]];
        return classes;
    }
}
