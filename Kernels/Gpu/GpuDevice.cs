using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// A device opened through ILGPU: its context, its accelerator, and the kernels compiled for it. A process opens a device once and keeps
/// it, since compiling is what
/// takes long; backends on it come and go.
/// </summary>
internal sealed class GpuDevice : IDisposable
{
    private static readonly Dictionary<(string Name, bool Profiling), GpuDevice> Opened = [];
    private static int slots;

    private readonly Context context;
    private readonly Lock compiling = new();
    private object?[] kernels = new object?[64];
    private readonly List<(string Kernel, double Seconds)> compiled = [];
    private int users;
    private volatile bool broken;

    private GpuDevice(string name, Context context, Accelerator accelerator, double openSeconds) =>
        (Name, this.context, Accelerator, OpenSeconds) = (name, context, accelerator, openSeconds);

    static GpuDevice() => DriverLibrary.ResolveFor(typeof(Context).Assembly);

    /// <summary>As users write it: cuda:0, opencl:1, simulator.</summary>
    public string Name { get; }

    public Accelerator Accelerator { get; }

    /// <summary>Held during a launch: OpenCL's kernels hold their arguments, and backends of several threads share kernels.</summary>
    public Lock Launching { get; } = new();

    /// <summary>What it took to start ILGPU and the driver.</summary>
    public double OpenSeconds { get; }

    /// <summary>
    /// Kernels compiled so far, by name in this order, and the seconds that each took; ILGPU itself is compiled during the first.
    /// </summary>
    public IReadOnlyList<(string Kernel, double Seconds)> Compiled => compiled;

    /// <param name="kind">cuda, opencl or simulator.</param>
    /// <param name="ordinal">Which of that kind, in the driver's order.</param>
    /// <param name="profiling">Whether the stream can measure the device's own time.</param>
    /// <exception cref="DeviceException">There is no such device, or it does not open.</exception>
    public static GpuDevice Open(string kind, int ordinal, bool profiling = false)
    {
        lock (Opened)
        {
            if (!Opened.TryGetValue((NameOf(kind, ordinal), profiling), out var device) || device.broken)
                Opened[(NameOf(kind, ordinal), profiling)] = device = OpenNew(kind, ordinal, profiling);
            device.users++;
            return device;
        }
    }

