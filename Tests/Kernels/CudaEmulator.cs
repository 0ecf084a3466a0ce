using System.Runtime.InteropServices;
using NUnit.Framework;
using VaeFromScratch.Kernels.Cuda;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The library that stands in for the NVIDIA driver, and its knobs. Tests are skipped, by name, where it has not been built.</summary>
internal static unsafe class CudaEmulator
{
    private const int Forward = 0, Hopper = 90;
    private const long Memory = 4L << 30;

    private static readonly string Folder = Find();

    public static readonly string Path = System.IO.Path.Combine(Folder, "emulator", "build", "libvaecuda.so");

    /// <summary>The library that stands in for NVRTC.</summary>
    public static readonly string Compiler = System.IO.Path.Combine(Folder, "emulator", "build", "libvaenvrtc.so");

    /// <summary>The kernels' sources.</summary>
    public static readonly string Sources = System.IO.Path.Combine(Folder, "src");

    /// <summary>A backend on the emulator, set to its defaults.</summary>
    public static CudaBackend Open(Precision precision = Precision.Fp32, int computeCapability = Hopper, int ordinal = 0, TileTable? tiles = null)
    {
        Configure(computeCapability: computeCapability);
        return new(ordinal, precision, Path, tiles);
    }

    /// <summary>A backend on the emulator whose launches overlap where they can: the emulator then wants every thread of every kernel to wait for the kernels before it.</summary>
    public static CudaBackend OpenOverlapping(Precision precision = Precision.Fp32, int computeCapability = Hopper) =>
        With("VAE_CUDA_OVERLAP", () => Open(precision, computeCapability));

    /// <summary>A backend on the emulator whose captured steps have branches.</summary>
    public static CudaBackend OpenBranched(Precision precision = Precision.Fp32, int computeCapability = Hopper, TileTable? tiles = null) =>
        With("VAE_CUDA_BRANCHES", () => Open(precision, computeCapability, tiles: tiles));

    /// <summary>What <paramref name="make"/> makes while the environment variable is 1.</summary>
    public static T With<T>(string variable, Func<T> make)
    {
        Environment.SetEnvironmentVariable(variable, "1");
        try
        {
            return make();
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, null);
        }
    }

    /// <param name="order">Of the threads of a block, and of the nodes of a graph as far as its edges leave it open: 0 forward, 1 reverse, 2 random.</param>
    /// <param name="threads">OS threads that blocks are spread over; 0 for one per processor.</param>
    public static void Configure(int order = Forward, int threads = 0, int computeCapability = Hopper, long memory = Memory) =>
        ((delegate* unmanaged<int, int, uint, int, ulong, int>)Entry("vaeEmulatorConfigure"))(order, threads, 1, computeCapability, (ulong)memory);

    /// <summary>Makes the named kernel fail when it runs; null heals the device.</summary>
    public static void FailIn(string? kernel)
    {
        nint name = Marshal.StringToCoTaskMemUTF8(kernel);
        ((delegate* unmanaged<nint, int>)Entry("vaeEmulatorFail"))(name);
        Marshal.FreeCoTaskMem(name);
    }

    private static nint Entry(string name)
    {
        if (!File.Exists(Path))
            Assert.Ignore("the kernel emulator is not built; run Kernels/Cuda/build-emulator.sh");
        return NativeLibrary.GetExport(NativeLibrary.Load(Path), name);
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "VaeFromScratch.sln")))
                return System.IO.Path.Combine(folder.FullName, "Kernels", "Cuda");
        return "";
    }
}
