using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Kernels.Gpu.Cuda;

namespace VaeFromScratch.Distributed;

/// <summary>
/// Ranks of which each has an NVIDIA GPU: what is in the GPUs' memory travels between them over NCCL, all else over Open MPI. Numbers are
/// added by the tree of <see cref="Collectives"/>, so that sums have the bits that they have without NCCL, whose own all-reduce chooses an
/// order by the number of ranks.
/// </summary>
/// <param name="host">What has started the ranks; disposed of with this object.</param>
internal sealed class NcclCollective(ICollective host) : ICollective
{
    private NcclLink? link;

    public int Rank => host.Rank;

    public int Size => host.Size;

    public TimeSpan Patience => host.Patience;

    /// <summary>Joins the ranks that mpirun or srun has started.</summary>
    /// <exception cref="DeviceException">There is no NCCL, or no Open MPI.</exception>
    public static NcclCollective Open()
    {
        DriverLibrary.RequireNccl();
        return new(MpiCollective.Open());
    }

    public void Exchange(int partner, byte[] send, byte[] receive, TimeSpan patience) => host.Exchange(partner, send, receive, patience);

    public void Exchange(Compute compute, int partner, Slice<float> send, Slice<float> receive)
    {
        if (Unwrapped(compute.Backend) is not GpuBackend gpu || !compute.Name.StartsWith("cuda", StringComparison.Ordinal))
            throw new DeviceException($"NCCL exchanges numbers between CUDA devices, and the device is {compute.Name}");
        if (send.Length == 0 && receive.Length == 0)
            return;
        link ??= Connect(gpu);
        compute.Backend.Synchronise();
        try
        {
            link.Exchange(partner, gpu.AddressOf(send), send.Length, gpu.AddressOf(receive), receive.Length, Patience);
        }
        catch (Exception e) when (e is TimeoutException or DeviceException)
        {
            link.Abort();
            throw new CollectiveException(e is TimeoutException
                ? FormattableString.Invariant($"rank {partner} has not answered rank {Rank} for {Patience.TotalSeconds:F0} s")
                : $"rank {Rank} cannot exchange gradients with rank {partner}: {e.Message}");
        }
    }

    public void Abort(int exitCode) => host.Abort(exitCode);

    public void Dispose()
    {
        link?.Dispose();
        host.Dispose();
    }

    /// <summary>The device's own kernels, also where somebody counts the calls to them.</summary>
    private static IBackend Unwrapped(IBackend backend) => backend is BackendDecorator around ? Unwrapped(around.Inner) : backend;

    /// <summary>All ranks come here before their first exchange.</summary>
    private NcclLink Connect(GpuBackend gpu)
    {
        byte[] id = Rank == 0 ? NcclLink.NewId() : new byte[Nccl.Id.Bytes];
        host.Broadcast(id);
        return new(gpu.Bind, Rank, Size, id);
    }
}
