using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;

namespace VaeFromScratch.Cli;

/// <summary>
/// Standard output and error of which nothing that happens to them stops the work: closed from the start, closed by their reader, or full.
/// </summary>
internal static class StandardStreams
{
    private const int OutputNumber = 1, ErrorNumber = 2;
    private static readonly GuardedStream Standard = new(OutputNumber, Console.OpenStandardOutput);

    /// <summary>Standard output, for bytes.</summary>
    public static Stream Output => Standard;

    /// <summary>Why something of standard output is lost though somebody wanted it, such as a full disk; null when nothing is.</summary>
    public static string? Lost => Standard.Lost;

    /// <summary>From here on, the console's writers write to the guarded streams.</summary>
    public static void Guard()
    {
        Console.SetOut(Writer(Standard));
        Console.SetError(Writer(new GuardedStream(ErrorNumber, Console.OpenStandardError)));
    }

    private static TextWriter Writer(GuardedStream stream)
    {
        var encoding = Console.OutputEncoding is UTF8Encoding ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)
            : Console.OutputEncoding;
        return TextWriter.Synchronized(new StreamWriter(stream, encoding) { AutoFlush = true });
    }

    /// <summary>
    /// Whether nothing was open under this number when the process started. The runtime's own files then have taken the number, and must
    /// not be written to; they
    /// differ from inherited ones in that they are closed on exec.
    /// </summary>
    private static bool WasClosed(int number)
    {
        const int CloseOnExec = 0x80000;
        const string Flags = "flags:";
        string info = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{number}");
        if (!OperatingSystem.IsLinux() || !Directory.Exists("/proc/self/fdinfo"))
            return false;
        return !File.Exists(info) || File.ReadLines(info).Any(line => line.StartsWith(Flags, StringComparison.Ordinal)
            && (Convert.ToInt32(line[Flags.Length..].Trim(), 8) & CloseOnExec) != 0);
    }

    [UnsupportedOSPlatform("windows")]
    [DllImport("libc", EntryPoint = "write", SetLastError = true)]
    private static extern nint SystemWrite(int file, ref byte from, nint count);

    /// <summary>Passes on what is written as long as that works.</summary>
    private sealed class GuardedStream(int number, Func<Stream> open) : Stream
    {
        // Numbers of errors that are the same on every Unix: what a terminal or a file that is gone answers, what a pipe without a reader
        // answers.
        private const int Interrupted = 4, NoInputOutput = 5, BadFile = 9, BrokenPipe = 32;

        private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(10);
        private readonly Stream inner = WasClosed(number) ? Null : open();

        public string? Lost { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (inner == Null)
                return;
            if (!OperatingSystem.IsWindows())
            {
                WriteDirectly(buffer);
                return;
            }
            try
            {
                inner.Write(buffer);
            }
            catch (IOException e)
            {
                Lost ??= e.Message.TrimEnd('.');
            }
        }

        /// <summary>
        /// Past the console's own stream, in which standard error waits while standard output is stuck in a pipe that nobody reads.
        /// </summary>
        [UnsupportedOSPlatform("windows")]
        private void WriteDirectly(ReadOnlySpan<byte> buffer)
        {
            byte[] bytes = buffer.ToArray();
            for (int at = 0; at < bytes.Length;)
            {
                nint written = SystemWrite(number, ref bytes[at], bytes.Length - at);
                if (written >= 0)
                {
                    at += (int)written;
                    continue;
                }
                int error = Marshal.GetLastPInvokeError();
                if (error == (OperatingSystem.IsMacOS() ? 35 : 11))
                    Thread.Sleep(Retry);
                else if (error != Interrupted)
                {
                    if (error is not (NoInputOutput or BadFile or BrokenPipe))
                        Lost ??= Marshal.GetPInvokeErrorMessage(error);
                    return;
                }
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
