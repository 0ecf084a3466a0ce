using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>
/// Function pointers into the NVIDIA driver, or into a library with the same entry points such as the emulator. Only the driver is needed: no toolkit, no runtime library.
/// </summary>
internal sealed unsafe class CudaDriver
{
    /// <summary>The environment variable that names another driver library.</summary>
    public const string LibraryVariable = "VAE_CUDA_LIBRARY";

    private readonly nint library;
    private readonly delegate* unmanaged<uint, int> init;
    private readonly delegate* unmanaged<int, byte**, int> getErrorName, getErrorString;

    public readonly delegate* unmanaged<int*, int> DriverGetVersion, DeviceGetCount;
    public readonly delegate* unmanaged<int*, int, int> DeviceGet;
    public readonly delegate* unmanaged<byte*, int, int, int> DeviceGetName;
    public readonly delegate* unmanaged<nuint*, int, int> DeviceTotalMem;
    public readonly delegate* unmanaged<int*, int, int, int> DeviceGetAttribute;
    public readonly delegate* unmanaged<nint*, int, int> PrimaryContextRetain;
    public readonly delegate* unmanaged<int, int> PrimaryContextRelease;
    public readonly delegate* unmanaged<nint, int> ContextSetCurrent;
    public readonly delegate* unmanaged<nuint*, nuint*, int> MemGetInfo;
    public readonly delegate* unmanaged<ulong*, nuint, int> MemAlloc;
    public readonly delegate* unmanaged<ulong, int> MemFree;
    public readonly delegate* unmanaged<void**, nuint, int> MemAllocHost;
    public readonly delegate* unmanaged<void*, int> MemFreeHost;
    public readonly delegate* unmanaged<ulong, void*, nuint, nint, int> CopyToDevice;
    public readonly delegate* unmanaged<void*, ulong, nuint, nint, int> CopyToHost;
    public readonly delegate* unmanaged<ulong, uint, nuint, nint, int> MemsetD32;
    public readonly delegate* unmanaged<nint*, byte*, uint, int*, nint*, int> ModuleLoadData;
    public readonly delegate* unmanaged<nint, int> ModuleUnload;
    public readonly delegate* unmanaged<nint*, nint, byte*, int> ModuleGetFunction;
    public readonly delegate* unmanaged<nint, int, int, int> FunctionSetAttribute;
    public readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> LaunchKernel;
    public readonly delegate* unmanaged<LaunchConfiguration*, nint, void**, void**, int> LaunchKernelWithAttributes;
    public readonly delegate* unmanaged<TensorMap*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int, int> TensorMapEncodeTiled;
    public readonly delegate* unmanaged<nint*, uint, int> StreamCreate;
    public readonly delegate* unmanaged<nint, int> StreamSynchronize, StreamDestroy;
    public readonly delegate* unmanaged<nint, int, int> StreamBeginCapture;
    public readonly delegate* unmanaged<nint, nint*, int> StreamEndCapture;
    public readonly delegate* unmanaged<nint*, uint, int> GraphCreate;
    public readonly delegate* unmanaged<nint*, nint, nint*, nuint, KernelNode*, int> GraphAddKernelNode;
    public readonly delegate* unmanaged<nint*, nint, ulong, int> GraphInstantiate;
    public readonly delegate* unmanaged<nint, nint, int> GraphLaunch;
    public readonly delegate* unmanaged<nint, int> GraphExecDestroy, GraphDestroy;
    public readonly delegate* unmanaged<nint*, uint, int> EventCreate;
    public readonly delegate* unmanaged<nint, nint, int> EventRecord;
    public readonly delegate* unmanaged<nint, int> EventSynchronize, EventDestroy;
    public readonly delegate* unmanaged<float*, nint, nint, int> EventElapsedTime;

