using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Gpu.Cuda;

/// <summary>
/// The calls of NVIDIA's NCCL that exchange numbers between GPUs (nccl.h of version 2.13 and newer). Each returns 0 or an error, for
/// <see cref="Check"/>.
/// </summary>
internal static unsafe partial class Nccl
{
    /// <summary>ncclFloat, of <see cref="ncclSend"/> and <see cref="ncclRecv"/>.</summary>
    public const int Float = 7;

    /// <summary>Of <see cref="ncclCommGetAsyncError"/>: no error.</summary>
    public const int InProgress = 7;

    private const string Library = "nccl";

    static Nccl() => DriverLibrary.ResolveFor(typeof(Nccl).Assembly);

    /// <summary>ncclUniqueId: what ranks that are to find each other have in common.</summary>
    public struct Id
    {
        public const int Bytes = 128;
        public fixed byte Value[Bytes];
    }

    [LibraryImport(Library)]
    public static partial int ncclGetUniqueId(Id* id);
    [LibraryImport(Library)]
    public static partial int ncclCommInitRank(nint* communicator, int ranks, Id id, int rank);
    [LibraryImport(Library)]
    public static partial int ncclCommDestroy(nint communicator);
    [LibraryImport(Library)]
    public static partial int ncclCommAbort(nint communicator);
    [LibraryImport(Library)]
    public static partial int ncclCommGetAsyncError(nint communicator, int* error);
    [LibraryImport(Library)]
    public static partial int ncclGroupStart();
    [LibraryImport(Library)]
    public static partial int ncclGroupEnd();
    [LibraryImport(Library)]
    public static partial int ncclSend(nint from, nuint count, int type, int peer, nint communicator, nint stream);
    [LibraryImport(Library)]
    public static partial int ncclRecv(nint to, nuint count, int type, int peer, nint communicator, nint stream);
    [LibraryImport(Library)]
    private static partial nint ncclGetErrorString(int result);
    [LibraryImport(Library)]
    private static partial nint ncclGetLastError(nint communicator);

    /// <summary>Passes where a call went well.</summary>
    /// <exception cref="DeviceException">It did not: the call, and NCCL's words.</exception>
    public static void Check(int result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result == 0)
            return;
        string? detail = Marshal.PtrToStringUTF8(ncclGetLastError(0))?.Trim();
        throw new DeviceException($"{call.Split('(')[0]}: {Marshal.PtrToStringUTF8(ncclGetErrorString(result))} ({result})"
            + (string.IsNullOrEmpty(detail) ? "" : $", {detail}"));
    }
}
