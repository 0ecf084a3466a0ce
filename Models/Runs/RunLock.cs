using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Models.Runs;

/// <summary>
/// The right to write a run directory, held by one process at a time, on whichever machine that sees the folder. It is a claim in the file
/// run.lock, which one process can make and which is written anew every <see cref="RunClaim.RefreshInterval"/>; who finds the claim of a
/// process that has ended, or of another machine that has been silent for <see cref="RunClaim.Expiry"/>, takes it over. The system's lock
/// on the file, which ends with the process, decides where several want to do that, and where numbers of processes mean little, as in
/// containers.
/// </summary>
internal sealed class RunLock : IDisposable
{
    public const string FileName = "run.lock";

    // Beyond the text, because some systems forbid reading what is locked.
    private const long LockedByte = 1 << 20;
    private const int WouldBlock = 11, LockViolation = unchecked((int)0x80070021);

    /// <summary>After which a claim that another machine could overwrite at the same moment is looked at again.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    // Whoever opens and closes the file in the process that holds it gives the system's lock away, so that nobody may.
    private static readonly Dictionary<string, RunLock?> Held = [];

    private static readonly byte[] OwnBytes = Encoding.UTF8.GetBytes(RunClaim.OwnText + "\n");

    private readonly string path;
    private readonly FileStream stream;
    private readonly IReadOnlyList<string> madeFolders;
    private readonly Timer refresh;

    private RunLock(string path, FileStream stream, IReadOnlyList<string> madeFolders)
    {
        (this.path, this.stream, this.madeFolders) = (path, stream, madeFolders);
        refresh = new(_ => Refresh(), null, RunClaim.RefreshInterval, RunClaim.RefreshInterval);
    }

    /// <summary>Something the user should know: a process that ended without giving its lock back. Null when there was none.</summary>
    public string? Notice { get; private init; }

    /// <summary>Takes the lock; the folder is made if need be.</summary>
    /// <exception cref="RunHeldException">Another process writes there.</exception>
    public static RunLock Take(string directory)
    {
        string path = PathIn(directory);
        lock (Held)
            if (!Held.TryAdd(path, null))
                throw Taken(directory, Own());
        try
        {
            while (true)
            {
                var made = MakeFolders(Path.GetDirectoryName(path)!);
                if ((Make(path) ?? TakeOver(path, directory)) is not (var stream, var before))
                    continue;
                UnfinishedFiles.Add(path);
                var taken = new RunLock(path, stream, made) { Notice = before is null ? null : NoticeOf(directory, before) };
                lock (Held)
                    Held[path] = taken;
                return taken;
            }
        }
        catch
        {
            Forget(path);
            throw;
        }
    }

    /// <exception cref="RunHeldException">A process holds the lock of the folder.</exception>
    public static void ThrowIfHeld(string directory)
    {
        if (ClaimOn(directory) is { } claim && (claim == Own(claim.Refreshed) || !claim.IsGivenUp(DateTime.UtcNow)))
            throw Taken(directory, claim);
    }

    /// <summary>Whether a process seems to be writing to the folder, from the text of run.lock alone.</summary>
    public static bool SeemsHeld(string directory) =>
        ClaimOn(directory) is { } claim && (claim == Own(claim.Refreshed) || !claim.IsGivenUp(DateTime.UtcNow));