    private CudaDriver(nint library, string path)
    {
        this.library = library;
        LibraryPath = path;
        init = (delegate* unmanaged<uint, int>)Entry("cuInit");
        getErrorName = (delegate* unmanaged<int, byte**, int>)Entry("cuGetErrorName");
        getErrorString = (delegate* unmanaged<int, byte**, int>)Entry("cuGetErrorString");
        DriverGetVersion = (delegate* unmanaged<int*, int>)Entry("cuDriverGetVersion");
        DeviceGetCount = (delegate* unmanaged<int*, int>)Entry("cuDeviceGetCount");
        DeviceGet = (delegate* unmanaged<int*, int, int>)Entry("cuDeviceGet");
        DeviceGetName = (delegate* unmanaged<byte*, int, int, int>)Entry("cuDeviceGetName");
        DeviceTotalMem = (delegate* unmanaged<nuint*, int, int>)Entry("cuDeviceTotalMem_v2");
        DeviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Entry("cuDeviceGetAttribute");
        PrimaryContextRetain = (delegate* unmanaged<nint*, int, int>)Entry("cuDevicePrimaryCtxRetain");
        PrimaryContextRelease = (delegate* unmanaged<int, int>)Entry("cuDevicePrimaryCtxRelease_v2");
        ContextSetCurrent = (delegate* unmanaged<nint, int>)Entry("cuCtxSetCurrent");
        MemGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)Entry("cuMemGetInfo_v2");
        MemAlloc = (delegate* unmanaged<ulong*, nuint, int>)Entry("cuMemAlloc_v2");
        MemFree = (delegate* unmanaged<ulong, int>)Entry("cuMemFree_v2");
        MemAllocHost = (delegate* unmanaged<void**, nuint, int>)Entry("cuMemAllocHost_v2");
        MemFreeHost = (delegate* unmanaged<void*, int>)Entry("cuMemFreeHost");
        CopyToDevice = (delegate* unmanaged<ulong, void*, nuint, nint, int>)Entry("cuMemcpyHtoDAsync_v2");
        CopyToHost = (delegate* unmanaged<void*, ulong, nuint, nint, int>)Entry("cuMemcpyDtoHAsync_v2");
        MemsetD32 = (delegate* unmanaged<ulong, uint, nuint, nint, int>)Entry("cuMemsetD32Async");
        ModuleLoadData = (delegate* unmanaged<nint*, byte*, uint, int*, nint*, int>)Entry("cuModuleLoadDataEx");
        ModuleUnload = (delegate* unmanaged<nint, int>)Entry("cuModuleUnload");
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Entry("cuModuleGetFunction");
        FunctionSetAttribute = (delegate* unmanaged<nint, int, int, int>)Entry("cuFuncSetAttribute");
        LaunchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Entry("cuLaunchKernel");
        LaunchKernelWithAttributes = (delegate* unmanaged<LaunchConfiguration*, nint, void**, void**, int>)Entry("cuLaunchKernelEx");
        TensorMapEncodeTiled = (delegate* unmanaged<TensorMap*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int, int>)Entry("cuTensorMapEncodeTiled");
        StreamCreate = (delegate* unmanaged<nint*, uint, int>)Entry("cuStreamCreate");
        StreamSynchronize = (delegate* unmanaged<nint, int>)Entry("cuStreamSynchronize");
        StreamDestroy = (delegate* unmanaged<nint, int>)Entry("cuStreamDestroy_v2");
        StreamBeginCapture = (delegate* unmanaged<nint, int, int>)Entry("cuStreamBeginCapture_v2");
        StreamEndCapture = (delegate* unmanaged<nint, nint*, int>)Entry("cuStreamEndCapture");
        GraphCreate = (delegate* unmanaged<nint*, uint, int>)Entry("cuGraphCreate");
        GraphAddKernelNode = (delegate* unmanaged<nint*, nint, nint*, nuint, KernelNode*, int>)Entry("cuGraphAddKernelNode");
        GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, int>)Entry("cuGraphInstantiateWithFlags");
        GraphLaunch = (delegate* unmanaged<nint, nint, int>)Entry("cuGraphLaunch");
        GraphExecDestroy = (delegate* unmanaged<nint, int>)Entry("cuGraphExecDestroy");
        GraphDestroy = (delegate* unmanaged<nint, int>)Entry("cuGraphDestroy");
        EventCreate = (delegate* unmanaged<nint*, uint, int>)Entry("cuEventCreate");
        EventRecord = (delegate* unmanaged<nint, nint, int>)Entry("cuEventRecord");
        EventSynchronize = (delegate* unmanaged<nint, int>)Entry("cuEventSynchronize");
        EventDestroy = (delegate* unmanaged<nint, int>)Entry("cuEventDestroy_v2");
        EventElapsedTime = (delegate* unmanaged<float*, nint, nint, int>)Entry("cuEventElapsedTime");
    }

    public string LibraryPath { get; }

    /// <summary>Loads and initialises the driver: the given library, the one that VAE_CUDA_LIBRARY names, or NVIDIA's.</summary>
    /// <exception cref="DeviceException">There is none, it is too old, or it finds no usable GPU.</exception>
    public static CudaDriver Load(string? named)
    {
        named ??= Environment.GetEnvironmentVariable(LibraryVariable);
        string[] candidates = !string.IsNullOrEmpty(named) ? [named]
            : OperatingSystem.IsWindows() ? ["nvcuda.dll"]
            : ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1"];
        foreach (string path in candidates)
            if (NativeLibrary.TryLoad(path, out nint handle))
            {
                var driver = new CudaDriver(handle, path);
                int result = driver.init(0);
                return result == 0 ? driver : throw new DeviceException($"the NVIDIA driver ({path}) does not start: {driver.Describe(result)}; use --device cpu");
            }
        throw new DeviceException($"no NVIDIA driver ({candidates[0]}); use --device cpu");
    }

    /// <summary>The driver's name, number and sentence for an error.</summary>
    public string Describe(int result)
    {
        byte* name = null, text = null;
        getErrorName(result, &name);
        getErrorString(result, &text);
        return $"{Marshal.PtrToStringUTF8((nint)name) ?? "unknown error"} ({result}): {Marshal.PtrToStringUTF8((nint)text)}";
    }

    /// <exception cref="DeviceException"><paramref name="result"/> is an error.</exception>
    public void Check(int result, string operation)
    {
        if (result != 0)
            throw new DeviceException($"{operation}: {Describe(result)}");
    }

    private nint Entry(string name) => NativeLibrary.TryGetExport(library, name, out nint address) ? address
        : throw new DeviceException($"the NVIDIA driver ({LibraryPath}) has no {name}: it is too old, CUDA 12 or newer is needed; use --device cpu");
}

