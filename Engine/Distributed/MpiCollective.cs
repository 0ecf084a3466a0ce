using System.Diagnostics;
using System.Runtime.InteropServices;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Distributed;

/// <summary>
/// The ranks that mpirun or srun has started, over Open MPI. Numbers in the CPU's memory travel from where they are; those of a GPU by way
/// of the host's.
/// </summary>
internal sealed class MpiCollective : ICollective
{
    // Polls before a waiting rank lets others have its processor, and before it sleeps.
    private const int BusyPolls = 2_000, YieldingPolls = 20_000;

    private const int AbortMilliseconds = 5_000;

    private readonly nint world, type;
    private byte[] sent = [], received = [];
    private bool broken;

    private MpiCollective(TimeSpan patience)
    {
        (world, type, Patience) = (Mpi.World, Mpi.Byte, patience);
        Check(Mpi.MPI_Init_thread(0, 0, Mpi.Funneled, out _));
        Check(Mpi.MPI_Comm_set_errhandler(world, Mpi.ErrorsReturn));
        Check(Mpi.MPI_Comm_rank(world, out int rank));
        Check(Mpi.MPI_Comm_size(world, out int size));
        (Rank, Size) = (rank, size);
    }

    /// <summary>How long a partner may take, unless the environment has another number of seconds.</summary>
    public const int DefaultSeconds = 60;

    public int Rank { get; }

    public int Size { get; }

    public TimeSpan Patience { get; }

    /// <summary>Joins the ranks. A process does so once, and calls MPI from one thread.</summary>
    /// <exception cref="DeviceException">There is no Open MPI.</exception>
    public static MpiCollective Open() => new(TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("VAE_MPI_SECONDS"), out int seconds) && seconds > 0 ? seconds : DefaultSeconds));

    public void Exchange(int partner, byte[] send, byte[] receive, TimeSpan patience)
    {
        GCHandle from = GCHandle.Alloc(send, GCHandleType.Pinned), to = GCHandle.Alloc(receive, GCHandleType.Pinned);
        try
        {
            Exchange(partner, from.AddrOfPinnedObject(), send.Length, to.AddrOfPinnedObject(), receive.Length, patience);
        }
        finally
        {
            // What a partner that is late still writes to may not move: the process is about to end.
            if (!broken)
            {
                from.Free();
                to.Free();
            }
        }
    }

    public void Exchange(Compute compute, int partner, Slice<float> send, Slice<float> receive)
    {
        int outward = send.Length * sizeof(float), inward = receive.Length * sizeof(float);
        if (compute.Name == "cpu")
        {
            Exchange(partner, send.Address, outward, receive.Address, inward, Patience);
            return;
        }
        (sent, received) = (AtLeast(sent, outward), AtLeast(received, inward));
        compute.Backend.Download(send, MemoryMarshal.Cast<byte, float>(sent.AsSpan(0, outward)));
        Exchange(partner, Marshal.UnsafeAddrOfPinnedArrayElement(sent, 0), outward, Marshal.UnsafeAddrOfPinnedArrayElement(received, 0),
            inward, Patience);
        compute.Backend.Upload<float>(MemoryMarshal.Cast<byte, float>(received.AsSpan(0, inward)), receive);
    }

    public void Abort(int exitCode)
    {
        // MPI_Abort waits for the launcher, which may be on the other side of the link that is cut.
        var end = new Thread(() =>
        {
            Thread.Sleep(AbortMilliseconds);
            Environment.Exit(exitCode);
        })
        { IsBackground = true };
        end.Start();
        Mpi.MPI_Abort(world, exitCode);
    }

    public void Dispose()
    {
        if (!broken)
            Mpi.MPI_Finalize();
    }

    private void Exchange(int partner, nint send, int sendBytes, nint receive, int receiveBytes, TimeSpan patience)
    {
        Check(Mpi.MPI_Irecv(receive, receiveBytes, type, partner, 0, world, out nint incoming), partner);
        Check(Mpi.MPI_Isend(send, sendBytes, type, partner, 0, world, out nint outgoing), partner);
        nint[] requests = [incoming, outgoing];
        var clock = Stopwatch.StartNew();
        for (int polls = 0; ; polls++)
        {
            Check(Mpi.MPI_Testall(requests.Length, requests, out int done, 0), partner);
            if (done != 0)
                return;
            if (polls < BusyPolls)
                Thread.SpinWait(1);
            else if (polls < YieldingPolls)
                Thread.Yield();
            else
                Thread.Sleep(1);
            if (clock.Elapsed > patience)
                throw Broken(FormattableString.Invariant($"rank {partner} has not answered rank {Rank} for {patience.TotalSeconds:F0} s"));
        }
    }

    private void Check(int code, int? partner = null)
    {
        if (code != Mpi.Success)
            throw Broken(partner is null ? $"MPI could not be started (error {code}); run `mpirun -n 2 hostname` to see why"
                : $"rank {partner} has gone: MPI reports error {code} to rank {Rank}");
    }

    private CollectiveException Broken(string message)
    {
        broken = true;
        return new(message);
    }

    private static byte[] AtLeast(byte[] buffer, int bytes) =>
        buffer.Length >= bytes ? buffer : GC.AllocateUninitializedArray<byte>(bytes, pinned: true);
}
