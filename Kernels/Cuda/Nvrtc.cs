using System.Runtime.InteropServices;
using System.Text;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>
/// Compiles edited kernel sources at run time, for people who profile: <c>VAE_KERNELS=Kernels/Cuda/src</c>. Needs NVIDIA's libnvrtc, which nothing else here does;
/// <c>VAE_NVRTC_LIBRARY</c> names it where it is not in one of the usual places.
/// </summary>
internal static unsafe class Nvrtc
{
    public const string FolderVariable = "VAE_KERNELS", LibraryVariable = "VAE_NVRTC_LIBRARY";

    private static readonly string[] Usual = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so"];

    /// <summary>PTX of FILE.cu in <paramref name="folder"/>, whose *.cuh files it may include.</summary>
    /// <exception cref="DeviceException">No libnvrtc, no such file, or it does not compile; the compiler's log is in the message.</exception>
    public static byte[] Compile(string folder, string file, (int Major, int Minor) capability)
    {
        string path = Path.Combine(folder, file + ".cu");
        if (!File.Exists(path))
            throw new DeviceException($"{FolderVariable}={folder}: there is no {file}.cu; point it at the repository's Kernels/Cuda/src");
        string? named = Environment.GetEnvironmentVariable(LibraryVariable);
        string[] candidates = string.IsNullOrEmpty(named) ? Usual : [named];
        nint library = 0;
        if (!Array.Exists(candidates, name => NativeLibrary.TryLoad(name, out library)))
            throw new DeviceException($"{FolderVariable} is set but NVRTC is not installed ({candidates[0]}); install it, name its library in {LibraryVariable}, or unset {FolderVariable} to use the built-in kernels");

        var create = (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)NativeLibrary.GetExport(library, "nvrtcCreateProgram");
        var compile = (delegate* unmanaged<nint, int, byte**, int>)NativeLibrary.GetExport(library, "nvrtcCompileProgram");
        var destroy = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "nvrtcDestroyProgram");

        string[] headers = Directory.GetFiles(folder, "*.cuh");
        // Contraction is off so that the bits are those of the built-in kernels.
        string[] options = [$"--gpu-architecture=compute_{capability.Major}{capability.Minor}{(capability is (9, 0) ? "a" : "")}", "--fmad=false", "--std=c++17", "-default-device", "-lineinfo"];
        var texts = new List<nint>();
        try
        {
            byte** names = stackalloc byte*[headers.Length];
            byte** contents = stackalloc byte*[headers.Length];
            for (int i = 0; i < headers.Length; i++)
            {
                names[i] = Text(Path.GetFileName(headers[i]));
                contents[i] = Text(File.ReadAllText(headers[i]));
            }
            byte** optionTexts = stackalloc byte*[options.Length];
            for (int i = 0; i < options.Length; i++)
                optionTexts[i] = Text(options[i]);
            nint program;
            if (create(&program, Text(File.ReadAllText(path)), Text(path), headers.Length, contents, names) != 0)
                throw new DeviceException($"NVRTC cannot read {path}");
            try
            {
                if (compile(program, options.Length, optionTexts) != 0)
                    throw new DeviceException($"{path} does not compile:\n{Encoding.UTF8.GetString(Read(library, program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog")).TrimEnd('\0')}");
                return Read(library, program, "nvrtcGetPTXSize", "nvrtcGetPTX");
            }
            finally
            {
                destroy(&program);
            }
        }
        finally
        {
            foreach (nint text in texts)
                Marshal.FreeCoTaskMem(text);
        }

        byte* Text(string text)
        {
            texts.Add(Marshal.StringToCoTaskMemUTF8(text));
            return (byte*)texts[^1];
        }
    }

    private static byte[] Read(nint library, nint program, string sizeEntry, string textEntry)
    {
        nuint size;
        ((delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(library, sizeEntry))(program, &size);
        byte[] text = new byte[size];
        fixed (byte* start = text)
            ((delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(library, textEntry))(program, start);
        return text;
    }
}