    private static GpuDevice OpenNew(string kind, int ordinal, bool profiling)
    {
        long start = Stopwatch.GetTimestamp();
        var context = MakeContext(kind, profiling);
        try
        {
            var wanted = kind switch { "cuda" => AcceleratorType.Cuda, "opencl" => AcceleratorType.OpenCL, _ => AcceleratorType.CPU };
            // Where it finds nothing ILGPU adds its simulator without a word: only devices of the kind that was asked for count.
            var devices = context.Devices.Where(d => d.AcceleratorType == wanted).ToArray();
            if (ordinal >= devices.Length)
                throw new DeviceException(devices.Length == 0 ? $"{kind}: the driver sees devices, but none that kernels compile for"
                    : $"no device {kind}:{ordinal}: there {(devices.Length == 1 ? "is 1" : $"are {devices.Length}")}, counted from 0; "
                    + $"`vae list devices` shows them");
            return new(NameOf(kind, ordinal), context, devices[ordinal].CreateAccelerator(context),
                Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        catch (Exception e)
        {
            context.Dispose();
            throw e as DeviceException ?? new DeviceException($"{NameOf(kind, ordinal)} does not open: {e.Message}", e);
        }
    }

    private static string NameOf(string kind, int ordinal) =>
        kind == "simulator" ? kind : string.Create(CultureInfo.InvariantCulture, $"{kind}:{ordinal}");

    /// <summary>The device of that name, if this process has opened it.</summary>
    public static GpuDevice? Find(string name)
    {
        lock (Opened)
            return Opened.GetValueOrDefault((name, false)) ?? Opened.GetValueOrDefault((name, true));
    }

    /// <summary>All devices of a kind, in the driver's order.</summary>
    public static IReadOnlyList<GpuDeviceInfo> List(string kind)
    {
        using var context = MakeContext(kind, profiling: false);
        return [.. context.Devices.Where(d => d.AcceleratorType != AcceleratorType.CPU)
            .Select((device, i) => Describe(device, NameOf(kind, i)))];
    }

    public GpuDeviceInfo Describe() => Describe(Accelerator.Device, Name);

    private static GpuDeviceInfo Describe(ILGPU.Runtime.Device device, string name) => device switch
    {
        CudaDevice cuda =>
            new(name, device.Name,
            $"compute capability {cuda.Architecture?.Major}.{cuda.Architecture?.Minor}, driver for CUDA {cuda.DriverVersion}",
            device.MemorySize, device.NumMultiprocessors, IsCpu: false,
            HasTensorCores: cuda.Architecture >= CudaArchitecture.SM_80),
        CLDevice cl => new(name, device.Name.Trim(), $"{cl.PlatformName.Trim()}, {cl.DeviceVersion}, {cl.CLStdVersion}", device.MemorySize,
            device.NumMultiprocessors, cl.DeviceType.HasFlag(CLDeviceType.CL_DEVICE_TYPE_CPU)),
        _ => new(name, "ILGPU's simulator", "one kernel thread after the other, for debugging",
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, device.NumMultiprocessors, IsCpu: true),
    };

    /// <summary>A number for each kernel type: found by an array access, without a dictionary or an allocation.</summary>
    private static class Slot<B>
    {
        public static readonly int Index = Interlocked.Increment(ref slots) - 1;
    }

    /// <summary>A kernel's launcher, compiled at its first use.</summary>
    /// <exception cref="DeviceException">It does not compile: nothing else will then compile in this context.</exception>
    public Action<AcceleratorStream, KernelConfig, A> Kernel<B, A>() where B : struct, IKernel<A> where A : struct
    {
        int slot = Slot<B>.Index;
        var known = Volatile.Read(ref kernels);
        return slot < known.Length && known[slot] is { } kernel ? Unsafe.As<Action<AcceleratorStream, KernelConfig, A>>(kernel)
            : CompileOnce<B, A>(slot);
    }

    private Action<AcceleratorStream, KernelConfig, A> CompileOnce<B, A>(int slot) where B : struct, IKernel<A> where A : struct
    {
        lock (compiling)
        {
            if (slot < kernels.Length && kernels[slot] is { } known)
                return Unsafe.As<Action<AcceleratorStream, KernelConfig, A>>(known);
            if (compiled.Count == 0)
                KernelCompilation.Start(Name);
            long start = Stopwatch.GetTimestamp();
            var kernel = Compile<B, A>();
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            compiled.Add((KernelCatalogue.NameOf(typeof(B)), seconds));
            KernelCompilation.Add(seconds);
            // Held for as long as the device: ILGPU itself unloads a kernel that nobody holds, even under a graph.
            var more = new object?[Math.Max(kernels.Length, slot < kernels.Length ? 0 : 2 * slot)];
            kernels.CopyTo(more, 0);
            more[slot] = kernel;
            Volatile.Write(ref kernels, more);
            return kernel;
        }
    }

    private Action<AcceleratorStream, KernelConfig, A> Compile<B, A>() where B : struct, IKernel<A> where A : struct
    {
        if (broken)
            throw new DeviceException(
                $"{Name}: a kernel did not compile before, or the device failed, and no other can be compiled now; see the first error");
        // ILGPU writes OpenCL's build log to the trace, and only there.
        using var log = new StringWriter(CultureInfo.InvariantCulture);
        using var listener = new TextWriterTraceListener(log);
        Trace.Listeners.Add(listener);
        try
        {
            var compiled = Accelerator.CompileKernel(EntryPointDescription.FromExplicitlyGroupedKernel(((Action<A>)B.Run).Method));
            KernelText.Correct(compiled, typeof(B));
            return Accelerator.LoadKernel(compiled).CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, A>>();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Abandon();
            var first = e;
            while (first.InnerException is { } inner)
                first = inner;
            throw new DeviceException(
                $"{Name}: the kernel {KernelCatalogue.NameOf(typeof(B))} does not compile: {first.Message} {log}".TrimEnd(), e);
        }
        finally
        {
            Trace.Listeners.Remove(listener);
        }
    }

    private static Context MakeContext(string kind, bool profiling)
    {
        try
        {
            return Context.Create(builder =>
            {
                // Only O2 infers address spaces, without which OpenCL devices refuse a kernel.
                builder.EnableIntrinsics().Optimize(OptimizationLevel.O2);
                if (profiling)
                    builder.Profiling();
                switch (kind)
                {
                    case "cuda":
                        builder.Cuda();
                        break;
                    case "opencl":
                        builder.OpenCL(AllowWithoutGenericAddressSpace);
                        break;
                    default:
                        builder.CPU(new CPUDevice(Threads.Wide, Threads.Tall, 1));
                        break;
                }
            });
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new DeviceException($"{kind}: the driver does not start: {e.Message}", e);
        }
    }

    /// <summary>
    /// PoCL before version 4 reports no generic address space, which ILGPU asks for and kernels without raw pointers do not need.
    /// </summary>
    private static bool AllowWithoutGenericAddressSpace(CLDevice device)
    {
        device.Capabilities.GetType()
            .GetProperty("GenericAddressSpace", BindingFlags.Instance | BindingFlags.Public)!.SetValue(device.Capabilities, true);
        return true;
    }

    /// <summary>The device failed: whoever asks for it from now on gets a fresh context.</summary>
    public void Abandon() => broken = true;

    /// <summary>One user less. The device stays open for the next one, unless it failed.</summary>
    public void Dispose()
    {
        lock (Opened)
            if (--users > 0 || !broken)
                return;
        try
        {
            Accelerator.Dispose();
            context.Dispose();
        }
        catch (AcceleratorException)
        {
            // A device that failed refuses to be tidied up, too.
        }
    }
}

/// <summary>A device for people.</summary>
/// <param name="Name">What <c>--device</c> takes.</param>
/// <param name="Details">Its driver and what that supports.</param>
/// <param name="Units">Multiprocessors, compute units or cores.</param>
/// <param name="IsCpu">An OpenCL driver for the CPU: taken only when it is asked for.</param>
/// <param name="HasTensorCores">For tf32 and bf16: NVIDIA's from compute capability 8.0 on.</param>
internal sealed record GpuDeviceInfo(string Name, string Description, string Details, long MemoryBytes, int Units, bool IsCpu,
    bool HasTensorCores = false);