    /// <summary>
    /// The claim in the folder, whether it still holds or not; null where there is none. Nothing is locked, not even for a moment, so that
    /// whoever only looks never stands in the way of a training run.
    /// </summary>
    public static RunClaim? ClaimOn(string directory)
    {
        string path = PathIn(directory);
        lock (Held)
            if (Held.ContainsKey(path))
                return Own();
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
            return Read(stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// To be asked before what is worth something is overwritten: whether this process, when it holds the folder's lock at all, holds it
    /// still, and was not taken for dead while it, its machine or its network stood still.
    /// </summary>
    /// <exception cref="RunHeldException">Another process has taken over.</exception>
    public static void ThrowIfLost(string directory)
    {
        string path = PathIn(directory);
        RunLock? own;
        lock (Held)
            if (!Held.TryGetValue(path, out own))
                return;
        if (own?.TakenOverBy() is { } by)
            throw new RunHeldException($"{directory}: {by.Holder} has taken the run over, because nothing was heard of this process for "
                + $"{RunClaim.Expiry.TotalMinutes} minutes; this one ends here", by);
    }

    /// <summary>Gives the lock back; the file goes, and so do the folders that were made for it when nothing else is in them.</summary>
    public void Dispose()
    {
        refresh.Dispose();
        try
        {
            bool lost = TakenOverBy() is not null;
            UnfinishedFiles.Finish(path, () =>
            {
                if (!lost)
                    File.Delete(path);
            });
            foreach (string folder in madeFolders)
            {
                if (Directory.EnumerateFileSystemEntries(folder).Any())
                    break;
                Directory.Delete(folder);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The folder is gone or cannot be written any more. The system's lock ends with the stream.
        }
        stream.Dispose();
        Forget(path);
    }

    /// <summary>Says that this process is still at work; a claim that has become another's stays as it is.</summary>
    internal void Refresh()
    {
        try
        {
            if (TakenOverBy() is null)
                RandomAccess.Write(stream.SafeFileHandle, OwnBytes, 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // The next one may succeed. Where none does, another machine takes over, and the run ends at its next checkpoint.
        }
    }

    /// <returns>The claim of whoever has taken over; null while this process's own is there.</returns>
    private RunClaim? TakenOverBy() => Read(stream) is var there && there == Own(there.Refreshed) ? null : there;

    /// <returns>A file with this process's claim; null where there is a file already.</returns>
    private static (FileStream Stream, RunClaim? Before)? Make(string path)
    {
        FileStream stream;
        try
        {
            stream = Open(path, FileMode.CreateNew);
        }
        catch (IOException e) when (e is DirectoryNotFoundException || File.Exists(path))
        {
            return null;
        }
        TryLock(stream);
        stream.Write(OwnBytes);
        return (stream, null);
    }

    /// <returns>The file with this process's claim in place of one that was given up; null where it is not there any more.</returns>
    /// <exception cref="RunHeldException">It is held.</exception>
    private static (FileStream Stream, RunClaim? Before)? TakeOver(string path, string directory)
    {
        FileStream stream;
        try
        {
            stream = Open(path, FileMode.Open);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        try
        {
            var claim = Read(stream);
            if (!claim.IsGivenUp(Now(path)))
                throw Taken(directory, claim);
            bool? locked = TryLock(stream);
            if (locked == false || Read(stream) != claim)
                throw Taken(directory, claim);
            // Whoever held the lock deletes the file at its end: what was opened just before is then no longer the file of that name.
            if (!File.Exists(path) || File.GetLastWriteTimeUtc(path) != claim.Refreshed)
            {
                stream.Dispose();
                return null;
            }
            stream.SetLength(0);
            stream.Position = 0;
            stream.Write(OwnBytes);
            if (locked is null || !claim.IsLocal)
            {
                // Another machine may have done the same. What was written last is what all of them find when they open the file anew.
                stream.Dispose();
                Thread.Sleep(Settling);
                stream = Open(path, FileMode.Open);
                TryLock(stream);
                if (Read(stream) is var now && now != Own(now.Refreshed))
                    throw Taken(directory, now);
            }
            return (stream, claim);
        }
        catch (Exception e)
        {
            stream.Dispose();
            if (e is FileNotFoundException)
                return null;
            throw;
        }
    }

    private static FileStream Open(string path, FileMode mode) =>
        new(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    /// <returns>Whether the system gave its lock; null where it has none for this file.</returns>
    private static bool? TryLock(FileStream stream)
    {
        // There, .NET locks whole files only.
        if (OperatingSystem.IsMacOS())
            return null;
        try
        {
            stream.Lock(LockedByte, 1);
            return true;
        }
        catch (IOException e)
        {
            return e.HResult is WouldBlock or LockViolation ? false : null;
        }
    }

    private static RunClaim Read(FileStream stream)
    {
        byte[] bytes = new byte[1000];
        int count = RandomAccess.Read(stream.SafeFileHandle, bytes, 0);
        return RunClaim.Parse(Encoding.UTF8.GetString(bytes, 0, count), File.GetLastWriteTimeUtc(stream.SafeFileHandle));
    }

    private static RunClaim Own(DateTime? refreshed = null) => RunClaim.Parse(RunClaim.OwnText, refreshed ?? DateTime.UtcNow);

    /// <summary>The time by the clock that dates the files beside a path, which is a file server's and not this machine's.</summary>
    private static DateTime Now(string path)
    {
        string probe = Path.Combine(Path.GetDirectoryName(path)!, $".{FileName}.{Path.GetRandomFileName()}");
        using var stream = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.Delete, bufferSize: 0,
            FileOptions.DeleteOnClose);
        return File.GetLastWriteTimeUtc(stream.SafeFileHandle);
    }

    private static void Forget(string path)
    {
        lock (Held)
            Held.Remove(path);
    }

    private static RunHeldException Taken(string directory, RunClaim claim) =>
        new($"{directory}: {claim.Holder} is writing to it; wait for its end, stop it, or name another run directory"
            + (claim.IsLocal ? "" : $" (when its machine is gone, {FileName} is free {RunClaim.Expiry.TotalMinutes} minutes after it was "
            + $"last written)"), claim);

    private static string? NoticeOf(string directory, RunClaim before) => before.Machine == "" ? null
        : $"{directory}: {before.Holder} was writing to it and "
            + (before.IsLocal ? "was killed" : $"has been silent for {RunClaim.Expiry.TotalMinutes} minutes")
            + "; going on from what is there";

    private static string PathIn(string directory) => Path.GetFullPath(Path.Combine(directory, FileName));

    private static List<string> MakeFolders(string folder)
    {
        var made = new List<string>();
        for (string? missing = folder; missing is not null && !Directory.Exists(missing); missing = Path.GetDirectoryName(missing))
            made.Add(missing);
        Directory.CreateDirectory(folder);
        return made;
    }
}
