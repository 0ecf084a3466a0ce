using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Engine.Optim;

/// <summary>Moves the parameters of an arena along their gradients. Its slots (moments, velocities) are part of a checkpoint.</summary>
/// <remarks>Every number that changes from step to step is in device memory, so that <see cref="Update"/> can be part of a captured step.</remarks>
public abstract class Optimiser : IDisposable
{
    private readonly Slice<float>[] slots;

    protected Optimiser(Compute compute, ParameterArena arena, int slotCount)
    {
        (Compute, Arena) = (compute, arena);
        slots = [.. Enumerable.Range(0, slotCount).Select(_ => compute.Pool.Rent<float>(arena.Values.Length))];
        foreach (var slot in slots)
            compute.Backend.Fill(slot, 0);
        Hyper = compute.Pool.Rent<float>(3);
    }

    public ParameterArena Arena { get; }

    /// <summary>State vectors, each as long as the arena's values.</summary>
    public IReadOnlyList<Slice<float>> Slots => slots;

    protected Compute Compute { get; }

    /// <summary>Learning rate and, for Adam, the bias corrections, in device memory.</summary>
    protected Slice<float> Hyper { get; }

    /// <summary>Writes the numbers of step t (from 1) to the device. Outside a captured step, before it runs.</summary>
    public virtual void BeginStep(long t, double learningRate) => Compute.Backend.Upload([(float)learningRate, 0, 0], Hyper);

    /// <summary>Moves the parameters and forgets their gradients. May be part of a captured step.</summary>
    /// <param name="squaredNorm">Where present, the sum of the squares of all gradients is added to its one element.</param>
    public void Update(Slice<float> squaredNorm = default)
    {
        Arena.CompleteGradients();
        // The gradient of s g with respect to a scalar s, given g, is g g: one launch, and no room for the squares. s itself is not read.
        var (g, s) = (Arena.Gradients, Hyper.Part(0, 1));
        if (!squaredNorm.IsAbsent)
            Compute.Backend.BinaryGradient<Multiply>(ofA: true, g, s, g, y: default, squaredNorm, accumulate: true);
        Step();
        Arena.ClearGradients();
    }

    protected abstract void Step();

    public void Dispose()
    {
        foreach (var slot in slots)
            Compute.Pool.Return(slot);
        Compute.Pool.Return(Hyper);
    }
}

/// <summary>Adam, as PyTorch's defaults; AdamW with a decoupled weight decay.</summary>
public sealed class Adam(Compute compute, ParameterArena arena, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8, double decoupledWeightDecay = 0)
    : Optimiser(compute, arena, slotCount: 2)
{
    public override void BeginStep(long t, double learningRate) =>
        Compute.Backend.Upload([(float)learningRate, (float)(1 - Math.Pow(beta1, t)), (float)(1 - Math.Pow(beta2, t))], Hyper);

    protected override void Step() =>
        Compute.Backend.Adam(Arena.Values, Arena.Gradients, Slots[0], Slots[1], new((float)beta1, (float)beta2, (float)epsilon, (float)decoupledWeightDecay), Hyper);
}

/// <summary>RMSprop, as PyTorch's.</summary>
public sealed class RmsProp(Compute compute, ParameterArena arena, double alpha = 0.99, double epsilon = 1e-8) : Optimiser(compute, arena, slotCount: 1)
{
    protected override void Step() => Compute.Backend.RmsProp(Arena.Values, Arena.Gradients, Slots[0], (float)alpha, (float)epsilon, Hyper);
}

/// <summary>Stochastic gradient descent with momentum and weight decay, as PyTorch's.</summary>
public sealed class Sgd(Compute compute, ParameterArena arena, double momentum = 0.9, double weightDecay = 0) : Optimiser(compute, arena, slotCount: 1)
{
    protected override void Step() => Compute.Backend.Sgd(Arena.Values, Arena.Gradients, Slots[0], (float)momentum, (float)weightDecay, Hyper);
}
