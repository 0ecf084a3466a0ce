namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// What this process has compiled for GPUs: each kernel once for a device, at its first use. Nothing of ILGPU is needed to ask.
/// </summary>
internal static class KernelCompilation
{
    private static readonly Lock Sync = new();

    /// <summary>Told the device's name before its first kernel is compiled.</summary>
    public static event Action<string>? Starting;

    /// <summary>Kernels compiled so far, and the seconds that took.</summary>
    public static (int Kernels, double Seconds) Total { get; private set; }

    internal static void Start(string device) => Starting?.Invoke(device);

    internal static void Add(double seconds)
    {
        lock (Sync)
            Total = (Total.Kernels + 1, Total.Seconds + seconds);
    }
}
