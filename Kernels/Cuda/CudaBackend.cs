using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>How matrix products and convolutions multiply.</summary>
public enum Precision
{
    /// <summary>float32 throughout.</summary>
    Fp32,
    /// <summary>Operands rounded to 10 bits of mantissa on the tensor cores, sums in float32. Needs compute capability 8.0.</summary>
    Tf32,
    /// <summary>
    /// Operands rounded to 7 bits of mantissa (8 with the leading one), sums in float32; what only products read may lie in memory as bf16 too. Needs compute capability 8.0.
    /// </summary>
    Bf16,
}

/// <summary>
/// The kernels on an NVIDIA GPU. Every call is queued on one stream and returns at once. One file per group of operations; this one holds memory, launching and errors.
/// </summary>
public sealed unsafe partial class CudaBackend : IBackend
{
    internal const uint EventWithoutTiming = 2;
    private const uint NonBlockingStream = 1;
    private const int CaptureRelaxed = 2, OutOfMemory = 2, MaxDynamicShared = 8;
    private const int DefaultShared = 48 << 10;
    private const string OverlapVariable = "VAE_CUDA_OVERLAP", BranchesVariable = "VAE_CUDA_BRANCHES";

    private readonly CudaDriver driver;
    private readonly CudaContext context;
    private readonly Staging staging;
    private readonly Workspace workspace;
    private readonly TileTable tiles;
    private readonly Dictionary<string, CudaModule> modules = [];
    private readonly bool waitAfterEachLaunch = Environment.GetEnvironmentVariable("VAE_CUDA_SYNC") == "1";
    private nint stream;
    private nint[] functions = new nint[128];
    private bool capturing, disposed;
    private BranchedGraph? branched;
    private int launches;
    private string? failure;
    private (string Name, Dim Grid, Dim Block) lastLaunch;

    /// <param name="ordinal">Which GPU, from 0 in the driver's order.</param>
    /// <param name="precision">Of matrix products and convolutions; fp32 where the GPU's tensor cores have neither tf32 nor bf16.</param>
    /// <param name="library">The driver library; by default the one that VAE_CUDA_LIBRARY names, else NVIDIA's.</param>
    /// <param name="tiles">Which kernels to use for which products; by default <see cref="TileTable.Default"/>.</param>
    /// <exception cref="DeviceException">No driver, no such GPU, one that is too old, a table of tiles that cannot be read, or settings that exclude one another.</exception>
    public CudaBackend(int ordinal = 0, Precision precision = Precision.Tf32, string? library = null, TileTable? tiles = null)
    {
        bool wantsOverlap = Environment.GetEnvironmentVariable(OverlapVariable) == "1";
        Branches = Environment.GetEnvironmentVariable(BranchesVariable) == "1";
        if (wantsOverlap && Branches)
            throw new DeviceException($"{OverlapVariable}=1 and {BranchesVariable}=1 exclude one another: take {OverlapVariable} away for steps with branches, or {BranchesVariable} for launches that overlap");
        this.tiles = tiles ?? TileTable.Default();
        driver = CudaDriver.Load(library);
        context = new(driver, ordinal);
        var missing = new List<string>();
        if (precision != Precision.Fp32 && context.ComputeCapability.Major < 8)
        {
            missing.Add($"no {NameOf(precision)}: matrix work runs in fp32");
            precision = Precision.Fp32;
        }
        Precision = precision;
        if (wantsOverlap)
        {
            if (CanOverlap)
                Overlap = true;
            else
                missing.Add($"no launches that overlap, which are for 9.0: {OverlapVariable} does nothing");
        }
        if (missing.Count > 0)
            Notice = $"{context.DeviceName} has compute capability {context.ComputeCapabilityName} and {string.Join("; ", missing)}";
        nint made;
        driver.Check(driver.StreamCreate(&made, NonBlockingStream), "making a stream");
        stream = made;
        staging = new(this, driver, stream);
        workspace = new(this, driver);
    }

    public string Name => $"cuda:{context.Ordinal}";

    /// <summary>Which GPU this is, from 0 in the driver's order.</summary>
    public int Ordinal => context.Ordinal;

    /// <summary>What matrix products and convolutions really use.</summary>
    public Precision Precision { get; }

    /// <summary>Whether products can be computed by wgmma: compute capability 9.0, in tf32 or bf16.</summary>
    public bool HasWarpgroupKernels => Precision != Precision.Fp32 && context.Architecture == CudaContext.Hopper;

    /// <summary>As users and kernel files write it: fp32, tf32, bf16.</summary>
    public static string NameOf(Precision precision) => precision.ToString().ToLowerInvariant();

    /// <summary>What the user should be told about this device, if anything.</summary>
    public string? Notice { get; }

