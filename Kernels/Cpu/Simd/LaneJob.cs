using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>
/// Work split into parts, written over a vector type. Parts are fixed by the sizes alone, never by the number of threads.
/// </summary>
internal interface ILaneJob
{
    void Run<V>(int part) where V : struct, IVector<V>;
}

/// <summary>Runs a <see cref="ILaneJob"/> with the widest registers that the processor does quickly.</summary>
internal struct WidestJob<J>(J job) : IJob where J : struct, ILaneJob
{
    private J job = job;

    public void Run(int index)
    {
        if (Vector512.IsHardwareAccelerated)
            job.Run<Lanes512>(index);
        else if (Vector256.IsHardwareAccelerated)
            job.Run<Lanes256>(index);
        else
            job.Run<Lanes128>(index);
    }
}
