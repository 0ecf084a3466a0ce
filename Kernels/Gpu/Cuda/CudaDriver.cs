using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Gpu.Cuda;

/// <summary>
/// The calls of the NVIDIA driver that ILGPU does not make for us, or makes in another way than a captured step needs. Each returns 0 or
/// an error, for <see cref="Check"/>.
/// </summary>
/// <remarks>
/// They work on the context that is current on the calling thread: ILGPU's, after <c>accelerator.Bind()</c>. The context is never set
/// from here, because ILGPU remembers what it set itself.
/// </remarks>
internal static unsafe partial class CudaDriver
{
    /// <summary>Of <see cref="cuStreamQuery"/>: there is work left.</summary>
    public const int NotReady = 600;

    /// <summary>Of <see cref="cuStreamCreate"/>: it does not wait for the default stream.</summary>
    public const uint NonBlocking = 1;

    /// <summary>An attribute of <see cref="cuDeviceGetAttribute"/>.</summary>
    public const int MostSharedBytesOfBlock = 97;

    /// <summary>
    /// Of <see cref="cuFuncSetAttribute"/>: bytes of dynamic shared memory that a launch may ask for; 48 KB less the static where nothing
    /// is said.
    /// </summary>
    public const int MostDynamicSharedBytes = 8;

    /// <summary>
    /// Of <see cref="cuStreamBeginCapture_v2"/>: only the capturing thread is kept from calls that would spoil the capture, so that
    /// finalizers may go on.
    /// </summary>
    public const int ThreadLocalCapture = 1;

    /// <summary>Of <see cref="cuModuleLoadDataEx"/>: where the assembler's words go, and how many bytes there are.</summary>
    public const int ErrorLog = 5, ErrorLogBytes = 6;

    private const string Library = "cuda";

    static CudaDriver() => DriverLibrary.ResolveFor(typeof(CudaDriver).Assembly);

    [LibraryImport(Library)]
    public static partial int cuInit(uint flags);
    [LibraryImport(Library)]
    public static partial int cuDeviceGetCount(int* count);
    [LibraryImport(Library)]
    public static partial int cuDeviceGetAttribute(int* value, int attribute, int device);
    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRetain(nint* context, int device);
    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRelease_v2(int device);
    [LibraryImport(Library)]
    public static partial int cuCtxGetCurrent(nint* context);
    [LibraryImport(Library)]
    public static partial int cuCtxGetDevice(int* device);
    [LibraryImport(Library)]
    public static partial int cuCtxPushCurrent_v2(nint context);
    [LibraryImport(Library)]
    public static partial int cuCtxPopCurrent_v2(nint* context);
    [LibraryImport(Library)]
    public static partial int cuMemcpyPeerAsync(nint to, nint toContext, nint from, nint fromContext, nuint bytes, nint stream);
    [LibraryImport(Library)]
    public static partial int cuStreamCreate(nint* stream, uint flags);
    [LibraryImport(Library)]
    public static partial int cuStreamDestroy_v2(nint stream);
    [LibraryImport(Library)]
    public static partial int cuStreamQuery(nint stream);
    [LibraryImport(Library)]
    public static partial int cuMemAlloc_v2(nint* address, nuint bytes);
    [LibraryImport(Library)]
    public static partial int cuMemFree_v2(nint address);
    [LibraryImport(Library)]
    public static partial int cuMemcpyHtoDAsync_v2(nint to, void* from, nuint bytes, nint stream);
    [LibraryImport(Library)]
    public static partial int cuMemcpyDtoHAsync_v2(void* to, nint from, nuint bytes, nint stream);
    [LibraryImport(Library)]
    public static partial int cuMemsetD32Async(nint to, uint value, nuint words, nint stream);
    [LibraryImport(Library)]
    public static partial int cuModuleLoadDataEx(nint* module, byte* image, uint count, int* options, nint* values);
    [LibraryImport(Library)]
    public static partial int cuModuleUnload(nint module);
    [LibraryImport(Library)]
    public static partial int cuModuleGetFunction(nint* function, nint module, byte* name);
    [LibraryImport(Library)]
    public static partial int cuFuncSetAttribute(nint function, int attribute, int value);
    [LibraryImport(Library)]
    public static partial int cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ,
        uint sharedBytes, nint stream, void** parameters, void** extra);
    [LibraryImport(Library)]
    public static partial int cuStreamSynchronize(nint stream);
    [LibraryImport(Library)]
    public static partial int cuStreamBeginCapture_v2(nint stream, int mode);
    [LibraryImport(Library)]
    public static partial int cuStreamEndCapture(nint stream, nint* graph);
    [LibraryImport(Library)]
    public static partial int cuGraphGetNodes(nint graph, nint* nodes, nuint* count);
    [LibraryImport(Library)]
    public static partial int cuGraphInstantiateWithFlags(nint* instance, nint graph, ulong flags);
    [LibraryImport(Library)]
    public static partial int cuGraphLaunch(nint instance, nint stream);
    [LibraryImport(Library)]
    public static partial int cuGraphExecDestroy(nint instance);
    [LibraryImport(Library)]
    public static partial int cuGraphDestroy(nint graph);
    [LibraryImport(Library)]
    public static partial int cuEventCreate(nint* handle, uint flags);
    [LibraryImport(Library)]
    public static partial int cuEventRecord(nint handle, nint stream);
    [LibraryImport(Library)]
    public static partial int cuEventSynchronize(nint handle);
    /// <summary>Milliseconds between two events that have been recorded and have happened: the device's own clock.</summary>
    [LibraryImport(Library)]
    public static partial int cuEventElapsedTime(float* milliseconds, nint from, nint to);
    [LibraryImport(Library)]
    public static partial int cuEventDestroy_v2(nint handle);
    [LibraryImport(Library)]
    private static partial int cuGetErrorName(int error, byte** name);
    [LibraryImport(Library)]
    private static partial int cuGetErrorString(int error, byte** text);

    /// <summary>Passes where a call went well.</summary>
    /// <param name="result">Of the call.</param>
    /// <param name="of">What the call was about, such as a kernel's name.</param>
    /// <param name="call">The call as it is written.</param>
    /// <exception cref="DeviceException">It did not: the call, and the driver's words.</exception>
    public static void Check(int result, string? of = null, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != 0)
            Throw(result, of, call);
    }

    private static void Throw(int result, string? of, string call)
    {
        byte* name = null, text = null;
        _ = cuGetErrorName(result, &name);
        _ = cuGetErrorString(result, &text);
        string operation = call[..call.IndexOf('(', StringComparison.Ordinal)].Split('.')[^1];
        string words = $"{Marshal.PtrToStringUTF8((nint)name) ?? "unknown error"} ({result}), {Marshal.PtrToStringUTF8((nint)text)}";
        throw new DeviceException($"{operation}{(of is null ? "" : $" of {of}")}: {words}");
    }
}
