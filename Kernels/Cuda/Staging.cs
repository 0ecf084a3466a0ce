using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>
/// Page-locked host memory that copies pass through: the GPU can fetch from it while the program goes on. An upload is copied here, queued, and forgotten;
/// only when the whole ring is in flight does the next one wait.
/// </summary>
internal sealed unsafe class Staging : IDisposable
{
    private const int Parts = 4, PartBytes = 4 << 20;

    private readonly CudaBackend backend;
    private readonly CudaDriver driver;
    private readonly nint stream;
    private readonly byte* memory;
    private readonly nint[] copied = new nint[Parts];
    private int next;

    public Staging(CudaBackend backend, CudaDriver driver, nint stream)
    {
        this.backend = backend;
        this.driver = driver;
        this.stream = stream;
        void* host;
        driver.Check(driver.MemAllocHost(&host, Parts * PartBytes), $"allocating {Parts * PartBytes >> 20} MiB of page-locked host memory");
        memory = (byte*)host;
        for (int i = 0; i < Parts; i++)
        {
            nint made;
            driver.Check(driver.EventCreate(&made, CudaBackend.EventWithoutTiming), "making an event");
            copied[i] = made;
        }
    }

    public void Upload(ReadOnlySpan<byte> from, nint to)
    {
        while (!from.IsEmpty)
        {
            int bytes = Math.Min(from.Length, PartBytes);
            byte* part = NextPart();
            from[..bytes].CopyTo(new Span<byte>(part, bytes));
            backend.Check(driver.CopyToDevice((ulong)to, part, (nuint)bytes, stream), $"uploading {bytes} bytes");
            backend.Check(driver.EventRecord(copied[next], stream), "recording an event");
            from = from[bytes..];
            to += bytes;
        }
    }

    public void Download(nint from, Span<byte> to)
    {
        while (!to.IsEmpty)
        {
            int bytes = Math.Min(to.Length, PartBytes);
            byte* part = NextPart();
            backend.Check(driver.CopyToHost(part, (ulong)from, (nuint)bytes, stream), $"downloading {bytes} bytes");
            backend.Wait();
            new ReadOnlySpan<byte>(part, bytes).CopyTo(to);
            to = to[bytes..];
            from += bytes;
        }
    }

    public void Dispose()
    {
        foreach (nint made in copied)
            driver.EventDestroy(made);
        driver.MemFreeHost(memory);
    }

    private byte* NextPart()
    {
        next = (next + 1) % Parts;
        backend.Check(driver.EventSynchronize(copied[next]), "waiting for an earlier upload");
        return memory + next * PartBytes;
    }
}
