using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Data;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Bench.Networks;

/// <summary>
/// Training steps of a network as the trainer makes them: a batch is gathered from stored bytes, then forward, backward and Adam. Each step
/// can be taken eagerly,
/// with a tape, or as the replay of a captured one.
/// </summary>
public sealed class TrainingStep : IDisposable
{
    private const double LearningRate = 1e-3;

    private readonly Compute compute;
    private readonly Network network;
    private readonly TrainingData data;
    private readonly BatchOrder order;
    private readonly Adam optimiser;
    private readonly Slice<int> indices;
    private readonly CapturedStep captured;
    private long step;

    /// <param name="compute">Disposed of with this object, as is the network.</param>
    /// <param name="images">Their number is a multiple of <paramref name="batch"/>.</param>
    public TrainingStep(Compute compute, Network network, ImageDataset images, int batch)
    {
        if (images.Count % batch != 0)
            throw new ArgumentException($"training step: {images.Count} images are not a whole number of batches of {batch}");
        (this.compute, this.network) = (compute, network);
        data = new(compute, images, Binarise.None, seed: 1);
        order = new(images.Count, batch, seed: 1);
        optimiser = new(compute, network.Arena);
        indices = compute.Pool.Rent<int>(batch);
        captured = compute.Capture(Step);
    }

    /// <summary>Kernel calls in a step.</summary>
    public int Calls => captured.Calls;

    /// <summary>A step with a tape of its own.</summary>
    public void RunEagerly(ReadOnlySpan<int> batch)
    {
        Begin(batch);
        Step();
        step++;
    }

    /// <summary>A step by replaying the captured one.</summary>
    public void Run(ReadOnlySpan<int> batch)
    {
        Begin(batch);
        captured.Replay();
        step++;
    }

    /// <summary>Captured steps over an epoch's batches in order, at most so many.</summary>
    public void RunBlock(int epoch, int steps)
    {
        foreach (var batch in order.Batches(epoch).Take(steps))
            Run(batch.Span);
    }

    /// <summary>The first batch of an epoch.</summary>
    public int[] Batch(int epoch) => order.Batches(epoch).First().ToArray();

    /// <summary>
    /// Checks the step: captured and eager steps from one state give the same parameters, bit for bit, and the gradient agrees with a
    /// central difference of the
    /// loss along itself. The kernels in it are checked one by one against the double-precision reference.
    /// </summary>
    /// <exception cref="WrongResultException">They do not agree.</exception>
    public void Validate(string name)
    {
        var batch = Batch(epoch: 0);
        var start = Download(network.Arena.Values);
        CheckGradient(name, batch, start);
        var state = Download(network.Arena.State);
        var moments = optimiser.Slots.Select(Download).ToArray();
        RunEagerly(batch);
        var eager = Download(network.Arena.Values);
        step--;
        Upload(start, network.Arena.Values);
        Upload(state, network.Arena.State);
        for (int i = 0; i < moments.Length; i++)
            Upload(moments[i], optimiser.Slots[i]);
        Run(batch);
        if (!Download(network.Arena.Values).AsSpan().SequenceEqual(eager))
            throw new WrongResultException($"{name}: a captured step and an eager step give different parameters");
        if (eager.AsSpan().SequenceEqual(start) || Array.Exists(eager, v => !float.IsFinite(v)))
            throw new WrongResultException($"{name}: a step leaves the parameters unchanged or makes them infinite");
    }

    public void Dispose()
    {
        captured.Dispose();
        optimiser.Dispose();
        compute.Pool.Return(indices);
        data.Dispose();
        network.Dispose();
        compute.Dispose();
    }

    private void Begin(ReadOnlySpan<int> batch)
    {
        compute.Backend.Upload(batch, indices);
        network.Rng.BeginStep((uint)step);
        optimiser.BeginStep(step + 1, LearningRate);
    }

    private void Step()
    {
        network.Rng.RestartDraws();
        using var tape = compute.Tape();
        tape.Backward(network.Objective(data.Gather(indices, network.Rng)));
        optimiser.Update();
    }

    /// <summary>(L(p + t u) - L(p - t u)) / 2t against |g|, where u = g / |g| and t moves the loss by about a thousandth.</summary>
    private void CheckGradient(string name, int[] batch, float[] start)
    {
        double loss = Loss(batch, withGradient: true);
        var gradient = Download(network.Arena.Gradients);
        network.Arena.ClearGradients();
        double norm = Math.Sqrt(gradient.Sum(g => (double)g * g)), t = 1e-3 * Math.Abs(loss) / norm;
        double difference = (At(t) - At(-t)) / (2 * t);
        Upload(start, network.Arena.Values);
        if (!(Math.Abs(difference - norm) <= 0.05 * norm))
            throw new WrongResultException($"{name}: the gradient has length {norm:G6}, the loss falls along it by {difference:G6}");

        double At(double distance)
        {
            Upload([.. start.Select((p, i) => (float)(p + distance * gradient[i] / norm))], network.Arena.Values);
            return Loss(batch, withGradient: false);
        }
    }

    private double Loss(int[] batch, bool withGradient)
    {
        Begin(batch);
        network.Rng.RestartDraws();
        using var tape = compute.Tape(gradients: withGradient, training: true);
        var seeds = network.Objective(data.Gather(indices, network.Rng));
        if (withGradient)
        {
            tape.Backward(seeds);
            network.Arena.CompleteGradients();
        }
        return seeds.Sum(s => s.Weight * s.Root.ToArray().Sum(v => (double)v));
    }

    private float[] Download(Slice<float> slice)
    {
        var values = new float[slice.Length];
        compute.Backend.Download(slice, values);
        return values;
    }

    private void Upload(float[] values, Slice<float> slice) => compute.Backend.Upload<float>(values, slice);
}
