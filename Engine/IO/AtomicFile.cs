using System.Text;

namespace VaeFromScratch.Engine.IO;

/// <summary>
/// Writes a file whole or not at all: under a temporary name in the same folder, flushed to the disk, then renamed. A symbolic link stays
/// and what it points to is
/// replaced; a pipe or a device is written to as it is.
/// </summary>
public static class AtomicFile
{
    private static int inProgress;

    /// <summary>
    /// Told of each operation (folder, create, write, flush or rename) and the file it is for, just before it is done: where tests let
    /// disks fail.
    /// </summary>
    internal static Action<string, string>? BeforeOperation { get; set; }

    /// <summary>Whether a file is being written at this moment, on any thread.</summary>
    public static bool InProgress => Volatile.Read(ref inProgress) > 0;

    /// <summary>Replaces <paramref name="path"/> by what <paramref name="write"/> writes; the folder is made if need be.</summary>
    /// <remarks>
    /// When <paramref name="write"/> fails, an earlier file at <paramref name="path"/> keeps its bytes and the temporary file is removed.
    /// </remarks>
    /// <exception cref="IOException">The disk is full or read-only, the folder is gone, or the like: the message is a sentence that names
    /// the file.</exception>
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
        string temporary = Path.Combine(folder, $"{Prefix(Path.GetFileName(full))}{Path.GetRandomFileName()}");
        UnfinishedFiles.Add(temporary);
        Interlocked.Increment(ref inProgress);
        try
        {
            BeforeOperation?.Invoke("folder", full);
            Directory.CreateDirectory(folder);
            BeforeOperation?.Invoke("create", full);
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                write(BeforeOperation is null ? stream : new ToldStream(stream, full));
                BeforeOperation?.Invoke("flush", full);
                stream.Flush(flushToDisk: true);
            }
            BeforeOperation?.Invoke("rename", full);
            UnfinishedFiles.Finish(temporary, () => File.Move(temporary, full, overwrite: true));
        }
        catch (Exception e)
        {
            UnfinishedFiles.Finish(temporary, () => TryDelete(temporary));
            if (e is IOException or UnauthorizedAccessException)
                throw Failed(full, e);
            throw;
        }
        finally
        {
            Interlocked.Decrement(ref inProgress);
        }
    }

    /// <summary>
    /// The file that is written when <paramref name="path"/> is: where its symbolic links end, whether there is a file or not.
    /// </summary>
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
        using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 16,
            leaveOpen: true)
        { NewLine = "\n" };
        write(writer);
    });

    /// <summary>Whether a file of this name is one that <see cref="Write"/> was writing <paramref name="file"/> under.</summary>
    /// <param name="file">A name without a folder, as <paramref name="name"/> is.</param>
    internal static bool IsTemporaryOf(string file, string name)
    {
        string prefix = Prefix(file);
        // Path.GetRandomFileName: eight letters or digits, a dot, three more.
        return name.Length == prefix.Length + 12 && name.StartsWith(prefix, StringComparison.Ordinal) && name[^4] == '.'
            && name[prefix.Length..^4].All(char.IsAsciiLetterOrDigit) && name[^3..].All(char.IsAsciiLetterOrDigit);
    }

    private static string Prefix(string file) => $".{file}.";

    private static void TryDelete(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // With its folder, or on a disk that nothing can be done to: what went wrong first is what the user has to know.
        }
    }

    /// <summary>
    /// What the system said, as one sentence about the file that was asked for: the system names the temporary one, or none.
    /// </summary>
    private static IOException Failed(string path, Exception e)
    {
        string reason = e switch
        {
            UnauthorizedAccessException => "access is denied",
            DirectoryNotFoundException or FileNotFoundException => "its folder is not there any more",
            _ => e.Message.Split(" : '")[0].ReplaceLineEndings(" ").TrimEnd('.'),
        };
        return new($"{path}: it cannot be written ({reason}); make room there or name another place", e) { HResult = e.HResult };
    }

    /// <summary>Passes writes on and tells of each.</summary>
    private sealed class ToldStream(Stream inner, string path) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => inner.CanSeek;
        public override bool CanWrite => true;
        public override long Length => inner.Length;
        public override long Position { get => inner.Position; set => inner.Position = value; }
        public override void Flush() => inner.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);
        public override void SetLength(long value) => inner.SetLength(value);
        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            BeforeOperation?.Invoke("write", path);
            inner.Write(buffer);
        }
    }
}
