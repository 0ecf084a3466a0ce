using System.Diagnostics;
using System.Globalization;

namespace VaeFromScratch.Models.Runs;

/// <summary>What run.lock says: which process on which machine writes a run, and when it last said that it still does.</summary>
/// <param name="Machine">The host's name; empty where the file says nothing that can be understood.</param>
/// <param name="ProcessId">The number of the process there.</param>
/// <param name="Started">When the process was started; null where the file does not say.</param>
/// <param name="Refreshed">When the file was last written.</param>
internal sealed record RunClaim(string Machine, int ProcessId, DateTime? Started, DateTime Refreshed)
{
    private const string TimeFormat = "yyyy-MM-ddTHH:mm:ssZ";

    /// <summary>How often whoever holds a claim writes it anew.</summary>
    public static readonly TimeSpan RefreshInterval = TimeSpan.FromSeconds(30);

    /// <summary>A claim of another machine that was not written anew for so long is given up.</summary>
    public static readonly TimeSpan Expiry = TimeSpan.FromMinutes(5);

    // The file is made first and written at once.
    private static readonly TimeSpan EmptyExpiry = TimeSpan.FromSeconds(10);

    // A process's start is counted from the start of the machine, which moves when its clock is set.
    private static readonly TimeSpan StartTolerance = TimeSpan.FromSeconds(10);

    /// <summary>The text of this process's claims.</summary>
    internal static string OwnText { get; } = string.Create(CultureInfo.InvariantCulture,
        $"process {Environment.ProcessId} on {Environment.MachineName} since {Text(StartOf(Process.GetCurrentProcess()))}");

    /// <summary>Whether it was made on this machine, where it can be asked whether the process is still there.</summary>
    public bool IsLocal => Machine == Environment.MachineName;

    /// <summary>Who holds it, for a sentence.</summary>
    public string Holder => Machine == "" ? "another process"
        : string.Create(CultureInfo.InvariantCulture, $"process {ProcessId} on {Machine}");

    /// <param name="text">Of run.lock: process NUMBER on MACHINE since TIME.</param>
    /// <param name="refreshed">When the file was last written.</param>
    internal static RunClaim Parse(string text, DateTime refreshed)
    {
        string[] words = text.Trim().Split(' ');
        if (words is not ["process", var number, "on", var machine, .. var rest]
            || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            return new("", 0, null, refreshed);
        DateTime? started = rest is ["since", var time] && DateTime.TryParseExact(time, TimeFormat, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var since) ? since : null;
        return new(machine, id, started, refreshed);
    }

    /// <summary>
    /// Whether nobody holds it any more: of a process of this machine, when it has ended; of another machine's, when it was not written
    /// anew for <see cref="Expiry"/>.
    /// </summary>
    /// <param name="now">By the clock that <see cref="Refreshed"/> is of.</param>
    public bool IsGivenUp(DateTime now) => IsLocal ? !IsRunning : now - Refreshed > (Machine == "" ? EmptyExpiry : Expiry);

    private bool IsRunning
    {
        get
        {
            // What this process holds is known without its file: an earlier process had the number, as in a container that was restarted.
            if (ProcessId == Environment.ProcessId)
                return false;
            try
            {
                using var process = Process.GetProcessById(ProcessId);
                return !process.HasExited && (Started is not { } started || (StartOf(process) - started).Duration() < StartTolerance);
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                return false;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // It is there, and somebody else's.
                return true;
            }
        }
    }

    private static string Text(DateTime time) => time.ToString(TimeFormat, CultureInfo.InvariantCulture);

    private static DateTime StartOf(Process process) => process.StartTime.ToUniversalTime();
}

/// <summary>Another process writes a run; the message says which, and what to do.</summary>
/// <param name="claim">What its run.lock says.</param>
internal sealed class RunHeldException(string message, RunClaim claim) : OptionException(message)
{
    /// <summary>What the run's lock file says.</summary>
    public RunClaim Claim { get; } = claim;
}
