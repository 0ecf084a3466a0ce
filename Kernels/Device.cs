using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Kernels;

/// <summary>A device that was asked for is not there or does not work; the message says which and what to do.</summary>
public sealed class DeviceException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Opens a backend by the name a user gives.</summary>
public static class Device
{
    /// <param name="name">auto, cpu, cuda or cuda:N.</param>
    /// <param name="threads">CPU threads; 0 for one per logical processor.</param>
    /// <exception cref="DeviceException">The name is unknown or there is no such device.</exception>
    public static IBackend Open(string name, int threads = 0) => name switch
    {
        "auto" or "cpu" => new CpuBackend(threads),
        _ => throw new DeviceException($"unknown device '{name}'; use auto, cpu, cuda or cuda:N"),
    };
}
