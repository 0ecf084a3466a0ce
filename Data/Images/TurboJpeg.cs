using System.Runtime.InteropServices;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Images;

/// <summary>Decodes JPEG pictures with the system's libturbojpeg. One object serves one thread.</summary>
internal sealed unsafe class TurboJpeg : IDisposable
{
    /// <summary>
    /// No JPEG packs more pixels than this into a byte, so a larger promise is a lie and is refused before memory is taken.
    /// </summary>
    private const long MostPixelsPerByte = 1024;
    private const int StopOnWarning = 8192, LimitScans = 32768;
    private const int Rgb = 0, Grey = 6;
    private const int GreyColourSpace = 2, CmykColourSpace = 3;

    private static readonly string[] LibraryNames = OperatingSystem.IsWindows() ? ["turbojpeg", "libturbojpeg"]
        : OperatingSystem.IsMacOS() ? ["libturbojpeg.dylib", "/opt/homebrew/lib/libturbojpeg.dylib", "/usr/local/lib/libturbojpeg.dylib"]
        : ["libturbojpeg.so.0", "libturbojpeg.so"];

    private static readonly Lazy<Functions?> Library = new(Functions.Load);

    private readonly Functions functions;
    private nint handle;
    private byte[] pixels = [];

    /// <exception cref="DataException">The library is not installed.</exception>
    public TurboJpeg()
    {
        functions = Library.Value
            ?? throw new DataException("JPEG pictures are decoded by libturbojpeg, which is not on this system; expected one of "
            + $"{string.Join(", ", LibraryNames)}; install it (Debian, Ubuntu: libturbojpeg0; Fedora: turbojpeg; macOS: jpeg-turbo) or "
                + $"convert the pictures to PNG");
        handle = MakeDecoder();
    }

    /// <summary>Whether the library is there.</summary>
    public static bool IsInstalled => Library.Value is not null;

    /// <summary>
    /// Whether a picture's colours are cyan, magenta, yellow and black, which the library does not turn into red, green and blue.
    /// </summary>
    /// <exception cref="DataException">The picture's header is damaged.</exception>
    public bool IsCmyk(ReadOnlySpan<byte> jpeg, string file)
    {
        fixed (byte* bytes = jpeg)
        {
            int width, height, subsampling, colourSpace;
            return functions.DecompressHeader(handle, bytes, Length(jpeg), &width, &height, &subsampling, &colourSpace) == 0
                ? colourSpace >= CmykColourSpace : throw Damaged(file);
        }
    }

    /// <summary>Decodes a picture.</summary>
    /// <param name="jpeg">The file's bytes.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="mostPixels">A picture that promises more is refused.</param>
    /// <param name="forceColour">Whether grey pictures are given three channels too.</param>
    /// <returns>Its pixels, [Height, Width, Channels], which the next call overwrites; grey pictures have one channel.</returns>
    /// <exception cref="DataException">The picture is damaged, cut short or too large.</exception>
    public Picture Decode(ReadOnlySpan<byte> jpeg, string file, long mostPixels, bool forceColour = false)
    {
        fixed (byte* bytes = jpeg)
        {
            int width, height, subsampling, colourSpace;
            if (functions.DecompressHeader(handle, bytes, Length(jpeg), &width, &height, &subsampling, &colourSpace) != 0)
                throw Damaged(file);
            long promised = (long)width * height;
            if (width < 1 || height < 1 || promised > mostPixels || promised / MostPixelsPerByte > jpeg.Length)
                throw DataException.In(file, $"a header that promises {width} x {height} pixels in {jpeg.Length} bytes",
                    $"at most {mostPixels} pixels", "leave this picture out");
            int channels = colourSpace == GreyColourSpace && !forceColour ? 1 : 3;
            int size = checked((int)promised * channels);
            if (pixels.Length < size)
                pixels = GC.AllocateUninitializedArray<byte>(size);
            fixed (byte* to = pixels)
                if (functions.Decompress(handle, bytes, Length(jpeg), to, width, width * channels, height, channels == 1 ? Grey : Rgb,
                StopOnWarning | LimitScans) != 0)
                    throw Damaged(file);
            return new(width, height, channels, pixels.AsMemory(0, size));
        }
    }

    public void Dispose()
    {
        if (handle != 0)
            functions.Destroy(handle);
        handle = 0;
    }

    private static CULong Length(ReadOnlySpan<byte> bytes) => new((nuint)bytes.Length);

    private nint MakeDecoder() =>
        functions.InitDecompress() is var made and not 0 ? made
            : throw new DataException("libturbojpeg: no decoder could be made; expected one; close other programs to free memory");

    private DataException Damaged(string file)
    {
        string? reason = Marshal.PtrToStringUTF8((nint)functions.ErrorText(handle));
        // A decoder that failed keeps parts of the damaged file and may refuse the next, good one.
        functions.Destroy(handle);
        handle = 0;
        handle = MakeDecoder();
        return DataException.In(file, $"a picture that libturbojpeg refuses ({reason})", "an undamaged JPEG");
    }

    private sealed class Functions
    {
        public required delegate* unmanaged<nint> InitDecompress { get; init; }
        public required delegate* unmanaged<nint, byte*, CULong, int*, int*, int*, int*, int> DecompressHeader { get; init; }
        public required delegate* unmanaged<nint, byte*, CULong, byte*, int, int, int, int, int, int> Decompress { get; init; }
        public required delegate* unmanaged<nint, byte*> ErrorText { get; init; }
        public required delegate* unmanaged<nint, int> Destroy { get; init; }

        public static Functions? Load()
        {
            foreach (string name in LibraryNames)
                if (NativeLibrary.TryLoad(name, out nint library))
                    return new()
                    {
                        InitDecompress = (delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "tjInitDecompress"),
                        DecompressHeader = (delegate* unmanaged<nint, byte*, CULong, int*, int*, int*, int*,
                            int>)NativeLibrary.GetExport(library, "tjDecompressHeader3"),
                        Decompress = (delegate* unmanaged<nint, byte*, CULong, byte*, int, int, int, int, int,
                            int>)NativeLibrary.GetExport(library, "tjDecompress2"),
                        ErrorText = (delegate* unmanaged<nint, byte*>)NativeLibrary.GetExport(library, "tjGetErrorStr2"),
                        Destroy = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "tjDestroy"),
                    };
            return null;
        }
    }
}
