namespace VaeFromScratch.Kernels.Cuda;

/// <summary>
/// Device memory that kernels use among themselves within one operation. It may grow but never moves or shrinks while the backend lives, because captured steps remember its address.
/// </summary>
internal sealed unsafe class Workspace : IDisposable
{
    /// <summary>How many results of one launch may be shared by several blocks.</summary>
    public const int TicketCount = 1 << 16;

    private readonly CudaBackend backend;
    private readonly CudaDriver driver;
    private readonly List<Slice<float>> blocks = [];

    public Workspace(CudaBackend backend, CudaDriver driver)
    {
        this.backend = backend;
        this.driver = driver;
        Tickets = new(backend.Allocate(4L * TicketCount), TicketCount);
        backend.Check(driver.MemsetD32((ulong)Tickets.Address, 0, TicketCount, backend.Stream), "clearing tickets");
    }

    /// <summary>Counters by which the blocks of a launch find out who is last; each launch leaves them at zero.</summary>
    public Slice<uint> Tickets { get; }

    /// <summary>At least <paramref name="length"/> floats with undefined contents, good for one operation.</summary>
    public Slice<float> Floats(long length)
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

    public void Dispose()
    {
        foreach (var block in blocks)
            driver.MemFree((ulong)block.Address);
        driver.MemFree((ulong)Tickets.Address);
    }
}