    /// <summary>Whether the kernels for this GPU wait by themselves for the kernels before them.</summary>
    public bool CanOverlap => context.Architecture == CudaContext.Hopper;

    /// <summary>
    /// Whether a kernel launched or captured from now on may be dispatched while the one before it still runs: VAE_CUDA_OVERLAP=1 when the backend was made. Same bits either way.
    /// In a step captured with <see cref="Branches"/> it does not.
    /// </summary>
    /// <exception cref="DeviceException">Set on a GPU that cannot.</exception>
    public bool Overlap
    {
        get;
        set => field = !value || CanOverlap ? value : throw new DeviceException($"{Name}: launches overlap on compute capability 9.0 only");
    }

    /// <summary>
    /// Whether the kernels of a step captured from now on wait only for those whose memory they share, so that others run beside them: VAE_CUDA_BRANCHES=1 when the backend was made.
    /// Same bits either way.
    /// </summary>
    public bool Branches { get; set; }

    internal CudaContext Context => context;

    internal nint Stream => stream;

    public nint Allocate(long bytes)
    {
        Enter();
        ulong address;
        int result = driver.MemAlloc(&address, (nuint)bytes);
        if (result == OutOfMemory)
        {
            var (free, total) = context.Memory;
            throw new DeviceMemoryException($"{Name}: no room for {Size(bytes)}; {Size(free)} of {Size(total)} are free; use a smaller batch or close other programs on this GPU");
        }
        Check(result, $"allocating {Size(bytes)}");
        return (nint)address;
    }

    public void Free(nint address, long bytes)
    {
        // Freed after the backend, or after an error that no memory survives: nothing is left to give back.
        if (disposed || failure is not null)
            return;
        Enter();
        Check(driver.MemFree((ulong)address), $"freeing {Size(bytes)}");
    }

    public void Upload<T>(ReadOnlySpan<T> from, Slice<T> to) where T : unmanaged
    {
        CheckLength("upload", from.Length, to.Length);
        Outside("upload");
        staging.Upload(MemoryMarshal.AsBytes(from), to.Address);
    }

    public void Download<T>(Slice<T> from, Span<T> to) where T : unmanaged
    {
        CheckLength("download", from.Length, to.Length);
        Outside("download");
        staging.Download(from.Address, MemoryMarshal.AsBytes(to[..from.Length]));
    }

    public void Synchronise()
    {
        Outside("synchronise");
        Wait();
    }

    public ICapturedStep Capture(Action<IBackend> step)
    {
        Outside("capture");
        int before = launches;
        if (Branches)
            branched = new(driver);
        else
            // Relaxed: a kernel file that is first needed inside may still be loaded, a block still allocated.
            Check(driver.StreamBeginCapture(stream, CaptureRelaxed), "beginning to capture a step");
        capturing = true;
        nint graph = 0;
        int? longestChain;
        try
        {
            step(this);
            LaunchWhatWasPutOff();
            Check(EndCapture(&graph, out longestChain), "capturing a step");
        }
        catch
        {
            putOff = null;
            if (capturing)
                _ = EndCapture(&graph, out _);
            if (graph != 0)
                driver.GraphDestroy(graph);
            throw;
        }
        int calls = launches - before;
        return new CudaGraph(this, driver, stream, graph, calls, longestChain ?? calls);
    }

