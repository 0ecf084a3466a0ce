using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace VaeFromScratch.Engine.IO;

/// <summary>Pipes, devices and sockets: what is written to them goes to whoever reads, so that nothing may be renamed over them.</summary>
internal static class SpecialFile
{
    // The layout of struct statx and its constants are the same on every architecture of Linux.
    private const int CurrentFolder = -100, ModeOffset = 28, SizeOfStatx = 256;
    private const uint WantType = 1;
    private const int TypeMask = 0xF000, Pipe = 0x1000, CharacterDevice = 0x2000, BlockDevice = 0x6000, Socket = 0xC000;

    /// <summary>
    /// Whether there is something at <paramref name="path"/>, links followed, that is neither a regular file nor a folder.
    /// </summary>
    public static bool IsAt(string path)
    {
        if (OperatingSystem.IsWindows())
            return Path.GetFullPath(path).StartsWith(@"\\.\", StringComparison.Ordinal);
        // Names of open streams: what they refer to may be a file, but one that somebody else has open.
        if (Path.GetFullPath(path) is var full && (full is "/dev/stderr" || full.StartsWith("/dev/fd/", StringComparison.Ordinal)
            || full.StartsWith("/proc/", StringComparison.Ordinal)))
            return true;
        byte[] status = new byte[SizeOfStatx];
        return OperatingSystem.IsLinux() && Statx(CurrentFolder, path, flags: 0, WantType, status) == 0
            && (BinaryPrimitives.ReadUInt16LittleEndian(status.AsSpan(ModeOffset)) & TypeMask) is Pipe or CharacterDevice or BlockDevice
            or Socket;
    }

    [SupportedOSPlatform("linux")]
    [DllImport("libc", EntryPoint = "statx")]
    private static extern int Statx(int folder, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask,
        [Out] byte[] status);
}
