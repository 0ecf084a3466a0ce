namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const uint EventWithTiming = 0;

    private static readonly KernelSlot CopyProbe = new("probe", "probe_copy"), FmaProbe = new("probe", "probe_fma"), Tf32Probe = new("probe", "probe_tf32"), Bf16Probe = new("probe", "probe_bf16");

    /// <summary>Seconds that the GPU takes for the calls in <paramref name="work"/>, between two CUDA events; the shortest of <paramref name="repetitions"/> after a first one that does not count.</summary>
    public double Time(Action<IBackend> work, int repetitions = 5)
    {
        ArgumentNullException.ThrowIfNull(work);
        Outside("timing");
        work(this);
        nint begin, end;
        Check(driver.EventCreate(&begin, EventWithTiming), "making an event");
        Check(driver.EventCreate(&end, EventWithTiming), "making an event");
        try
        {
            double best = double.PositiveInfinity;
            for (int i = 0; i < repetitions; i++)
            {
                Check(driver.EventRecord(begin, stream), "recording an event");
                work(this);
                Check(driver.EventRecord(end, stream), "recording an event");
                Check(driver.EventSynchronize(end), "waiting for an event");
                float milliseconds;
                Check(driver.EventElapsedTime(&milliseconds, begin, end), "reading an event");
                best = Math.Min(best, milliseconds * 1e-3);
            }
            return best;
        }
        finally
        {
            driver.EventDestroy(begin);
            driver.EventDestroy(end);
        }
    }

    /// <summary>What the tensor cores are measured in: <see cref="Precision"/>, or tf32 where that does not use them.</summary>
    public Precision TensorPrecision => Precision == Precision.Bf16 ? Precision.Bf16 : Precision.Tf32;

    /// <summary>Copy bandwidth in bytes read and written per second, and operations per second of fused multiply-adds and of the tensor cores.</summary>
    internal (double Copy, double Fma, double? Tensor) MeasurePeaks(bool quick)
    {
        const int Threads = 256, FmaPerIteration = 16, MmaPerIteration = 8;
        var (tensorProbe, depth) = TensorPrecision == Precision.Bf16 ? (Bf16Probe, 16) : (Tf32Probe, 8);
        int flopsOfMma = 2 * 16 * 8 * depth;
        int blocks = (quick ? 1 : 8) * context.Multiprocessors, repetitions = quick ? 1 : 5, iterations = quick ? 4 : 4096;
        int floats = (int)Math.Min(quick ? 1 << 12 : 1 << 28, context.Memory.Free / 16) / 4 * 4;
        using var pool = new BufferPool(this);
        Slice<float> x = pool.Rent<float>(floats), y = pool.Rent<float>(Math.Max(floats, blocks * Threads));
        Fill(x, 1);
        double copy = Time(b => Launch(CopyProbe, blocks, Threads, x, y, floats / 4), repetitions);
        double fma = Time(b => Launch(FmaProbe, blocks, Threads, y, iterations, 0.999f, 1e-3f), repetitions);
        double? tensor = context.ComputeCapability.Major < 8 ? null : Time(b => Launch(tensorProbe, blocks, Threads, y, iterations, 0.5f), repetitions);
        double perThread = (double)blocks * Threads * iterations;
        return (8.0 * floats / copy, 2 * FmaPerIteration * perThread / fma, MmaPerIteration * flopsOfMma / 32.0 * perThread / tensor);
    }
}
