using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>The only door to types of ILGPU: whoever does not come through here does not load its assembly.</summary>
internal static class GpuLoader
{
    /// <param name="insist">Whether a precision that the device does not have is an error; it multiplies in fp32 otherwise.</param>
    /// <param name="timed">Whether the device's own clock can be read.</param>
    internal static IBackend Open(string kind, int ordinal, Precision? precision, bool insist, bool timed = false)
    {
        if (kind != "simulator")
            DriverLibrary.Require(kind);
        return OpenBackend(kind, ordinal, precision, insist, timed);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static GpuBackend OpenBackend(string kind, int ordinal, Precision? precision, bool insist, bool timed)
    {
        var device = GpuDevice.Open(kind, ordinal, timed);
        if (device.Describe().HasTensorCores)
            return new(device, precision ?? Precision.Tf32);
        if (insist && precision is Precision.Tf32 or Precision.Bf16)
        {
            device.Dispose();
            throw Device.WithoutTensorCores(device.Name, precision.Value);
        }
        return new(device, Precision.Fp32);
    }

    /// <summary>The first OpenCL device that is a GPU: a CPU's OpenCL may come before it. Null where kernels compile for none.</summary>
    internal static int? FirstOpenClGpu() => ListOf("opencl").Index().Where(d => !d.Item.IsCpu).Select(d => (int?)d.Index).FirstOrDefault();

    /// <summary>The drivers of CUDA and OpenCL, asked without loading ILGPU.</summary>
    /// <exception cref="DeviceException">VAE_CUDA_LIBRARY or VAE_OPENCL_LIBRARY names a library that cannot be loaded.</exception>
    public static IReadOnlyList<DriverState> Drivers() => [DriverLibrary.Ask("cuda"), DriverLibrary.Ask("opencl")];

    /// <summary>Every CUDA and OpenCL device; a driver that is not installed or sees none has none.</summary>
    /// <exception cref="DeviceException">A driver does not start, or a variable names a library that cannot be loaded.</exception>
    public static IReadOnlyList<GpuDeviceInfo> List() => [.. Drivers().Where(d => d.Devices > 0).SelectMany(d => ListOf(d.Kind))];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static IReadOnlyList<GpuDeviceInfo> ListOf(string kind) => GpuDevice.List(kind);

    /// <summary>What a device is that this process has opened; null for the CPU.</summary>
    /// <param name="name">A backend's name.</param>
    public static GpuDeviceInfo? Describe(string name) => name == "cpu" ? null : DescribeDevice(name);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static GpuDeviceInfo? DescribeDevice(string name) => GpuDevice.Find(name)?.Describe();

    /// <summary>What a device that this process has opened took to start, and what it was measured to do at most.</summary>
    /// <param name="name">A GPU backend's name.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static GpuCeiling Probe(string name)
    {
        var device = GpuDevice.Find(name)!;
        using var backend = (GpuBackend)Device.Open(name);
        var (copy, fma) = (backend.CopyBandwidth(), backend.FmaPeak());
        return new(device.OpenSeconds, device.Compiled[0].Seconds, copy, fma);
    }

    /// <summary>The names of all kernels, in alphabetical order.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IReadOnlyList<string> Kernels() => [.. KernelCatalogue.Kernels.Keys];

    /// <summary>The PTX of one kernel; no GPU is needed.</summary>
    /// <param name="kernel">One of <see cref="Kernels"/>.</param>
    /// <param name="architecture">A compute capability times ten: 75 or 80, which newer devices take too.</param>
    /// <exception cref="ArgumentException">There is no such kernel or architecture; the message says what there is.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static string Ptx(string kernel, int architecture)
    {
        using var compiler = new PtxCompiler(architecture);
        return compiler.Compile(kernel);
    }
}

/// <summary>What a GPU took to start, and what it does at most.</summary>
/// <param name="OpenSeconds">ILGPU's context and the driver's.</param>
/// <param name="FirstKernelSeconds">Compiling the first kernel, with what ILGPU itself has to compile for that.</param>
/// <param name="BytesPerSecond">Read and written, of arrays too large for the caches.</param>
/// <param name="FlopsPerSecond">Independent fused multiply-adds in float32, two operations each.</param>
internal sealed record GpuCeiling(double OpenSeconds, double FirstKernelSeconds, double BytesPerSecond, double FlopsPerSecond);