/// <summary>The driver's CUlaunchConfig.</summary>
internal unsafe struct LaunchConfiguration
{
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
    public nint Stream;
    public LaunchAttribute* Attributes;
    public uint Count;
}

/// <summary>The driver's CUDA_KERNEL_NODE_PARAMS_v1, which cuGraphAddKernelNode takes: 56 bytes.</summary>
internal unsafe struct KernelNode
{
    public nint Function;
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
    public void** Parameters, Extra;
}

/// <summary>The driver's CUlaunchAttribute, of the kinds whose value is one int.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    /// <summary>The kernel waits by itself for the one before it, which it may overlap.</summary>
    public const int ProgrammaticStreamSerialization = 6;

    [FieldOffset(0)]
    public int Id;
    [FieldOffset(8)]
    public int Value;
}

/// <summary>The driver's CUtensorMap, opaque: a matrix in memory and the box of it that one copy of the copy engine brings.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct TensorMap
{
    public const int Bytes = 128, Alignment = 64;

    /// <summary>Of CUtensorMapDataType, CUtensorMapSwizzle, CUtensorMapL2promotion; and of CUtensorMapInterleave and CUtensorMapFloatOOBfill, where what lies outside is zeros.</summary>
    public const int Bf16 = 9, Swizzle128Bytes = 3, Promote128Bytes = 2, None = 0;
}
