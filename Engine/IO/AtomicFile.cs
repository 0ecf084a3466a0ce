using System.Text;

namespace VaeFromScratch.Engine.IO;

/// <summary>
/// Writes a file whole or not at all: under a temporary name in the same folder, flushed to the disk, then renamed. A symbolic link stays and what it points to is
/// replaced; a pipe or a device is written to as it is.
/// </summary>
public static class AtomicFile
{
    private static int inProgress;

    /// <summary>Whether a file is being written at this moment, on any thread.</summary>
    public static bool InProgress => Volatile.Read(ref inProgress) > 0;

    /// <summary>Replaces <paramref name="path"/> by what <paramref name="write"/> writes; the folder is made if need be.</summary>
    /// <remarks>When <paramref name="write"/> fails, an earlier file at <paramref name="path"/> keeps its bytes and the temporary file is removed.</remarks>
    public static void Write(string path, Action<Stream> write)
    {
        if (SpecialFile.IsAt(path))
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 1 << 16);
            write(stream);
            return;
        }
        string full = Target(path);
        string folder = Path.GetDirectoryName(full) ?? throw new IOException($"cannot write {path}: it names a folder; give a file name");
        Directory.CreateDirectory(folder);
        string temporary = Path.Combine(folder, $".{Path.GetFileName(full)}.{Path.GetRandomFileName()}");
        UnfinishedFiles.Add(temporary);
        Interlocked.Increment(ref inProgress);
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            UnfinishedFiles.Finish(temporary, () => File.Move(temporary, full, overwrite: true));
        }
        catch
        {
            UnfinishedFiles.Finish(temporary, () => File.Delete(temporary));
            throw;
        }
        finally
        {
            Interlocked.Decrement(ref inProgress);
        }
    }

    /// <summary>The file that is written when <paramref name="path"/> is: where its symbolic links end, whether there is a file or not.</summary>
    /// <exception cref="IOException">The links lead back to themselves.</exception>
    public static string Target(string path)
    {
        var file = new FileInfo(path);
        return file.LinkTarget is null ? file.FullName : file.ResolveLinkTarget(returnFinalTarget: true)!.FullName;
    }

    /// <summary>Whether what is written to <paramref name="path"/> goes through it to whoever reads: a pipe or a device.</summary>
    public static bool IsStream(string path) => SpecialFile.IsAt(path);

    public static void WriteBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>UTF-8 without a byte-order mark.</summary>
    public static void WriteText(string path, string text) => WriteBytes(path, Encoding.UTF8.GetBytes(text));

    /// <summary>UTF-8 without a byte-order mark, lines ended by a line feed whatever the system.</summary>
    public static void WriteText(string path, Action<TextWriter> write) => Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 16, leaveOpen: true) { NewLine = "\n" };
        write(writer);
    });
}
