using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>A run of device memory that a launch touches. What is written may be read as well: either way it waits for the same launches.</summary>
internal readonly record struct MemoryUse(nint Address, long Bytes, bool Writes)
{
    /// <summary>Whether two launches that do this may not change places: they share a byte that one of them writes.</summary>
    public bool ConflictsWith(in MemoryUse other) => (Writes || other.Writes) && Address < other.Address + other.Bytes && other.Address < Address + Bytes;
}

/// <summary>What one launch touches, as it says itself: the memory of its array arguments, and that behind the addresses in its structures.</summary>
internal struct LaunchMemory
{
    private const int Most = 24;

    [InlineArray(Most)]
    private struct Storage
    {
        private MemoryUse first;
    }

    private Storage storage;
    private int count, lanePlusOne;

    /// <summary>It passes addresses of which it says nothing, so that it must be taken to touch everything.</summary>
    public bool IsUnknown { get; set; }

    /// <summary>The lane of scratch memory that it uses; -1 for none.</summary>
    public int Lane { readonly get => lanePlusOne - 1; set => lanePlusOne = value + 1; }

    public readonly bool IsEmpty => count == 0;

    [UnscopedRef]
    public readonly ReadOnlySpan<MemoryUse> Uses => ((ReadOnlySpan<MemoryUse>)storage)[..count];

    public void Read<T>(Slice<T> slice) where T : unmanaged => Add(new(slice.Address, (long)slice.Length * Unsafe.SizeOf<T>(), Writes: false));

    public void Read(Operand operand) => Add(new(operand.Address, operand.Bytes, Writes: false));

    public void Write(Operand operand) => Add(new(operand.Address, operand.Bytes, Writes: true));

    public void Write<T>(Slice<T> slice) where T : unmanaged => Add(new(slice.Address, (long)slice.Length * Unsafe.SizeOf<T>(), Writes: true));

    public void Read(SlicePair pair)
    {
        Read(pair.First);
        Read(pair.Second);
    }

    /// <summary>Whether two launches may not change places.</summary>
    public readonly bool ConflictsWith(in LaunchMemory other) => Conflict(Uses, other.Uses);

    /// <inheritdoc cref="ConflictsWith"/>
    public static bool Conflict(ReadOnlySpan<MemoryUse> a, ReadOnlySpan<MemoryUse> b)
    {
        foreach (ref readonly var use in a)
            foreach (ref readonly var other in b)
                if (use.ConflictsWith(other))
                    return true;
        return false;
    }

    /// <summary>Arrays that are absent or empty count for nothing.</summary>
    public void Add(MemoryUse use)
    {
        if (use.Address != 0 && use.Bytes > 0)
            storage[count++] = use;
    }
}
