using System.Reflection;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>A driver's library, as it answers without ILGPU.</summary>
/// <param name="Kind">cuda or opencl.</param>
/// <param name="Library">The library that was loaded; null where none is installed.</param>
/// <param name="Devices">How many devices it sees, a CPU's OpenCL among them.</param>
/// <param name="Gpus">How many of them are GPUs.</param>
/// <param name="Failure">What it fails at, though it is installed; null where it works.</param>
internal sealed record DriverState(string Kind, string? Library, int Devices, int Gpus, string? Failure);

/// <summary>
/// The drivers' own libraries: found, and asked for devices, without loading anything of ILGPU, whose own search keeps silent about
/// failures.
/// </summary>
internal static unsafe class DriverLibrary
{
    private const ulong OpenClGpu = 4, OpenClAll = 0xffffffff;
    private const int CudaNoDevice = 100, OpenClNoDevice = -1, OpenClNoPlatform = -1001, MostPlatforms = 16;

    /// <summary>The environment variables that name other libraries with a driver's entry points.</summary>
    public const string CudaVariable = "VAE_CUDA_LIBRARY", OpenClVariable = "VAE_OPENCL_LIBRARY", NcclVariable = "VAE_NCCL_LIBRARY";

    private static readonly string[] Cuda = ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "nvcuda.dll"],
        OpenCl = ["libOpenCL.so.1", "OpenCL.dll"], Nccl = ["libnccl.so.2"];
    private static readonly Lazy<DriverState> CudaState = new(AskCuda), OpenClState = new(AskOpenCl);
    private static readonly Dictionary<string, (nint Library, string Name)> Loaded = [];
    private static readonly HashSet<Assembly> Resolved = [];

    /// <summary>
    /// Makes an assembly that imports a driver, ours or ILGPU's, find the library that this class loads: the first found serves the
    /// process.
    /// </summary>
    public static void ResolveFor(Assembly assembly)
    {
        lock (Resolved)
            if (Resolved.Add(assembly))
                NativeLibrary.SetDllImportResolver(assembly, (name, _, _) => name switch
                {
                    "cuda" or "nvcuda" => Load(CudaVariable, Cuda).Library,
                    "OpenCL" => Load(OpenClVariable, OpenCl).Library,
                    "nccl" => Load(NcclVariable, Nccl).Library,
                    _ => 0,
                });
    }

    /// <returns>0 where no library is installed.</returns>
    /// <exception cref="DeviceException">The variable names a library that cannot be loaded.</exception>
    private static (nint Library, string? Name) Load(string variable, string[] candidates)
    {
        lock (Loaded)
        {
            if (Loaded.TryGetValue(variable, out var known))
                return known;
            string? named = Environment.GetEnvironmentVariable(variable);
            foreach (string candidate in string.IsNullOrEmpty(named) ? candidates : [named])
                if (NativeLibrary.TryLoad(candidate, out nint library))
                    return Loaded[variable] = (library, candidate);
            return string.IsNullOrEmpty(named) ? (0, null)
                : throw new DeviceException(
                $"{variable} names {named}, which is no library that can be loaded here; correct the variable, or unset it for "
                + $"{candidates[0]}");
        }
    }

    /// <param name="kind">cuda or opencl; each driver is asked once a process.</param>
    /// <exception cref="DeviceException">A variable names a library that cannot be loaded.</exception>
    public static DriverState Ask(string kind) => (kind == "cuda" ? CudaState : OpenClState).Value;

    /// <exception cref="DeviceException">The driver is not there, fails or has no device.</exception>
    public static void Require(string kind)
    {
        var (_, library, devices, _, failure) = Ask(kind);
        if (devices > 0)
            return;
        var (title, driver, file, variable) = kind == "cuda"
            ? ("CUDA", "NVIDIA's driver", "libcuda.so.1 or nvcuda.dll", CudaVariable)
            : ("OpenCL", "an OpenCL loader", "libOpenCL.so.1 or OpenCL.dll", OpenClVariable);
        throw new DeviceException($"no {title} device: "
            + (library is null ? $"{driver} ({file}) is not installed; use --device cpu, or name the library in {variable}"
            : failure is not null ? $"{library} is installed, but {failure}; use --device cpu, or repair the driver"
            : $"{library} is installed, but it sees no device; use --device cpu"));
    }

    /// <summary>NVIDIA's library for exchanges between GPUs is one that <see cref="Cuda.Nccl"/> knows.</summary>
    /// <exception cref="DeviceException">It is not there, is another library or too old.</exception>
    public static void RequireNccl()
    {
        const int oldest = 21300;
        const string advice = "on Debian and Ubuntu with NVIDIA's package source: apt-get install libnccl2, elsewhere NCCL 2.13 or newer; "
            + "or --distributed mpi";
        var (library, name) = Load(NcclVariable, Nccl);
        if (name is null)
            throw new DeviceException($"--distributed nccl: it needs NVIDIA's {Nccl[0]}, and there is no such library; {advice}");
        if (!NativeLibrary.TryGetExport(library, "ncclGetVersion", out nint getVersion))
            throw new DeviceException($"--distributed nccl: {name} is not NCCL, as it has no ncclGetVersion; {advice}");
        int version = 0;
        if (((delegate* unmanaged<int*, int>)getVersion)(&version) != 0 || version < oldest)
            throw new DeviceException($"--distributed nccl: {name} is of version {version}, expected at least {oldest}; {advice}");
    }

    private static DriverState AskCuda()
    {
        var (library, name) = Load(CudaVariable, Cuda);
        if (name is null)
            return new("cuda", null, 0, 0, null);
        if (!NativeLibrary.TryGetExport(library, "cuInit", out nint init)
            || !NativeLibrary.TryGetExport(library, "cuDeviceGetCount", out nint getCount))
            return new("cuda", name, 0, 0, "it is not NVIDIA's driver: cuInit or cuDeviceGetCount is missing");
        int count = 0, error = ((delegate* unmanaged<uint, int>)init)(0);
        string call = "cuInit";
        if (error == 0)
            (call, error) = ("cuDeviceGetCount", ((delegate* unmanaged<int*, int>)getCount)(&count));
        return error is 0 or CudaNoDevice ? new("cuda", name, count, count, null)
            : new("cuda", name, 0, 0, $"{call} fails with error {error}");
    }

    private static DriverState AskOpenCl()
    {
        var (library, name) = Load(OpenClVariable, OpenCl);
        if (name is null)
            return new("opencl", null, 0, 0, null);
        if (!NativeLibrary.TryGetExport(library, "clGetPlatformIDs", out nint getPlatforms)
            || !NativeLibrary.TryGetExport(library, "clGetDeviceIDs", out nint getDevices))
            return new("opencl", name, 0, 0, "it is no OpenCL loader: clGetPlatformIDs or clGetDeviceIDs is missing");
        nint* platforms = stackalloc nint[MostPlatforms];
        uint count = 0;
        int error = ((delegate* unmanaged<uint, nint*, uint*, int>)getPlatforms)(MostPlatforms, platforms, &count);
        string? failure = error is 0 or OpenClNoPlatform ? null : $"clGetPlatformIDs fails with error {error}";
        uint all = 0, gpus = 0;
        for (uint i = 0; error == 0 && i < Math.Min(count, MostPlatforms); i++)
        {
            uint found = 0;
            int answer = Count(platforms[i], OpenClAll, &found);
            all += found;
            if (answer is not (0 or OpenClNoDevice))
                failure = $"clGetDeviceIDs fails with error {answer} on platform {i}";
            else if (Count(platforms[i], OpenClGpu, &found) == 0)
                gpus += found;
        }
        return new("opencl", name, (int)all, (int)gpus, failure);

        int Count(nint platform, ulong type, uint* found)
        {
            *found = 0;
            return ((delegate* unmanaged<nint, ulong, uint, nint*, uint*, int>)getDevices)(platform, type, 0, null, found);
        }
    }
}
