using VaeFromScratch.Kernels;

namespace VaeFromScratch;

/// <summary>
/// Random numbers as a pure function of (seed, stream, step, draw, element): a checkpoint stores three numbers, and a captured step is
/// replayed with another step
/// number by writing one word of device memory.
/// </summary>
public sealed class Rng : IDisposable
{
    private readonly Compute compute;
    private readonly Slice<uint> state;
    private uint nextDraw;

    /// <param name="stream">Keeps purposes apart: training noise, evaluation, pictures.</param>
    public Rng(Compute compute, ulong seed, uint stream = 0)
    {
        (this.compute, Seed, Stream) = (compute, seed, stream);
        state = compute.Pool.Rent<uint>(4);
        BeginStep(0);
    }

    public ulong Seed { get; }

    public uint Stream { get; }

    public uint Step { get; private set; }

    /// <summary>Moves to a step; its draws are numbered from 0.</summary>
    public void BeginStep(uint step)
    {
        Step = step;
        nextDraw = 0;
        compute.Backend.Upload([(uint)Seed, (uint)(Seed >> 32), step, Stream], state);
    }

    /// <summary>The next draw of this step.</summary>
    internal RandomDraw Next() => new(state, nextDraw++);

    /// <summary>Starts numbering draws again, inside a captured step: the step number itself comes from device memory.</summary>
    public void RestartDraws() => nextDraw = 0;

    /// <summary>Independent draws of N(0, 1).</summary>
    public Tensor Normal(Shape shape) => Draw(Distribution.Normal, shape);

    /// <summary>Independent draws, uniform in (0, 1).</summary>
    public Tensor Uniform(Shape shape) => Draw(Distribution.Uniform, shape);

    private Tensor Draw(Distribution distribution, Shape shape)
    {
        var y = Tape.New(shape);
        compute.Backend.Random(distribution, Next(), y.Data);
        return y;
    }

    public void Dispose() => compute.Pool.Return(state);
}
