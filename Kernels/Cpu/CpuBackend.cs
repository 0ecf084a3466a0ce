using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The kernels in C# SIMD, on all cores. One file per group of operations; this one holds memory and set-up.</summary>
public sealed unsafe partial class CpuBackend : IBackend
{
    private readonly ThreadTeam team;

    /// <param name="threads">Threads to compute with, the caller's included; 0 for one per logical processor.</param>
    public CpuBackend(int threads = 0) => team = new(threads);

    public string Name => "cpu";

    public int Threads => team.Threads;

    /// <summary>Floats in a vector of the matrix kernels: 16, 8 or 4, by what the runtime says is accelerated.</summary>
    public static int VectorLanes => Microkernels.Lanes;

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
        plans.Clear();
    }
}
