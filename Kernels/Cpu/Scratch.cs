using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>
/// Working memory of one kind that a backend keeps between calls: it grows to the largest request and stays, so that a steady state touches
/// no new page.
/// </summary>
internal sealed unsafe class Scratch : IDisposable
{
    private const int Alignment = 4096;
    private float* block;

    /// <summary>Bytes held now.</summary>
    public long Bytes { get; private set; }

    /// <summary>At least <paramref name="floats"/> floats with undefined contents, valid until the next call.</summary>
    public float* Reserve(long floats)
    {
        long bytes = (floats * sizeof(float) + Alignment - 1) / Alignment * Alignment;
        if (bytes > Bytes)
        {
            Dispose();
            block = (float*)NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
            Bytes = bytes;
        }
        return block;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(block);
        block = null;
        Bytes = 0;
    }
}
