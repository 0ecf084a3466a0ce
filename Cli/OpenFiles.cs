using System.Runtime.InteropServices;

namespace VaeFromScratch.Cli;

/// <summary>
/// The system's limit on files that a process may have open. Below a hundred the runtime itself cannot load what it needs, and ends with
/// whatever it stumbles over; so this is
/// looked at first, with nothing but what is loaded already.
/// </summary>
internal static class OpenFiles
{
    private const int Least = 128;
    private const int ErrorNumber = 2;

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public nuint Now, Most;
    }

    /// <summary>Whether the limit is too low, which is then said on standard error.</summary>
    public static bool AreTooFew()
    {
        if (OperatingSystem.IsWindows() || GetLimit(OperatingSystem.IsLinux() ? 7 : 8, out var limit) != 0 || limit.Now >= Least)
            return false;
        var sentence =
            "vae: fewer than 128 files may be open at a time (ulimit -n); expected a limit of 128 or more; raise it and run the same "u8
            + "command again\n"u8;
        Write(ErrorNumber, ref MemoryMarshal.GetReference(sentence), sentence.Length);
        return true;
    }

    [DllImport("libc", EntryPoint = "getrlimit")]
    private static extern int GetLimit(int what, out Limit limit);

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(int file, ref byte from, nint count);
}
