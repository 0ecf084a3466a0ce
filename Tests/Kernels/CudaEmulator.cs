using System.Runtime.InteropServices;
using NUnit.Framework;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Kernels.Gpu.Cuda;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>
/// The library that stands in for the NVIDIA driver, and its knobs. Tests are skipped, by name, where it has not been built.
/// </summary>
internal static unsafe class CudaEmulator
{
    public const int Forward = 0, Reverse = 1, Random = 2;
    private const int NonBlocking = 1;
    private const long Memory = 4L << 30;

    public static readonly string Path = System.IO.Path.Combine(Find(), "emulator", "build", "libvaecuda.so");
    private static nint context;

    /// <summary>Makes the emulator the driver of this process, set to its defaults, with a context that is current.</summary>
    public static void Open(int computeCapability = 90)
    {
        Environment.SetEnvironmentVariable(DriverLibrary.CudaVariable, Path);
        Environment.SetEnvironmentVariable(DriverLibrary.NcclVariable, Path);
        try
        {
            Configure(computeCapability: computeCapability);
            CudaDriver.Check(CudaDriver.cuInit(0));
            DriverLibrary.RequireNccl();
        }
        finally
        {
            // Other tests ask which devices this machine has.
            Environment.SetEnvironmentVariable(DriverLibrary.CudaVariable, null);
            Environment.SetEnvironmentVariable(DriverLibrary.NcclVariable, null);
        }
        FailIn(null);
        FailNccl(null);
        if (context == 0)
            fixed (nint* made = &context)
                CudaDriver.Check(((delegate* unmanaged<nint*, uint, int, int>)Entry("cuCtxCreate_v2"))(made, 0, 0));
        Bind();
    }

    /// <summary>Makes the context current on the calling thread.</summary>
    public static void Bind() => SetCurrent(context);

    /// <summary>Leaves the calling thread without a context.</summary>
    public static void Unbind() => SetCurrent(0);

    /// <summary>A stream that can be captured.</summary>
    public static nint CreateStream()
    {
        nint stream;
        CudaDriver.Check(((delegate* unmanaged<nint*, uint, int>)Entry("cuStreamCreate"))(&stream, NonBlocking));
        return stream;
    }

    /// <param name="order">Of the threads of a block, and of blocks.</param>
    /// <param name="threads">OS threads that blocks are spread over; 0 for one per processor.</param>
    public static void Configure(int order = Forward, int threads = 0, int computeCapability = 90) =>
        ((delegate* unmanaged<int, int, uint, int, ulong, int>)Entry("vaeEmulatorConfigure"))(order, threads, 1, computeCapability, Memory);

    /// <summary>Makes the named kernel fail when it runs; null heals the device.</summary>
    public static void FailIn(string? kernel) => Tell("vaeEmulatorFail", kernel);

    /// <summary>Makes a call of the stand-in for NCCL fail; for ncclCommGetAsyncError, what it finds. Null heals it.</summary>
    public static void FailNccl(string? call, int error = 0)
    {
        nint words = Marshal.StringToCoTaskMemUTF8(call);
        ((delegate* unmanaged<nint, int, int>)Entry("vaeEmulatorFailNccl"))(words, error);
        Marshal.FreeCoTaskMem(words);
    }

    /// <summary>The calls that <paramref name="what"/> makes to the driver, one a line.</summary>
    public static string[] Record(Action what)
    {
        string file = System.IO.Path.GetTempFileName();
        try
        {
            Tell("vaeEmulatorRecord", file);
            what();
            Tell("vaeEmulatorRecord", null);
            return File.ReadAllLines(file);
        }
        finally
        {
            Tell("vaeEmulatorRecord", null);
            File.Delete(file);
        }
    }

    private static void Tell(string entry, string? text)
    {
        nint words = Marshal.StringToCoTaskMemUTF8(text);
        ((delegate* unmanaged<nint, int>)Entry(entry))(words);
        Marshal.FreeCoTaskMem(words);
    }

    private static void SetCurrent(nint to) => CudaDriver.Check(((delegate* unmanaged<nint, int>)Entry("cuCtxSetCurrent"))(to));

    private static nint Entry(string name)
    {
        if (!File.Exists(Path))
            Assert.Ignore("the CUDA emulator is not built; run Kernels/Gpu/TensorCores/build-emulator.sh");
        return NativeLibrary.GetExport(NativeLibrary.Load(Path), name);
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "VaeFromScratch.sln")))
                return System.IO.Path.Combine(folder.FullName, "Kernels", "Gpu", "TensorCores");
        return "";
    }
}
