using System.Reflection;
using System.Runtime.InteropServices;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Distributed;

/// <summary>The functions of Open MPI's library that ranks need. Its handles are addresses of objects that the library exports.</summary>
internal static class Mpi
{
    public const int Funneled = 1, Success = 0;

    // Open MPI 3 to 5; MPICH and its kin have another binary interface.
    private const string OpenMpi = "libmpi.so.40", Mpich = "libmpi.so.12", Variable = "VAE_MPI_LIBRARY";
    private const string Install = "on Debian and Ubuntu: apt-get install openmpi-bin libopenmpi3, elsewhere Open MPI 3 or newer";

    private static readonly Lazy<nint> Loaded = new(Load);

    static Mpi() => NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => name == OpenMpi ? Loaded.Value : 0);

    /// <summary>The communicator of all ranks, MPI_COMM_WORLD.</summary>
    /// <exception cref="DeviceException">The library is absent or has another binary interface.</exception>
    public static nint World => Export("ompi_mpi_comm_world");

    /// <summary>The type of a byte, MPI_BYTE.</summary>
    public static nint Byte => Export("ompi_mpi_byte");

    /// <summary>The handler that lets a call return an error, MPI_ERRORS_RETURN.</summary>
    public static nint ErrorsReturn => Export("ompi_mpi_errors_return");

    [DllImport(OpenMpi)]
    public static extern int MPI_Init_thread(nint argc, nint argv, int required, out int provided);

    [DllImport(OpenMpi)]
    public static extern int MPI_Comm_set_errhandler(nint communicator, nint handler);

    [DllImport(OpenMpi)]
    public static extern int MPI_Comm_rank(nint communicator, out int rank);

    [DllImport(OpenMpi)]
    public static extern int MPI_Comm_size(nint communicator, out int size);

    [DllImport(OpenMpi)]
    public static extern int MPI_Isend(nint buffer, int count, nint type, int to, int tag, nint communicator, out nint request);

    [DllImport(OpenMpi)]
    public static extern int MPI_Irecv(nint buffer, int count, nint type, int from, int tag, nint communicator, out nint request);

    [DllImport(OpenMpi)]
    public static extern int MPI_Testall(int count, [In, Out] nint[] requests, out int done, nint statuses);

    [DllImport(OpenMpi)]
    public static extern int MPI_Abort(nint communicator, int exitCode);

    [DllImport(OpenMpi)]
    public static extern int MPI_Finalize();

    private static nint Export(string name) => NativeLibrary.TryGetExport(Loaded.Value, name, out nint address) ? address
        : throw new DeviceException($"--distributed mpi: the MPI library that was found is not Open MPI's, as it has no {name}; "
            + $"{Install}, or --distributed none");

    private static nint Load()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        if (NativeLibrary.TryLoad(string.IsNullOrEmpty(named) ? OpenMpi : named, out nint library))
            return library;
        throw new DeviceException(!string.IsNullOrEmpty(named)
            ? $"{Variable} names {named}, which is no library that can be loaded here; correct the variable, or unset it for {OpenMpi}"
            : $"--distributed mpi: it needs Open MPI's {OpenMpi}, and "
                + (NativeLibrary.TryLoad(Mpich, out _) ? $"there is only {Mpich} of MPICH, whose binary interface is another"
                    : "there is no such library")
                + $"; {Install}, or --distributed none");
    }
}
