using System.Globalization;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Kernels;

/// <summary>A device that was asked for is not there or does not work; the message says which and what to do.</summary>
public sealed class DeviceException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Opens a backend by the name a user gives.</summary>
public static class Device
{
    /// <summary>The names of devices, for people.</summary>
    public const string Names = "auto, cpu, cuda, cuda:N, opencl, opencl:N or simulator";

    /// <param name="name">One of <see cref="Names"/>. auto is a CUDA GPU, else an OpenCL GPU (never a CPU's OpenCL), else the CPU.</param>
    /// <param name="threads">CPU threads; 0 for one per logical processor.</param>
    /// <param name="precision">Of products and convolutions on CUDA devices; null for tf32 where there are tensor cores for it, else
    /// fp32.</param>
    /// <param name="insist">Whether a precision that the device does not have is an error; it multiplies in fp32 otherwise.</param>
    /// <exception cref="DeviceException">The name is unknown, there is no such device, or it does not multiply in that
    /// precision.</exception>
    public static IBackend Open(string name, int threads = 0, Precision? precision = null, bool insist = true)
    {
        if (!TryParse(name, out string kind, out int ordinal))
            throw new DeviceException($"unknown device '{name}'; use {Names}");
        if (kind == "auto")
            // The drivers are asked first: without a GPU nothing of ILGPU is loaded, which would cost as much time as a small training
            // step.
            (kind, ordinal) = DriverLibrary.Ask("cuda").Gpus > 0 ? ("cuda", 0) : DriverLibrary.Ask("opencl").Gpus > 0
                && GpuLoader.FirstOpenClGpu() is { } first ? ("opencl", first) : ("cpu", 0);
        if (kind != "cpu")
            return GpuLoader.Open(kind, ordinal, precision, insist);
        return insist && precision is Precision.Tf32 or Precision.Bf16 ? throw WithoutTensorCores(kind, precision.Value)
            : new CpuBackend(threads);
    }

    /// <summary>
    /// A GPU whose own clock can be read. The clock costs every launch something on some devices, so that <see cref="Open"/> leaves it out.
    /// </summary>
    /// <param name="name">One of <see cref="Names"/>, but not auto or cpu.</param>
    /// <param name="precision">As in <see cref="Open"/>.</param>
    /// <exception cref="DeviceException">There is no such device, it does not multiply in that precision, or it is the CPU.</exception>
    internal static GpuBackend OpenTimed(string name, Precision? precision = null) =>
        TryParse(name, out string kind, out int ordinal) && kind is not ("auto" or "cpu")
            ? (GpuBackend)GpuLoader.Open(kind, ordinal, precision, insist: true, timed: true)
            : throw new DeviceException($"{name} has no clock of its own to time kernels by; use cuda, opencl or simulator");

    internal static DeviceException WithoutTensorCores(string name, Precision precision) =>
        new($"--precision {precision.ToString().ToLowerInvariant()}: {name} multiplies in fp32 only; it needs the tensor cores of an "
            + $"NVIDIA GPU of compute capability 8.0 or newer, so leave it out or use --precision fp32");

    /// <summary>Whether <see cref="Open"/> knows the name; not whether there is such a device.</summary>
    public static bool IsName(string name) => TryParse(name, out _, out _);

    private static bool TryParse(string name, out string kind, out int ordinal)
    {
        string[] parts = name.Split(':');
        (kind, ordinal) = (parts[0], 0);
        return kind switch
        {
            "auto" or "cpu" or "simulator" => parts.Length == 1,
            "cuda" or "opencl" => parts.Length == 1
                || (parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out ordinal)),
            _ => false,
        };
    }
}
