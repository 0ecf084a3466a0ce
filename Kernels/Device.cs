using System.Globalization;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cuda;

namespace VaeFromScratch.Kernels;

/// <summary>A device that was asked for is not there or does not work; the message says which and what to do.</summary>
public sealed class DeviceException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Opens a backend by the name a user gives.</summary>
public static class Device
{
    /// <param name="name">auto, cpu, cuda or cuda:N. auto is CUDA where a driver and a usable GPU are there, else the CPU.</param>
    /// <param name="threads">CPU threads; 0 for one per logical processor.</param>
    /// <param name="precision">Of matrix work on CUDA.</param>
    /// <exception cref="DeviceException">The name is unknown or there is no such device.</exception>
    public static IBackend Open(string name, int threads = 0, Precision precision = Precision.Tf32)
    {
        const string Numbered = "cuda:";
        return name switch
        {
            "cpu" => new CpuBackend(threads),
            "cuda" => new CudaBackend(0, precision),
            "auto" => OpenAny(threads, precision),
            _ when name.StartsWith(Numbered, StringComparison.Ordinal) && int.TryParse(name[Numbered.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal) => new CudaBackend(ordinal, precision),
            _ => throw new DeviceException($"unknown device '{name}'; use auto, cpu, cuda or cuda:N"),
        };
    }

    private static IBackend OpenAny(int threads, Precision precision)
    {
        try
        {
            return new CudaBackend(0, precision);
        }
        catch (DeviceException)
        {
            return new CpuBackend(threads);
        }
    }
}
