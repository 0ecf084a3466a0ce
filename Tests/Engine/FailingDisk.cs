using System.Globalization;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

/// <summary>Counts what is done to files, and lets it fail from a given operation on, as a disk does.</summary>
internal sealed class FailingDisk
{
    private const int NoSpace = 28, ReadOnly = 30, OverQuota = 122;

    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(20);

    private readonly string kind, folder;
    private readonly int from;

    /// <param name="kind">full, read-only, quota, denied; gone: the folder is deleted, once; slow: nothing fails, and all takes its
    /// time.</param>
    /// <param name="from">The operation, from 1, from which on all fail; 0 for none.</param>
    /// <param name="folder">Files outside of it are let alone.</param>
    public FailingDisk(string kind, int from, string folder) => (this.kind, this.from, this.folder) = (kind, from, folder);

    public int Operations { get; private set; }

    /// <summary>The operation and the file that failed first.</summary>
    public string? Failed { get; private set; }

    /// <param name="fault">KIND:OPERATION:FOLDER.</param>
    public static void Install(string fault)
    {
        string[] parts = fault.Split(':', 3);
        AtomicFile.BeforeOperation = new FailingDisk(parts[0], int.Parse(parts[1], CultureInfo.InvariantCulture), parts[2]).Before;
    }

    /// <summary>Does <paramref name="work"/> on this disk.</summary>
    public void During(Action work)
    {
        AtomicFile.BeforeOperation = Before;
        try
        {
            work();
        }
        finally
        {
            AtomicFile.BeforeOperation = null;
        }
    }

    private void Before(string operation, string path)
    {
        if (!path.StartsWith(folder, StringComparison.Ordinal) || ++Operations < from || from == 0)
            return;
        if (kind == "slow")
        {
            Thread.Sleep(Slow);
            return;
        }
        if (kind == "gone")
        {
            if (Operations == from)
                Directory.Delete(folder, recursive: true);
            Failed ??= $"{operation} {path}";
            return;
        }
        Failed ??= $"{operation} {path}";
        throw kind switch
        {
            "full" => new IOException($"No space left on device : '{path}.temporary'", NoSpace),
            "read-only" => new IOException($"Read-only file system : '{path}.temporary'", ReadOnly),
            "quota" => new IOException($"Disk quota exceeded : '{path}.temporary'", OverQuota),
            _ => new UnauthorizedAccessException($"Access to the path '{path}.temporary' is denied."),
        };
    }
}
