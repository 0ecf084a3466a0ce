using System.Globalization;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Models.Runs;

/// <summary>
/// The right to write a run directory, held by one process at a time. The system's lock on run.lock ends with the process, however it ends, so that it is never stale; the
/// text in the file says who holds it, or who held it and was killed.
/// </summary>
public sealed class RunLock : IDisposable
{
    public const string FileName = "run.lock";

    // Beyond the text, because some systems forbid reading what is locked.
    private const long LockedByte = 1 << 20;
    private const int WouldBlock = 11, LockViolation = unchecked((int)0x80070021);

    // The system's lock is the process's: a second one in the same process would be granted.
    private static readonly HashSet<string> Held = [];

    private readonly string path;
    private readonly FileStream stream;
    private readonly IReadOnlyList<string> madeFolders;

    private RunLock(string path, FileStream stream, IReadOnlyList<string> madeFolders) => (this.path, this.stream, this.madeFolders) = (path, stream, madeFolders);

    /// <summary>Something the user should know: a process that was killed has left its lock behind. Null when nobody has.</summary>
    public string? Notice { get; private set; }

    /// <summary>Takes the lock; the folder is made if need be.</summary>
    /// <exception cref="OptionException">Another process writes there.</exception>
    public static RunLock Take(string directory)
    {
        string path = Path.GetFullPath(Path.Combine(directory, FileName));
        lock (Held)
            if (!Held.Add(path))
                throw Taken(directory, Description());
        try
        {
            while (true)
            {
                var made = MakeFolders(Path.GetDirectoryName(path)!);
                var (stream, locked) = Open(path, directory, FileMode.OpenOrCreate);
                var taken = new RunLock(path, stream, made);
                string before = taken.Text();
                taken.Write(Description());
                // Whoever held the lock deletes the file at its end: what was opened just before is then no longer the file of that name.
                if (!File.Exists(path) || File.GetLastWriteTimeUtc(path) != File.GetLastWriteTimeUtc(taken.stream.SafeFileHandle))
                {
                    taken.stream.Dispose();
                    continue;
                }
                UnfinishedFiles.Add(path);
                taken.Notice = !locked ? $"{directory}: the file system has no locks, so that nothing keeps a second process from writing to it"
                    : before == "" ? null : $"{directory}: {before} was writing to it and was killed; going on from what is there";
                return taken;
            }
        }
        catch
        {
            Forget(path);
            throw;
        }
    }

    /// <exception cref="OptionException">Another process holds the lock of the folder.</exception>
    public static void ThrowIfHeld(string directory)
    {
        string path = Path.GetFullPath(Path.Combine(directory, FileName));
        lock (Held)
            if (Held.Contains(path))
                throw Taken(directory, Description());
        if (File.Exists(path))
            Open(path, directory, FileMode.Open).Stream.Dispose();
    }

    /// <summary>Gives the lock back; the file goes, and so do the folders that were made for it when nothing else is in them.</summary>
    public void Dispose()
    {
        UnfinishedFiles.Finish(path, () => File.Delete(path));
        stream.Dispose();
        Forget(path);
        foreach (string folder in madeFolders)
        {
            if (Directory.EnumerateFileSystemEntries(folder).Any())
                break;
            Directory.Delete(folder);
        }
    }

    private static void Forget(string path)
    {
        lock (Held)
            Held.Remove(path);
    }

    /// <returns>The file, and whether it could be locked at all.</returns>
    private static (FileStream Stream, bool Locked) Open(string path, string directory, FileMode mode)
    {
        var stream = new FileStream(path, mode, FileAccess.ReadWrite, OperatingSystem.IsMacOS() ? FileShare.None : FileShare.ReadWrite, bufferSize: 1);
        try
        {
            if (!OperatingSystem.IsMacOS())
                stream.Lock(LockedByte, 1);
            return (stream, true);
        }
        catch (IOException e) when (e.HResult is WouldBlock or LockViolation)
        {
            using var reader = new StreamReader(stream);
            throw Taken(directory, reader.ReadToEnd().Trim());
        }
        catch (IOException)
        {
            return (stream, false);
        }
    }

    private static OptionException Taken(string directory, string by) =>
        new($"{directory}: {(by == "" ? "another process" : by)} is writing to it; wait for its end, stop it, or name another folder with --out");

    private static string Description() => string.Create(CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}");

    private static List<string> MakeFolders(string folder)
    {
        var made = new List<string>();
        for (string? missing = folder; missing is not null && !Directory.Exists(missing); missing = Path.GetDirectoryName(missing))
            made.Add(missing);
        Directory.CreateDirectory(folder);
        return made;
    }

    private string Text()
    {
        byte[] bytes = new byte[1000];
        return Encoding.UTF8.GetString(bytes, 0, stream.Read(bytes)).Trim();
    }

    private void Write(string text)
    {
        stream.SetLength(0);
        stream.Position = 0;
        stream.Write(Encoding.UTF8.GetBytes(text + "\n"));
        stream.Flush();
    }
}
