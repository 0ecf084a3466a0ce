using VaeFromScratch.Kernels;

namespace VaeFromScratch;

/// <summary>A device in use: its kernels and its memory pool. Everything that lives on the device hangs off one of these.</summary>
public sealed class Compute : IDisposable
{
    private readonly IBackend device;

    /// <param name="backend">The device; disposed of with this object.</param>
    public Compute(IBackend backend) => (device, Backend, Pool) = (backend, backend, new(backend));

    /// <summary>Opens a device by the name that a user gives it.</summary>
    /// <param name="device">auto (a GPU where there is one), cpu, cuda, cuda:N, opencl, opencl:N or simulator.</param>
    /// <param name="threads">CPU threads; 0 for one per logical processor.</param>
    /// <exception cref="DeviceException">There is no such device.</exception>
    public static Compute Open(string device = "auto", int threads = 0) => new(Device.Open(device, threads));

    /// <summary>The kernels to call now: the device's, or a recorder of them inside <see cref="Capture"/>.</summary>
    public IBackend Backend { get; private set; }

    public BufferPool Pool { get; private set; }

    public string Name => device.Name;

    /// <inheritdoc cref="IBackend.Precision"/>
    public Precision Precision => device.Precision;

    /// <summary>Whether kernel calls are being recorded rather than done.</summary>
    internal bool IsCapturing { get; private set; }

    /// <summary>
    /// Records the kernel calls of <paramref name="step"/> without doing them; replaying the result does them, with the same buffers, at no
    /// cost for tensors or
    /// the tape. Whatever changes from step to step must reach the kernels through device memory that is written between replays.
    /// </summary>
    public CapturedStep Capture(Action step)
    {
        IEnumerable<int> Whole()
        {
            step();
            yield return 0;
        }

        return CaptureParts(Whole(), 1)[0];
    }

    /// <summary>
    /// As <see cref="Capture"/>, but recorded in parts, each up to where <paramref name="step"/> yields, to be replayed one after another
    /// with other work between them. They share their buffers, which go with the last one that is disposed of.
    /// </summary>
    /// <param name="count">How often it yields; what comes after the last time is not recorded.</param>
    internal CapturedStep[] CaptureParts<T>(IEnumerable<T> step, int count)
    {
        var pool = new BufferPool(device);
        var shared = new SharedPool(pool, count);
        var outside = (Backend, Pool);
        var parts = new List<ICapturedStep>();
        try
        {
            (Pool, IsCapturing) = (pool, true);
            using var running = step.GetEnumerator();
            for (int i = 0; i < count; i++)
                parts.Add(device.Capture(recorder =>
                {
                    Backend = recorder;
                    running.MoveNext();
                }));
        }
        catch
        {
            parts.ForEach(part => part.Dispose());
            pool.Dispose();
            throw;
        }
        finally
        {
            (Backend, Pool) = outside;
            IsCapturing = false;
        }
        return [.. parts.Select(part => new CapturedStep(part, shared))];
    }

    /// <summary>A tape, which operations go to until it is disposed of: a training step.</summary>
    /// <param name="gradients">Whether operations are recorded for <see cref="Tape.Backward(ReadOnlySpan{Seed})"/>.</param>
    /// <param name="training">Whether layers behave as in training (batch statistics, dropout); as <paramref name="gradients"/> by
    /// default.</param>
    public Tape Tape(bool gradients = true, bool? training = null) => new(this, gradients, training);

    /// <summary>A tensor with the given values on the current tape.</summary>
    /// <exception cref="InvalidOperationException">There is no tape.</exception>
    public Tensor Constant(Shape shape, ReadOnlySpan<float> values) => VaeFromScratch.Tape.Current.Constant(shape, values);

    /// <summary>A tensor that outlives tapes: the caller returns it with <see cref="Free"/>.</summary>
    public Tensor Allocate(Shape shape) => new(this, shape, Pool.Rent<float>(shape.Length), tape: null, needsGradient: false);

    public Tensor Allocate(Shape shape, ReadOnlySpan<float> values)
    {
        if (values.Length != shape.Length)
            throw new ShapeException("tensor", $"{values.Length} values for shape {shape}", $"{shape.Length}");
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
public sealed class CapturedStep : IDisposable
{
    private readonly ICapturedStep recorded;
    private readonly SharedPool pool;

    internal CapturedStep(ICapturedStep recorded, SharedPool pool) => (this.recorded, this.pool) = (recorded, pool);

    /// <summary>Kernel calls in a replay.</summary>
    public int Calls => recorded.Calls;

    /// <summary>Bytes that the step's temporaries occupy, with those of all its parts.</summary>
    public long Bytes => pool.Bytes;

    public void Replay() => recorded.Replay();

    public void Dispose()
    {
        recorded.Dispose();
        pool.Release();
    }
}

/// <summary>The buffers of a captured step's parts, which are freed with the last part.</summary>
internal sealed class SharedPool(BufferPool pool, int users)
{
    private int users = users;

    public long Bytes => pool.BytesHeld;

    public void Release()
    {
        if (--users == 0)
            pool.Dispose();
    }
}