    /// <param name="graph">What was captured, whole or not.</param>
    /// <param name="longestChain">Null where all launches wait for one another.</param>
    private int EndCapture(nint* graph, out int? longestChain)
    {
        capturing = false;
        longestChain = branched?.LongestChain;
        if (branched is null)
            return driver.StreamEndCapture(stream, graph);
        *graph = branched.Handle;
        branched = null;
        return 0;
    }

    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        context.MakeCurrent();
        driver.StreamSynchronize(stream);
        workspace.Dispose();
        foreach (var module in modules.Values)
            module.Dispose();
        staging.Dispose();
        driver.StreamDestroy(stream);
        stream = 0;
        context.Dispose();
    }

    /// <summary>To be called before the driver: the context must be this thread's, and a device that has failed stays failed.</summary>
    internal void Enter()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (failure is not null)
            throw new DeviceException($"{Name} has failed before and cannot be used any more in this process ({failure})");
        context.MakeCurrent();
        LaunchWhatWasPutOff();
    }

    internal void Wait() => Check(driver.StreamSynchronize(stream), "waiting for the GPU");

    /// <summary>Turns a driver error into an exception. Errors come late on a GPU, so the message names the kernel launched last.</summary>
    internal void Check(int result, string operation)
    {
        if (result == 0)
            return;
        string what = $"{operation}: {driver.Describe(result)}";
        // From 700 on the driver's context is lost: illegal addresses, failed launches, time-outs.
        if (result is >= 700 and < 800)
        {
            failure = $"{what}; last launch: {lastLaunch.Name}, grid {lastLaunch.Grid}, block {lastLaunch.Block}";
            throw new DeviceException($"{Name}: {failure}{(waitAfterEachLaunch ? "" : "; set VAE_CUDA_SYNC=1 to find the kernel for certain")}");
        }
        throw new DeviceException($"{Name}: {what}");
    }

    /// <summary>Queues a kernel.</summary>
    private void Launch(KernelSlot kernel, Dim grid, Dim block, params ReadOnlySpan<KernelArgument> arguments) => LaunchWithShared(kernel, grid, block, 0, arguments);

    /// <summary>Queues a kernel that asks for dynamic shared memory.</summary>
    private void LaunchWithShared(KernelSlot kernel, Dim grid, Dim block, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments) =>
        LaunchWithShared(kernel, grid, block, sharedBytes, new LaunchMemory(), arguments);

    /// <summary>Queues a kernel that asks for dynamic shared memory.</summary>
    /// <param name="memory">What it touches besides its array arguments.</param>
    private void LaunchWithShared(KernelSlot kernel, Dim grid, Dim block, int sharedBytes, LaunchMemory memory, params ReadOnlySpan<KernelArgument> arguments)
    {
        Enter();
        nint function = Function(kernel, sharedBytes);
        void** addresses = stackalloc void*[arguments.Length];
        int result;
        fixed (KernelArgument* first = arguments)
        {
            var scratch = FindMemory(arguments, ref memory);
            for (int i = 0; i < arguments.Length; i++)
                addresses[i] = KernelArgument.Address(first + i, &scratch);
            result = branched is not null ? AddToGraph(branched, function, grid, block, sharedBytes, addresses, memory)
                : Overlap ? LaunchOverlapping(function, grid, block, sharedBytes, addresses)
                : driver.LaunchKernel(function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)block.X, (uint)block.Y, (uint)block.Z, (uint)sharedBytes, stream, addresses, null);
        }
        lastLaunch = (kernel.Name, grid, block);
        launches++;
        Check(result, $"launching {kernel.Name}, grid {grid}, block {block}{(branched is not null ? ", in a step with branches" : Overlap ? ", to overlap with the kernel before it" : "")}");
        if (waitAfterEachLaunch && !capturing)
            Check(driver.StreamSynchronize(stream), $"running {kernel.Name}, grid {grid}, block {block}");
    }

    private int LaunchOverlapping(nint function, Dim grid, Dim block, int sharedBytes, void** addresses)
    {
        var attribute = new LaunchAttribute { Id = LaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
        var configuration = new LaunchConfiguration
        {
            GridX = (uint)grid.X,
            GridY = (uint)grid.Y,
            GridZ = (uint)grid.Z,
            BlockX = (uint)block.X,
            BlockY = (uint)block.Y,
            BlockZ = (uint)block.Z,
            SharedBytes = (uint)sharedBytes,
            Stream = stream,
            Attributes = &attribute,
            Count = 1,
        };
        return driver.LaunchKernelWithAttributes(&configuration, function, addresses, null);
    }

    private nint Function(KernelSlot kernel, int sharedBytes)
    {
        if (kernel.Index < functions.Length && functions[kernel.Index] != 0)
            return functions[kernel.Index];
        if (kernel.Index >= functions.Length)
            Array.Resize(ref functions, Math.Max(kernel.Index + 1, 2 * functions.Length));
        if (!modules.TryGetValue(kernel.File, out var module))
            modules.Add(kernel.File, module = CudaModule.Load(context, kernel.File));
        nint function = module.Function(kernel.Name);
        // The dynamic shared memory of a kernel is the same in every launch.
        if (sharedBytes > DefaultShared)
            Check(driver.FunctionSetAttribute(function, MaxDynamicShared, sharedBytes), $"giving {kernel.Name} {sharedBytes} bytes of shared memory");
        return functions[kernel.Index] = function;
    }

    /// <summary>Blocks of 256 threads for n independent pieces of work: enough to fill the GPU a few times over, each thread then strides.</summary>
    private int Blocks(int n, int perThread = 1) => (int)Math.Clamp(((long)n + 256 * perThread - 1) / (256 * perThread), 1, 32L * context.Multiprocessors);

    private void Outside(string operation)
    {
        Enter();
        if (capturing)
            throw new InvalidOperationException($"{operation}: not possible while a step is being captured; a captured step may only call kernels, so move this before or after it");
    }

    private static void CheckLength(string operation, int from, int to)
    {
        if (from > to)
            throw new ArgumentException($"{operation}: {from} elements do not fit into {to}");
    }

    private static string Size(long bytes) => bytes >= 10 << 20 ? $"{bytes >> 20} MiB" : $"{bytes} bytes";
}
