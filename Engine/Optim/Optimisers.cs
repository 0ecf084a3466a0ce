using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch;

/// <summary>Moves the parameters of an arena along their gradients. Its slots (moments, velocities) are part of a checkpoint.</summary>
/// <remarks>
/// Every number that changes from step to step is in device memory, so that <see cref="Update"/> can be part of a captured step.
/// </remarks>
public abstract class Optimiser : IDisposable
{
    private readonly Slice<float>[] slots;
    private readonly double clipNorm;
    private readonly Slice<float> squares, norm;
    private bool hasBegun;

    protected Optimiser(Compute compute, ParameterArena arena, int slotCount)
    {
        (Compute, Arena) = (compute, arena);
        slots = [.. Enumerable.Range(0, slotCount).Select(_ => compute.Pool.Rent<float>(arena.Values.Length))];
        foreach (var slot in slots)
            compute.Backend.Fill(slot, 0);
        Hyper = compute.Pool.Rent<float>(3);
        // What a captured step makes of a replay before the first BeginStep is seen at once.
        compute.Backend.Fill(Hyper, float.NaN);
    }

    public ParameterArena Arena { get; }

    /// <summary>
    /// Gradients whose norm, of all of the arena together, is larger than this are scaled down to it before a step (Pascanu, Mikolov and
    /// Bengio, 2013); 0, the
    /// default, for no limit.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative or not finite.</exception>
    public double ClipNorm
    {
        get => clipNorm;
        init
        {
            if (!double.IsFinite(value) || value < 0)
                throw new ArgumentOutOfRangeException(nameof(value), value,
                    "optimiser: the largest norm of the gradients is a number from 0, which is no limit");
            clipNorm = value;
            if (value > 0 && squares.IsAbsent)
                (squares, norm) = (Compute.Pool.Rent<float>(Arena.Gradients.Length), Compute.Pool.Rent<float>(1));
        }
    }

    /// <summary>State vectors, each as long as the arena's values.</summary>
    public IReadOnlyList<Slice<float>> Slots => slots;

    protected Compute Compute { get; }

    /// <summary>Learning rate and, for Adam, the bias corrections, in device memory.</summary>
    protected Slice<float> Hyper { get; }

    /// <summary>Writes the numbers of step t (from 1) to the device. Outside a captured step, before it runs.</summary>
    public void BeginStep(long t, double learningRate)
    {
        var (first, second) = BiasCorrections(t);
        Compute.Backend.Upload([(float)learningRate, first, second], Hyper);
        hasBegun = true;
    }

    /// <summary><see cref="BeginStep"/> and <see cref="Update(Slice{float})"/> in one, for steps that are not captured.</summary>
    /// <param name="t">Steps done, this one included: from 1.</param>
    public void Update(long t, double learningRate)
    {
        BeginStep(t, learningRate);
        Update();
    }

    /// <summary>Moves the parameters and forgets their gradients. May be part of a captured step.</summary>
    /// <param name="squaredNorm">Where present, the sum of the squares of all gradients, once they are clipped, is added to its one
    /// element.</param>
    /// <exception cref="InvalidOperationException">No step has begun, so that there is no learning rate.</exception>
    public void Update(Slice<float> squaredNorm = default)
    {
        if (!hasBegun && !Compute.IsCapturing)
            throw new InvalidOperationException(
                "optimiser: no step has begun, so there is no learning rate; call Update(step, learningRate), or BeginStep(step, "
                + "learningRate) before");
        Arena.CompleteGradients();
        Apply(squaredNorm);
        Arena.ClearGradients();
    }

    /// <summary>
    /// Moves the parameters by what is in <see cref="ParameterArena.Gradients"/>, wherever that came from. May be part of a captured step.
    /// </summary>
    /// <param name="squaredNorm">As in <see cref="Update(Slice{float})"/>.</param>
    public void Apply(Slice<float> squaredNorm = default)
    {
        if (clipNorm > 0)
            Clip();
        Step(squaredNorm);
    }

    protected abstract void Step(Slice<float> squaredNorm);

    /// <summary>What Adam divides its two moments by in step t; the other optimisers have none.</summary>
    protected virtual (float First, float Second) BiasCorrections(long t) => (0, 0);

    public void Dispose()
    {
        foreach (var slot in slots)
            Compute.Pool.Return(slot);
        Compute.Pool.Return(Hyper);
        if (!squares.IsAbsent)
        {
            Compute.Pool.Return(squares);
            Compute.Pool.Return(norm);
        }
    }

    /// <summary>g / max(1, |g| / limit). A gradient that is not finite stays so, as whoever watches for it has to see it.</summary>
    private void Clip()
    {
        var backend = Compute.Backend;
        backend.Unary<Square>(Arena.Gradients, squares);
        backend.Sum(squares, 1, squares.Length, 1, 1, norm);
        backend.Unary<Sqrt>(norm, norm);
        backend.Unary<Scale>(norm, norm, (float)(1 / clipNorm));
        backend.Unary<ClampMin>(norm, norm, 1);
        backend.Binary<Divide>(Arena.Gradients, norm, Arena.Gradients);
    }
}

/// <summary>Adam, as PyTorch's defaults; AdamW with a decoupled weight decay.</summary>
public sealed class Adam(Compute compute, ParameterArena arena, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8,
    double decoupledWeightDecay = 0)
    : Optimiser(compute, arena, slotCount: 2)
{
    protected override (float First, float Second) BiasCorrections(long t) =>
        ((float)(1 - Math.Pow(beta1, t)), (float)(1 - Math.Pow(beta2, t)));

    protected override void Step(Slice<float> squaredNorm) =>
        Compute.Backend.Adam(Arena.Values, Arena.Gradients, Slots[0], Slots[1],
            new((float)beta1, (float)beta2, (float)epsilon, (float)decoupledWeightDecay), Hyper, squaredNorm);
}

/// <summary>RMSprop, as PyTorch's.</summary>
public sealed class RmsProp(Compute compute, ParameterArena arena, double alpha = 0.99, double epsilon = 1e-8)
    : Optimiser(compute, arena, slotCount: 1)
{
    protected override void Step(Slice<float> squaredNorm) =>
        Compute.Backend.RmsProp(Arena.Values, Arena.Gradients, Slots[0], (float)alpha, (float)epsilon, Hyper, squaredNorm);
}

/// <summary>Stochastic gradient descent with momentum and weight decay, as PyTorch's.</summary>
public sealed class Sgd(Compute compute, ParameterArena arena, double momentum = 0.9, double weightDecay = 0)
    : Optimiser(compute, arena, slotCount: 1)
{
    protected override void Step(Slice<float> squaredNorm) =>
        Compute.Backend.Sgd(Arena.Values, Arena.Gradients, Slots[0], (float)momentum, (float)weightDecay, Hyper, squaredNorm);
}
