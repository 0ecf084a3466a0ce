using System.Reflection;
using System.Text;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>One kernel file, translated by the driver for the GPU at hand.</summary>
internal sealed unsafe class CudaModule : IDisposable
{
    private const int LogBytes = 16384;
    private const int InfoLogBuffer = 3, InfoLogBytes = 4, ErrorLogBuffer = 5, ErrorLogBytes = 6;

    private readonly CudaDriver driver;
    private readonly nint handle;
    private readonly string file;

    private CudaModule(CudaDriver driver, string file, byte[] ptx)
    {
        this.driver = driver;
        this.file = file;
        byte[] image = new byte[ptx.Length + 1], info = new byte[LogBytes], error = new byte[LogBytes];
        ptx.CopyTo(image, 0);
        fixed (byte* imageStart = image, infoStart = info, errorStart = error)
        {
            // Numbers are passed in the pointer itself.
            int* options = stackalloc int[] { InfoLogBuffer, InfoLogBytes, ErrorLogBuffer, ErrorLogBytes };
            nint* values = stackalloc nint[] { (nint)infoStart, LogBytes, (nint)errorStart, LogBytes };
            nint module;
            int result = driver.ModuleLoadData(&module, imageStart, 4, options, values);
            if (result != 0)
                throw new DeviceException($"the driver does not accept the kernels of {file}: {driver.Describe(result)}\n{Text(error)}");
            handle = module;
        }
    }

    /// <summary>Loads a kernel file: the embedded PTX for this GPU or, where VAE_KERNELS names a folder with its source, that source through NVRTC.</summary>
    public static CudaModule Load(CudaContext context, string file)
    {
        string? folder = Environment.GetEnvironmentVariable(Nvrtc.FolderVariable);
        byte[] ptx = string.IsNullOrEmpty(folder) ? Embedded(file, context.Architecture) : Nvrtc.Compile(folder, file, context.ComputeCapability);
        return new(context.Driver, file, ptx);
    }

    public nint Function(string name)
    {
        nint function;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0"))
        {
            int result = driver.ModuleGetFunction(&function, handle, text);
            if (result != 0)
                throw new DeviceException($"{file}.cu has no kernel {name}: {driver.Describe(result)}");
        }
        return function;
    }

    public void Dispose() => driver.ModuleUnload(handle);

    private static byte[] Embedded(string file, string architecture)
    {
        string name = $"ptx/{architecture}/{file}.ptx";
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new DeviceException($"the kernels {name} are not part of this build; run Kernels/Cuda/build-ptx.sh and build again");
        byte[] ptx = new byte[stream.Length];
        stream.ReadExactly(ptx);
        return ptx;
    }

    private static string Text(byte[] log) => Encoding.UTF8.GetString(log, 0, Math.Max(0, Array.IndexOf(log, (byte)0))).Trim();
}
