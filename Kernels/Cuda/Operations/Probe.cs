namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const uint EventWithTiming = 0;

    private static readonly KernelSlot CopyProbe = new("probe", "probe_copy"), FmaProbe = new("probe", "probe_fma"), Tf32Probe = new("probe", "probe_tf32"), Bf16Probe = new("probe", "probe_bf16"),
        Tf32WarpgroupProbe = new("probe", "probe_tf32_wgmma"), Bf16WarpgroupProbe = new("probe", "probe_bf16_wgmma");

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
        const int Threads = 256, FmaPerIteration = 16;
        int blocks = (quick ? 1 : 8) * context.Multiprocessors, repetitions = quick ? 1 : 5, iterations = quick ? 4 : 4096;
        int floats = (int)Math.Min(quick ? 1 << 12 : 1 << 28, context.Memory.Free / 16) / 4 * 4;
        using var pool = new BufferPool(this);
        Slice<float> x = pool.Rent<float>(floats), y = pool.Rent<float>(Math.Max(floats, blocks * Threads));
        Fill(x, 1);
        double copy = Time(b => Launch(CopyProbe, blocks, Threads, Read(x), y, floats / 4), repetitions);
        double fma = Time(b => Launch(FmaProbe, blocks, Threads, y, iterations, 0.999f, 1e-3f), repetitions);
        return (8.0 * floats / copy, 2.0 * FmaPerIteration * blocks * Threads * iterations / fma, MeasureTensorPeak(y, blocks, iterations, repetitions));
    }

    /// <summary>By mma.sync and, where there is wgmma, by that as well: the larger.</summary>
    private double? MeasureTensorPeak(Slice<float> y, int blocks, int iterations, int repetitions)
    {
        const int Threads = 256, MmaPerIteration = 8, ThreadsOfWarpgroup = 128, LinesOfWarpgroup = 64 + 256, BytesOfLine = 128;
        if (context.ComputeCapability.Major < 8)
            return null;
        bool isBf16 = TensorPrecision == Precision.Bf16;
        double flops = 2.0 * 16 * 8 * (isBf16 ? 16 : 8) * MmaPerIteration * blocks * (Threads / 32) * iterations;
        double peak = flops / Time(_ => Launch(isBf16 ? Bf16Probe : Tf32Probe, blocks, Threads, y, iterations, 0.5f), repetitions);
        if (context.Architecture != CudaContext.Hopper)
            return peak;
        double flopsOfWarpgroups = 2.0 * 64 * 256 * (isBf16 ? 64 : 32) * blocks * iterations;
        return Math.Max(peak, flopsOfWarpgroups / Time(_ =>
            LaunchWithShared(isBf16 ? Bf16WarpgroupProbe : Tf32WarpgroupProbe, blocks, ThreadsOfWarpgroup, LinesOfWarpgroup * BytesOfLine + 1024, y, iterations, 0.5f), repetitions));
    }
}
