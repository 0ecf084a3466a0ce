namespace VaeFromScratch.Kernels.Cuda;

/// <summary>The scratch memory of one launch: floats with undefined contents, and counters by which its blocks find out who is last; each launch leaves those at zero.</summary>
internal struct Scratch
{
    public nint Partial, Tickets;
}

/// <summary>
/// Device memory that kernels use among themselves within one operation. It may grow but never moves or shrinks while the backend lives, because captured steps remember its address.
/// </summary>
internal sealed unsafe class Workspace : IDisposable
{
    /// <summary>How many results of one launch may be shared by several blocks.</summary>
    public const int TicketCount = 1 << 16;

    private readonly CudaBackend backend;
    private readonly CudaDriver driver;
    private readonly Lane?[] lanes = new Lane?[LaunchOrder.Lanes];
    private readonly Blocks ofOperations;

    /// <summary>What one launch at a time uses.</summary>
    private sealed record Lane(Slice<uint> Tickets, Blocks Floats);

    public Workspace(CudaBackend backend, CudaDriver driver)
    {
        this.backend = backend;
        this.driver = driver;
        ofOperations = new(backend);
        lanes[0] = Open();
    }

    /// <summary>At least <paramref name="length"/> floats with undefined contents, good for the launches of one operation, which pass them on.</summary>
    public Slice<float> Floats(long length) => ofOperations.Take(length);

    /// <summary>Scratch memory for one launch. Launches that may run side by side need different lanes.</summary>
    public Scratch Take(int lane, long floats)
    {
        var (tickets, blocks) = lanes[lane] ??= Open();
        return new() { Partial = floats > 0 ? blocks.Take(floats).Address : 0, Tickets = tickets.Address };
    }

    public void Dispose()
    {
        ofOperations.Free(driver);
        foreach (var lane in lanes)
        {
            lane?.Floats.Free(driver);
            if (lane is not null)
                driver.MemFree((ulong)lane.Tickets.Address);
        }
    }

    private Lane Open()
    {
        var tickets = new Slice<uint>(backend.Allocate(4L * TicketCount), TicketCount);
        backend.Check(driver.MemsetD32((ulong)tickets.Address, 0, TicketCount, backend.Stream), "clearing tickets");
        return new(tickets, new(backend));
    }

    /// <summary>Memory of which the largest block serves; smaller ones stay for the steps that remember them.</summary>
    private sealed class Blocks(CudaBackend backend)
    {
        private readonly List<Slice<float>> blocks = [];

        public Slice<float> Take(long length)
        {
            if (length > int.MaxValue)
                throw new DeviceMemoryException($"{backend.Name}: one operation needs {length} floats of scratch memory; split its batch");
            if (blocks.Count == 0 || blocks[^1].Length < length)
            {
                int size = (int)Math.Min(int.MaxValue, Math.Max(length, blocks.Count == 0 ? 1 << 20 : 2L * blocks[^1].Length));
                blocks.Add(new(backend.Allocate(4L * size), size));
            }
            return blocks[^1].Part(0, (int)length);
        }

        public void Free(CudaDriver driver)
        {
            foreach (var block in blocks)
                driver.MemFree((ulong)block.Address);
        }
    }
}
