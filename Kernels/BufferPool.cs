using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels;

/// <summary>Raw device memory: what a <see cref="BufferPool"/> is filled from.</summary>
public interface IDeviceMemory
{
    /// <summary>Returns a 64-byte aligned block; throws <see cref="DeviceMemoryException"/> when there is none.</summary>
    nint Allocate(long bytes);

    void Free(nint address, long bytes);

    /// <summary>Bytes that a block may have at this moment; the largest number where only <see cref="Allocate"/> can tell.</summary>
    long AvailableBytes => long.MaxValue;
}

/// <summary>The device has no room for a block: says what was asked and what is free.</summary>
public sealed class DeviceMemoryException(string message) : Exception(message);

/// <summary>Keeps freed blocks by exact size, so that a training step after the first allocates nothing.</summary>
/// <remarks>
/// Not thread-safe: a backend is driven by one thread. <see cref="Outstanding"/> is the leak counter that every test asserts.
/// </remarks>
public sealed class BufferPool(IDeviceMemory memory) : IDisposable
{
    private const int Alignment = 64;
    /// <summary>Smaller blocks are not worth asking how much memory there is.</summary>
    private const long LargeBlock = 1 << 26;
    private readonly Dictionary<long, Stack<nint>> free = [];
    private readonly Dictionary<nint, long> rented = [];

    /// <summary>Blocks handed out and not returned.</summary>
    public int Outstanding => rented.Count;

    /// <summary>Bytes held from the device, in use or kept for reuse.</summary>
    public long BytesHeld { get; private set; }

    /// <summary>A block of <paramref name="length"/> elements with undefined contents; its tail is padded to 64 bytes.</summary>
    public Slice<T> Rent<T>(int length) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        long bytes = RoundUp((long)length * Unsafe.SizeOf<T>());
        nint address;
        if (free.TryGetValue(bytes, out var blocks) && blocks.Count > 0)
            address = blocks.Pop();
        else
        {
            if (bytes >= LargeBlock && memory.AvailableBytes is var available && bytes > available)
                throw new DeviceMemoryException($"no room for a block of {bytes:N0} bytes: {available:N0} are free, and {BytesHeld:N0} are "
                    + $"held already; use a smaller batch, fewer samples or a smaller network");
            address = memory.Allocate(bytes);
            BytesHeld += bytes;
        }
        rented.Add(address, bytes);
        return new(address, length);
    }

    /// <summary>Gives a block back. Anything but a slice that <see cref="Rent{T}(int)"/> returned, once, is an error.</summary>
    public void Return<T>(Slice<T> slice) where T : unmanaged
    {
        if (!rented.Remove(slice.Address, out long bytes))
            throw new InvalidOperationException(
                $"buffer pool: a block of {slice.Length} elements was returned twice or does not come from this pool");
        if (!free.TryGetValue(bytes, out var blocks))
            free.Add(bytes, blocks = new());
        blocks.Push(slice.Address);
    }

    /// <summary>Gives the unused blocks back to the device.</summary>
    public void Trim()
    {
        foreach (var (bytes, blocks) in free)
            while (blocks.TryPop(out nint address))
            {
                memory.Free(address, bytes);
                BytesHeld -= bytes;
            }
    }

    /// <summary>Frees every block, rented ones included: whoever disposes of a pool has stopped using its memory.</summary>
    public void Dispose()
    {
        Trim();
        foreach (var (address, bytes) in rented)
            memory.Free(address, bytes);
        rented.Clear();
        BytesHeld = 0;
    }

    private static long RoundUp(long bytes) => Math.Max(Alignment, (bytes + Alignment - 1) / Alignment * Alignment);
}
