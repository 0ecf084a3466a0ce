using System.Runtime.InteropServices;
using VaeFromScratch.Kernels.Cpu.Products;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The kernels in C# SIMD, on all cores. One file per group of operations; this one holds memory and set-up.</summary>
internal sealed unsafe partial class CpuBackend : IBackend
{
    private readonly ThreadTeam team;
    private readonly Scratch partialSums = new();
    private readonly Scratch working = new();

    /// <param name="threads">Threads to compute with, the caller's included; 0 for one per logical processor.</param>
    public CpuBackend(int threads = 0) => team = new(threads);

    public string Name => "cpu";

    public Precision Precision => Precision.Fp32;

    public int Threads => team.Threads;

    /// <summary>Bits of the vector registers that the kernels use here: 512, 256 or 128.</summary>
    public static int VectorBits => Microkernels.Lanes * 32;

    /// <summary>More threads than these share processors to no end: the most that `--threads` takes.</summary>
    public static int MostThreads => Math.Max(64, 4 * Environment.ProcessorCount);

    public long AvailableBytes => HostMemory.AvailableBytes;

    public nint Allocate(long bytes) => (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64);

    public void Free(nint address, long bytes) => NativeMemory.AlignedFree((void*)address);

    public void Upload<T>(ReadOnlySpan<T> from, Slice<T> to) where T : unmanaged => from.CopyTo(to.AsSpan());

    public void Download<T>(Slice<T> from, Span<T> to) where T : unmanaged => from.AsSpan().CopyTo(to);

    public void Synchronise()
    {
    }

    public ICapturedStep Capture(Action<IBackend> step) => RecordingBackend.Record(this, step);

    public void Dispose()
    {
        team.Dispose();
        sharedScratch.Dispose();
        threadScratch.Dispose();
        partialSums.Dispose();
        working.Dispose();
        plans.Clear();
    }

    /// <summary>Runs the parts of a job on all threads, with the widest vectors there are.</summary>
    private void ForEach<J>(int parts, J job) where J : struct, ILaneJob
    {
        var widest = new WidestJob<J>(job);
        team.ForEach(parts, ref widest);
    }
}
