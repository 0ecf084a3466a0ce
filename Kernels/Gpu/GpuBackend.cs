using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using VaeFromScratch.Kernels.Gpu.Cuda;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// The kernels in C# that ILGPU compiles for CUDA and OpenCL devices, and for its simulator. One file per group of operations; this one
/// holds memory and launching.
/// </summary>
/// <remarks>
/// Every call is queued on one stream and returns at once. A <see cref="Slice{T}"/>'s address is virtual, the block's number above and the
/// offset in bytes below: OpenCL
/// has no addresses, and looking a block up is one array access.
/// </remarks>
internal sealed partial class GpuBackend : IBackend
{
    /// <summary>The method that all launches go through, by whose calls <see cref="KernelCatalogue"/> finds the kernels.</summary>
    internal const string LaunchName = nameof(Launch);

    private const int BlockShift = 40;
    private const long OffsetMask = (1L << BlockShift) - 1;

    private readonly GpuDevice device;
    private readonly Accelerator accelerator;
    private readonly AcceleratorStream stream;
    private readonly List<MemoryBuffer?> blocks = [null];
    private readonly Stack<int> freeBlocks = new();
    private readonly MemoryBuffer nothing;
    private readonly Workspace workspace;
    private List<Launchable>? recording;

    internal GpuBackend(GpuDevice device, Precision precision)
    {
        this.device = device;
        accelerator = device.Accelerator;
        stream = accelerator.CreateStream();
        nothing = accelerator.AllocateRaw(64, 1);
        workspace = new(accelerator, stream);
        Precision = precision;
        if (precision != Precision.Fp32)
            tensorCores = new(accelerator.Bind, ((CudaStream)stream).StreamPtr, accelerator.NumMultiprocessors, precision);
    }

    public string Name => device.Name;

    /// <summary>Kernels compiled for this device so far, by name in this order, and the seconds that each took.</summary>
    public IReadOnlyList<(string Kernel, double Seconds)> Compiled => device.Compiled;

    /// <summary>Launches made so far, replayed ones included.</summary>
    public long Launches { get; private set; }

    /// <summary>Copies between host and device so far: none of them may happen inside an operation.</summary>
    internal long HostCopies { get; private set; }

    // ---- memory

    public nint Allocate(long bytes)
    {
        MemoryBuffer buffer;
        try
        {
            buffer = accelerator.AllocateRaw(bytes, 1);
        }
        catch (AcceleratorException e)
        {
            throw new DeviceMemoryException(
                $"{Name}: no room for {bytes:N0} bytes of {accelerator.MemorySize:N0} in all ({e.Message}); use a smaller batch or close "
                + $"other programs on this device");
        }
        if (!freeBlocks.TryPop(out int block))
        {
            block = blocks.Count;
            blocks.Add(null);
        }
        blocks[block] = buffer;
        return (nint)((long)block << BlockShift);
    }

    public void Free(nint address, long bytes)
    {
        int block = (int)(address >> BlockShift);
        stream.Synchronize();
        BlockAt(address).Dispose();
        blocks[block] = null;
        freeBlocks.Push(block);
    }

    public void Upload<T>(ReadOnlySpan<T> from, Slice<T> to) where T : unmanaged
    {
        NotWhileRecording("upload");
        if (from.Length == 0)
            return;
        HostCopies++;
        var bytes = MemoryMarshal.AsBytes(from);
        if (bytes.Length <= Unsafe.SizeOf<Sixteen>() && bytes.Length % sizeof(uint) == 0 && to.Address % sizeof(uint) == 0)
            Poke(bytes, to.Address);
        else
            View(to.Part(0, from.Length)).CopyFromCPU<T, ArrayView<T>>(stream, from);
    }

    public void Download<T>(Slice<T> from, Span<T> to) where T : unmanaged
    {
        NotWhileRecording("download");
        if (from.Length == 0)
            return;
        HostCopies++;
        View(from).CopyToCPU<T, ArrayView<T>>(stream, to[..from.Length]);
    }

    public void Synchronise()
    {
        NotWhileRecording("synchronise");
        stream.Synchronize();
    }

    /// <summary>
    /// A slice as kernels see it. One that is absent or empty becomes a view of a block that no kernel reads: no device takes null
    /// arguments.
    /// </summary>
    private ArrayView<T> View<T>(Slice<T> slice) where T : unmanaged =>
        slice.Length == 0 ? new(nothing, 0, 1)
            : new(BlockAt(slice.Address), (slice.Address & OffsetMask) / Unsafe.SizeOf<T>(), slice.Length);

