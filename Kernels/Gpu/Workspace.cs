using ILGPU;
using ILGPU.Runtime;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Memory of kernels whose groups share one result: a workspace for the groups' parts, and tickets by which the last group to finish knows
/// that it is; and of what one launch of an operation leaves for its next. Calls on a stream follow one another, so all share them.
/// </summary>
/// <remarks>The last group sets its ticket back to 0, so that tickets need no clearing between launches.</remarks>
internal sealed class Workspace : IDisposable
{
    public const int MostTickets = 5120;

    private readonly Accelerator accelerator;
    private readonly MemoryBuffer tickets;
    private readonly List<MemoryBuffer> outgrown = [];
    private MemoryBuffer? room, kept;

    public Workspace(Accelerator accelerator, AcceleratorStream stream)
    {
        this.accelerator = accelerator;
        tickets = accelerator.AllocateRaw(MostTickets, sizeof(int));
        tickets.MemSet(stream, 0, 0, tickets.LengthInBytes);
    }

    public ArrayView<int> Tickets => new(tickets, 0, MostTickets);

    /// <summary>Room for so many of groups' parts.</summary>
    public ArrayView<T> Room<T>(int count) where T : unmanaged => Grown<T>(ref room, count);

    /// <summary>Room for so many floats that an operation's next launch reads; <see cref="Room"/> does not touch it.</summary>
    public ArrayView<float> Kept(int floats) => Grown<float>(ref kept, floats);

    /// <summary>A block that was too small is not freed: captured steps still use it.</summary>
    private ArrayView<T> Grown<T>(ref MemoryBuffer? block, int count) where T : unmanaged
    {
        long bytes = (long)count * Interop.SizeOf<T>();
        if (block is null || block.LengthInBytes < bytes)
        {
            if (block is not null)
                outgrown.Add(block);
            block = accelerator.AllocateRaw(Math.Max(1 << 20, bytes), 1);
        }
        return new(block, 0, count);
    }

    public void Dispose()
    {
        room?.Dispose();
        kept?.Dispose();
        outgrown.ForEach(buffer => buffer.Dispose());
        tickets.Dispose();
    }
}
