using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>One GPU: what it is, and the driver's context on it.</summary>
internal sealed unsafe class CudaContext : IDisposable
{
    /// <summary>The architecture whose kernels may use what only compute capability 9.0 has.</summary>
    public const string Hopper = "sm_90a";

    private const int MultiprocessorCount = 16, ComputeMajor = 75, ComputeMinor = 76;

    [ThreadStatic]
    private static nint currentOnThisThread;

    private readonly int device;
    private readonly nint handle;

    /// <exception cref="DeviceException">There is no such GPU, or it is too old.</exception>
    public CudaContext(CudaDriver driver, int ordinal)
    {
        Driver = driver;
        Ordinal = ordinal;
        int value;
        driver.Check(driver.DeviceGetCount(&value), "counting GPUs");
        if (value == 0)
            throw new DeviceException("the NVIDIA driver finds no GPU; use --device cpu");
        if ((uint)ordinal >= (uint)value)
            throw new DeviceException($"cuda:{ordinal}: there {(value == 1 ? "is one GPU, cuda:0" : $"are {value} GPUs, cuda:0 to cuda:{value - 1}")}");
        driver.Check(driver.DeviceGet(&value, ordinal), $"opening cuda:{ordinal}");
        device = value;
        byte* name = stackalloc byte[256];
        driver.Check(driver.DeviceGetName(name, 256, device), "reading a GPU's name");
        DeviceName = Marshal.PtrToStringUTF8((nint)name) ?? "unknown";
        ComputeCapability = (Attribute(ComputeMajor), Attribute(ComputeMinor));
        Multiprocessors = Attribute(MultiprocessorCount);
        if (ComputeCapability.CompareTo((7, 5)) < 0)
            throw new DeviceException($"cuda:{ordinal}: {DeviceName} has compute capability {ComputeCapability.Major}.{ComputeCapability.Minor}, 7.5 or newer is needed; use --device cpu");
        nint context;
        driver.Check(driver.PrimaryContextRetain(&context, device), $"opening cuda:{ordinal}");
        handle = context;
        MakeCurrent();
    }

    public CudaDriver Driver { get; }

    public int Ordinal { get; }

    public string DeviceName { get; }

    public (int Major, int Minor) ComputeCapability { get; }

    /// <summary>Such as 9.0.</summary>
    public string ComputeCapabilityName => $"{ComputeCapability.Major}.{ComputeCapability.Minor}";

    public int Multiprocessors { get; }

    /// <summary>The folder under ptx/ that serves this GPU: sm_90a only runs on 9.0 itself, sm_80 also on everything newer.</summary>
    public string Architecture => ComputeCapability is (9, 0) ? Hopper : ComputeCapability.Major >= 8 ? "sm_80" : "sm_75";

    /// <summary>Free and total bytes of device memory.</summary>
    public (long Free, long Total) Memory
    {
        get
        {
            MakeCurrent();
            nuint free, total;
            Driver.Check(Driver.MemGetInfo(&free, &total), "asking for free device memory");
            return ((long)free, (long)total);
        }
    }

    /// <summary>Version of CUDA that the driver speaks, such as 12.8.</summary>
    public string DriverVersion
    {
        get
        {
            int version;
            Driver.Check(Driver.DriverGetVersion(&version), "asking for the driver's version");
            return $"{version / 1000}.{version % 1000 / 10}";
        }
    }

    /// <summary>The driver's context is a property of the operating system's thread: to be called before any other call on it.</summary>
    public void MakeCurrent()
    {
        if (currentOnThisThread == handle)
            return;
        Driver.Check(Driver.ContextSetCurrent(handle), $"using cuda:{Ordinal}");
        currentOnThisThread = handle;
    }

    public int Attribute(int attribute)
    {
        int value;
        Driver.Check(Driver.DeviceGetAttribute(&value, attribute, device), "reading a GPU's attribute");
        return value;
    }

    public void Dispose()
    {
        Driver.PrimaryContextRelease(device);
        currentOnThisThread = 0;
    }
}
