using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Cli;

/// <summary>
/// What Ctrl-C and SIGTERM do. Every file is written whole or not at all, so that any command may end at any moment: it does, with its
/// temporary files and locks removed and a
/// sentence on how to go on. Work that can do better, as training can with a checkpoint, asks for a moment to end by itself. A second
/// signal ends the process at once.
/// </summary>
internal static class Interruption
{
    private const int Terminated = 143;

    /// <summary>How long work that asked for it may take to end; a file that is being written then is still finished.</summary>
    private static TimeSpan moment = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan AfterFile = TimeSpan.FromSeconds(0.2), ForRename = TimeSpan.FromSeconds(0.5);

    private static readonly Lock Gate = new();
    private static PosixSignalRegistration[] registrations = [];
    private static int signals, exitCode;
    private static bool endsByItself, said, isOneOfMany;

    /// <summary>What to do to go on, as the end of a sentence.</summary>
    public static string GoOn { get; set; } = "run the same command again";

    /// <summary>From here to the end of the process, signals are handled as this class says.</summary>
    public static void Watch()
    {
        registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Handle(signal, ExitCode.Interrupted)),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Handle(signal, Terminated)),
        ];
    }

    /// <summary>From here on this is one of several processes, which agree on where to stop after any of them got a signal.</summary>
    /// <param name="patience">How long that may take.</param>
    public static void ManyEndTogether(TimeSpan patience) => (isOneOfMany, moment) = (true, patience);

    /// <summary>Does work that ends by itself soon after <see cref="IsRequested"/> says so, with what is worth keeping written.</summary>
    public static T EndingByItself<T>(Func<T> work)
    {
        lock (Gate)
            endsByItself = true;
        try
        {
            return work();
        }
        finally
        {
            lock (Gate)
                endsByItself = false;
        }
    }

    /// <summary>Whether a signal has come.</summary>
    public static bool IsRequested => Volatile.Read(ref signals) > 0;

    /// <summary>Says how to go on, once, and returns the exit code of the signal that came.</summary>
    public static int Stopped(string where = "")
    {
        lock (Gate)
        {
            if (!said)
                Output.Warn($"stopped{where}; {GoOn}");
            said = true;
        }
        return exitCode;
    }

    private static void Handle(PosixSignalContext signal, int code)
    {
        signal.Cancel = true;
        Interlocked.CompareExchange(ref exitCode, code, 0);
        if (Interlocked.Increment(ref signals) > 1)
            End(code, patience: TimeSpan.Zero);
        bool wait;
        lock (Gate)
            wait = endsByItself;
        if (wait)
        {
            // The launcher may end all processes before they can say so themselves.
            if (isOneOfMany)
                Output.Note($"a signal came: all ranks stop after this step and leave a checkpoint; {GoOn}");
            Thread.Sleep(moment);
            while (AtomicFile.InProgress)
                Thread.Sleep(AfterFile);
        }
        Stopped();
        End(code, ForRename);
    }

    private static void End(int code, TimeSpan patience)
    {
        UnfinishedFiles.Remove(patience);
        // Without what libraries do at a regular end: a driver would wait for the kernels that are running.
        if (OperatingSystem.IsWindows())
            Environment.Exit(code);
        else
            ExitNow(code);
    }

    [UnsupportedOSPlatform("windows")]
    [DllImport("libc", EntryPoint = "_exit")]
    private static extern void ExitNow(int code);
}
