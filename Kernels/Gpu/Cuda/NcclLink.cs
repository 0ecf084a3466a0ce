using System.Diagnostics;
using static VaeFromScratch.Kernels.Gpu.Cuda.CudaDriver;
using static VaeFromScratch.Kernels.Gpu.Cuda.Nccl;

namespace VaeFromScratch.Kernels.Gpu.Cuda;

/// <summary>Exchanges of numbers between the GPUs of ranks, over NCCL.</summary>
/// <remarks>
/// NCCL makes the device's primary context current by itself, whatever context it is called in (NVIDIA/nccl, issue 565), and ILGPU has a
/// context of its own, whose memory and streams are not the other's. So NCCL gets a stream and buffers of the primary context, and the
/// driver copies between the two. The primary context is pushed and popped, so that ILGPU's is the current one afterwards.
/// </remarks>
internal sealed unsafe class NcclLink : IDisposable
{
    private readonly Action bind;
    private readonly int device;
    private readonly nint own, primary;
    private nint communicator, stream;
    private Buffer outward, inward;

    /// <param name="bind">Makes the device's context current on the calling thread.</param>
    /// <param name="id">Of <see cref="NewId"/>, the same on every rank; all of them call this at the same time.</param>
    /// <exception cref="DeviceException">The driver or NCCL fails, as where two ranks have one GPU.</exception>
    public NcclLink(Action bind, int rank, int size, ReadOnlySpan<byte> id)
    {
        this.bind = bind;
        Id common = default;
        id.CopyTo(new(common.Value, Id.Bytes));
        bind();
        nint current, retained;
        int ordinal;
        CudaDriver.Check(cuCtxGetCurrent(&current));
        CudaDriver.Check(cuCtxGetDevice(&ordinal));
        CudaDriver.Check(cuDevicePrimaryCtxRetain(&retained, ordinal));
        (own, device, primary) = (current, ordinal, retained);
        CudaDriver.Check(cuCtxPushCurrent_v2(primary));
        try
        {
            nint made;
            CudaDriver.Check(cuStreamCreate(&made, NonBlocking));
            stream = made;
            Nccl.Check(ncclCommInitRank(&made, size, common, rank));
            communicator = made;
        }
        finally
        {
            Pop();
        }
    }

    /// <summary>What ranks find each other by, made by one of them.</summary>
    public static byte[] NewId()
    {
        Id id;
        Nccl.Check(ncclGetUniqueId(&id));
        return new ReadOnlySpan<byte>(id.Value, Id.Bytes).ToArray();
    }

    /// <summary>
    /// Sends floats to a rank and receives others from it, and waits until they are there. Whoever calls has waited for the kernels that
    /// write what is sent.
    /// </summary>
    /// <param name="send">An address of the context that <c>bind</c> makes current, as is <paramref name="receive"/>.</param>
    /// <exception cref="DeviceException">The driver or NCCL fails, or the other rank has gone.</exception>
    /// <exception cref="TimeoutException">The other rank takes longer than <paramref name="patience"/>.</exception>
    public void Exchange(int rank, nint send, int sent, nint receive, int received, TimeSpan patience)
    {
        ObjectDisposedException.ThrowIf(communicator == 0, this);
        bind();
        CudaDriver.Check(cuCtxPushCurrent_v2(primary));
        try
        {
            outward.Grow(sent);
            inward.Grow(received);
            if (sent > 0)
                CudaDriver.Check(cuMemcpyPeerAsync(outward.Address, primary, send, own, sizeof(float) * (nuint)sent, stream));
            Nccl.Check(ncclGroupStart());
            if (sent > 0)
                Nccl.Check(ncclSend(outward.Address, (nuint)sent, Float, rank, communicator, stream));
            if (received > 0)
                Nccl.Check(ncclRecv(inward.Address, (nuint)received, Float, rank, communicator, stream));
            Nccl.Check(ncclGroupEnd());
            if (received > 0)
                CudaDriver.Check(cuMemcpyPeerAsync(receive, own, inward.Address, primary, sizeof(float) * (nuint)received, stream));
            Wait(patience);
        }
        finally
        {
            Pop();
        }
    }

    /// <summary>Ends what is still under way, and the link with it.</summary>
    public void Abort() => End(ncclCommAbort);

    public void Dispose() => End(ncclCommDestroy);

    private void Wait(TimeSpan patience)
    {
        var clock = Stopwatch.StartNew();
        var spin = new SpinWait();
        while (true)
        {
            int state = cuStreamQuery(stream), error;
            if (state == 0)
                return;
            if (state != NotReady)
                CudaDriver.Check(state, call: nameof(cuStreamQuery) + "(");
            Nccl.Check(ncclCommGetAsyncError(communicator, &error));
            if (error != InProgress)
                Nccl.Check(error, "NCCL");
            if (clock.Elapsed > patience)
                throw new TimeoutException();
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private void End(Func<nint, int> end)
    {
        if (communicator == 0 || cuCtxPushCurrent_v2(primary) != 0)
            return;
        _ = end(communicator);
        communicator = 0;
        outward.Free();
        inward.Free();
        _ = cuStreamDestroy_v2(stream);
        Pop();
        _ = cuDevicePrimaryCtxRelease_v2(device);
    }

    private static void Pop()
    {
        nint popped;
        _ = cuCtxPopCurrent_v2(&popped);
    }

    /// <summary>Memory of the current context.</summary>
    private struct Buffer
    {
        private int length;

        public nint Address { get; private set; }

        public void Grow(int floats)
        {
            if (floats <= length)
                return;
            Free();
            nint address;
            CudaDriver.Check(cuMemAlloc_v2(&address, sizeof(float) * (nuint)floats));
            (Address, length) = (address, floats);
        }

        public void Free()
        {
            if (Address != 0)
                _ = cuMemFree_v2(Address);
            (Address, length) = (0, 0);
        }
    }
}
