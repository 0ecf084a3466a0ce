using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cpu.Inference;

/// <summary>Floats that start on a cache line and stay where they are as long as somebody holds this object.</summary>
internal sealed unsafe class AlignedFloats
{
    private const int LineFloats = 16;

    private readonly float[] array;

    /// <param name="count">Floats, 0 at first.</param>
    public AlignedFloats(long count)
    {
        array = GC.AllocateArray<float>(checked((int)count + LineFloats), pinned: true);
        nint start = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array));
        Pointer = (float*)((start + LineFloats * sizeof(float) - 1) & -(LineFloats * sizeof(float)));
    }

    public AlignedFloats(ReadOnlySpan<float> values) : this(values.Length) => values.CopyTo(new(Pointer, values.Length));

    public float* Pointer { get; }
}
