namespace VaeFromScratch.Kernels.Cuda;

/// <summary>What a GPU is and, measured with CUDA events, what it can do at most.</summary>
/// <param name="DriverVersion">The version of CUDA that the driver speaks.</param>
/// <param name="CopyBytesPerSecond">Bytes read and written when an array too large for the caches is copied.</param>
/// <param name="FmaFlops">Float32 operations per second of independent fused multiply-adds, two operations each.</param>
/// <param name="TensorFlops">Operations per second of mma.sync in tf32, or in bf16 where the backend multiplies in that; absent below compute capability 8.0.</param>
public sealed record CudaDeviceInfo(string Name, string DriverVersion, string ComputeCapability, int Multiprocessors, long FreeBytes, long TotalBytes,
    string KernelArchitecture, double CopyBytesPerSecond, double FmaFlops, double? TensorFlops)
{
    /// <param name="quick">One small launch of each probe: for tests, not for figures.</param>
    public static CudaDeviceInfo Measure(CudaBackend backend, bool quick = false)
    {
        ArgumentNullException.ThrowIfNull(backend);
        var context = backend.Context;
        var (free, total) = context.Memory;
        var rates = backend.MeasurePeaks(quick);
        return new(context.DeviceName, context.DriverVersion, context.ComputeCapabilityName, context.Multiprocessors, free, total,
            context.Architecture, rates.Copy, rates.Fma, rates.Tensor);
    }
}
