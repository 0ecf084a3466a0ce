using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels;

/// <summary>A run of <typeparamref name="T"/> in a device's memory: an address and a length, nothing owned.</summary>
/// <remarks>
/// On the CPU the address is an ordinary pointer and <see cref="AsSpan"/> reads it; on CUDA it is a device address that only kernels may
/// follow.
/// <c>default</c> means "absent" where a kernel takes an optional operand. Memory comes from a <see cref="BufferPool"/>, 64-byte aligned.
/// </remarks>
public readonly struct Slice<T>(nint address, int length) where T : unmanaged
{
    public readonly nint Address = address;
    public readonly int Length = length;

    public bool IsAbsent => Address == 0;

    /// <summary>Elements <paramref name="start"/> .. <paramref name="start"/> + <paramref name="length"/> - 1.</summary>
    public Slice<T> Part(int start, int length)
    {
        if ((uint)start > (uint)Length || (uint)length > (uint)(Length - start))
            throw new ArgumentOutOfRangeException(nameof(start),
                $"slice: elements {start} to {(long)start + length} lie outside a buffer of {Length}");
        return new(Address + (nint)start * Unsafe.SizeOf<T>(), length);
    }

    /// <summary>The elements as host memory. Valid on the CPU backend only.</summary>
    public unsafe Span<T> AsSpan() => new((void*)Address, Length);

    /// <summary>The first element as a host pointer. Valid on the CPU backend only.</summary>
    public unsafe T* Pointer => (T*)Address;
}