    /// <summary>Makes the device's context current on the calling thread.</summary>
    internal void Bind() => accelerator.Bind();

    /// <summary>The driver's own address of a slice; 0 where it is absent or empty.</summary>
    internal nint AddressOf(Slice<float> slice) =>
        slice.Length == 0 ? 0 : BlockAt(slice.Address).NativePtr + (nint)(slice.Address & OffsetMask);

    private MemoryBuffer BlockAt(nint address)
    {
        int block = (int)(address >> BlockShift);
        return (uint)block < (uint)blocks.Count && blocks[block] is { } buffer ? buffer
            : throw new ArgumentException($"{Name}: a slice at {address:x} is not in this device's memory, or was freed");
    }

    // ---- launches

    /// <summary>One thread for each of n entries.</summary>
    private void Each<E, A>(int n, in A operands) where E : struct, IEntry<A> where A : struct =>
        Launch<EachEntry<E, A>, EntriesArguments<A>>(Groups(n, Threads.PerGroup), 1, Threads.PerGroup, 1, new(n, operands));

    /// <summary>The threads of a strip for each of [rows, n].</summary>
    private void EachRow<R, A>(int rows, int n, in A operands) where R : struct, IStripwise<A> where A : struct =>
        EachStrip<R, A>(Strips.Of(rows, n, 1), operands);

    private void EachStrip<R, A>(in Strips strips, in A operands) where R : struct, IStripwise<A> where A : struct =>
        Launch<EachStrip<R, A>, StripsArguments<A>>(strips.Groups, 1, Threads.PerGroup, 1, new(strips, operands));

    private static int Groups(int n, int perGroup) => (n + perGroup - 1) / perGroup;

    /// <summary>The one way to a device: compiles on first use, then runs or records.</summary>
    private void Launch<B, A>(int groupsX, int groupsY, int threadsX, int threadsY, in A arguments) where B : struct, IKernel<A>
        where A : struct
    {
        // A grid of 0 is an error on CUDA.
        if (groupsX == 0 || groupsY == 0)
            return;
        var kernel = device.Kernel<B, A>();
        var config = new KernelConfig(new Index3D(groupsX, groupsY, 1), new Index3D(threadsX, threadsY, 1));
        if (recording is { } list)
        {
            list.Add(new Launchable<A>(kernel, config, arguments));
            return;
        }
        lock (device.Launching)
            kernel(stream, config, arguments);
        Launches++;
    }

    // ---- captured steps

    public ICapturedStep Capture(Action<IBackend> step)
    {
        NotWhileRecording("capture");
        recording = [];
        try
        {
            step(this);
            Launchable[] launches = [.. recording];
            return new CapturedStep(this, launches);
        }
        finally
        {
            recording = null;
        }
    }

    private void NotWhileRecording(string what)
    {
        if (recording is not null)
            throw new InvalidOperationException(
                $"{what}: not possible while a step is being captured; a captured step may only call kernels, so move this before or "
                + $"after it");
    }

    /// <summary>
    /// The launches as one graph of CUDA's, where a replay is one call of the driver, elsewhere as a list. They are held in any case, and
    /// with them their kernels.
    /// </summary>
    private sealed class CapturedStep : ICapturedStep
    {
        private readonly GpuBackend owner;
        private readonly Launchable[] launches;
        private readonly CudaGraph? graph;

        public CapturedStep(GpuBackend owner, Launchable[] launches)
        {
            (this.owner, this.launches) = (owner, launches);
            if (owner.accelerator is not CudaAccelerator)
                return;
            // Loads and allocates, which a capture forbids.
            owner.tensorCores?.Prepare();
            graph = CudaGraph.Capture(owner.accelerator.Bind, ((CudaStream)owner.stream).StreamPtr, LaunchAll);
        }

        public int Calls => launches.Length;

        public void Replay()
        {
            if (graph is not null)
                graph.Launch();
            else
                LaunchAll();
            owner.Launches += launches.Length;
        }

        private void LaunchAll()
        {
            lock (owner.device.Launching)
                foreach (var launch in launches)
                    launch.Launch(owner.stream);
        }

        public void Dispose() => graph?.Dispose();
    }

    public void Dispose()
    {
        try
        {
            stream.Synchronize();
            foreach (var block in blocks)
                block?.Dispose();
            tensorCores?.Dispose();
            workspace.Dispose();
            nothing.Dispose();
            stream.Dispose();
        }
        catch (AcceleratorException)
        {
            device.Abandon();
        }
        device.Dispose();
    }
}
