using VaeFromScratch.Kernels;

namespace VaeFromScratch.Engine;

/// <summary>A device in use: its kernels and its memory pool. Everything that lives on the device hangs off one of these.</summary>
public sealed class Compute : IDisposable
{
    private readonly IBackend device;

    /// <param name="backend">The device; disposed of with this object.</param>
    public Compute(IBackend backend) => (device, Backend, Pool) = (backend, backend, new(backend));

    /// <summary>The kernels to call now: the device's, or a recorder of them inside <see cref="Capture"/>.</summary>
    public IBackend Backend { get; private set; }

    public BufferPool Pool { get; private set; }

    public string Name => device.Name;

    /// <summary>
    /// Records the kernel calls of <paramref name="step"/> without doing them; replaying the result does them, with the same buffers, at no cost for tensors or
    /// the tape. Whatever changes from step to step must reach the kernels through device memory that is written between replays.
    /// </summary>
    public CapturedStep Capture(Action step)
    {
        var pool = new BufferPool(device);
        var outside = (Backend, Pool);
        try
        {
            Pool = pool;
            var recorded = device.Capture(recorder =>
            {
                Backend = recorder;
                step();
            });
            return new(recorded, pool);
        }
        catch
        {
            pool.Dispose();
            throw;
        }
        finally
        {
            (Backend, Pool) = outside;
        }
    }

    /// <summary>A tensor that outlives tapes: the caller returns it with <see cref="Free"/>.</summary>
    public Tensor Allocate(Shape shape) => new(this, shape, Pool.Rent<float>(shape.Length), tape: null, needsGradient: false);

    public Tensor Allocate(Shape shape, ReadOnlySpan<float> values)
    {
        if (values.Length != shape.Length)
            throw new ArgumentException($"tensor: {values.Length} values do not fill shape {shape}");
        var tensor = Allocate(shape);
        Backend.Upload(values, tensor.Data);
        return tensor;
    }

    public void Free(Tensor tensor) => Pool.Return(tensor.Data);

    public void Dispose()
    {
        Pool.Dispose();
        device.Dispose();
    }
}

/// <summary>A step recorded by <see cref="Compute.Capture"/>, with the buffers that it works in.</summary>
public sealed class CapturedStep(ICapturedStep recorded, BufferPool pool) : IDisposable
{
    /// <summary>Kernel calls in a replay.</summary>
    public int Calls => recorded.Calls;

    /// <summary>Bytes that the step's temporaries occupy.</summary>
    public long Bytes => pool.BytesHeld;

    public void Replay() => recorded.Replay();

    public void Dispose()
    {
        recorded.Dispose();
        pool.Dispose();
    }
}
