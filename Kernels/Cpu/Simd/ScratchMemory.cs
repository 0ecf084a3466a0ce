namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Working memory of one kernel call at a time: it grows to the largest call and is then kept, so that a steady state allocates nothing.</summary>
internal sealed unsafe class ScratchMemory(IDeviceMemory memory) : IDisposable
{
    private nint address;
    private long held;

    /// <summary>At least <paramref name="bytes"/> bytes, 64-byte aligned, with undefined contents; what an earlier call returned is void.</summary>
    public void* Take(long bytes)
    {
        if (bytes > held)
        {
            Dispose();
            address = memory.Allocate(bytes);
            held = bytes;
        }
        return (void*)address;
    }

    public float* TakeFloats(long count) => (float*)Take(count * sizeof(float));

    public void Dispose()
    {
        memory.Free(address, held);
        (address, held) = (0, 0);
    }
}
