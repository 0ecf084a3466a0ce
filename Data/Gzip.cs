using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>Tells compressed files from plain ones, finds whichever of the two is there, and decompresses.</summary>
internal static class Gzip
{
    /// <summary>Whether a seekable stream starts with gzip's two bytes; leaves it at its start.</summary>
    public static bool IsCompressed(Stream stream)
    {
        Span<byte> magic = stackalloc byte[2];
        int read = stream.ReadAtLeast(magic, 2, throwOnEndOfStream: false);
        stream.Position = 0;
        return read == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
    }

    /// <summary>What a gzip file holds, in one member or several. Whoever reads it to its end knows that it is complete.</summary>
    /// <param name="compressed">A seekable stream at its start; it is not disposed of here.</param>
    /// <param name="file">The name used in errors.</param>
    /// <exception cref="DataException">While reading: the file ends before the checksum and length of its last member.</exception>
    public static Stream Open(Stream compressed, string file) => new CompleteStream(compressed, file);

    /// <summary>The file itself when it is there, else one of its other <see cref="Names"/>; null when none is.</summary>
    public static string? Find(string plainPath) =>
        Names(Path.GetFileName(plainPath)).Select(name =>
        Path.Combine(Path.GetDirectoryName(plainPath)!, name)).FirstOrDefault(File.Exists);

    /// <summary>
    /// What a published file may be called: some archives write train-images.idx3-ubyte for train-images-idx3-ubyte, and each may end in
    /// .gz.
    /// </summary>
    public static string[] Names(string plain)
    {
        string dotted = plain.Replace("-idx", ".idx", StringComparison.Ordinal);
        return [.. ((string[])[plain, plain + ".gz", dotted, dotted + ".gz"]).Distinct()];
    }

    /// <summary>
    /// Passes reads through. The system's decompressor compares checksum and length where they are there, but takes a file that ends before
    /// them for a whole one.
    /// </summary>
    private sealed class CompleteStream(Stream compressed, string file) : ReadOnlyStream
    {
        private const int TrailerBytes = 8;

        private readonly GZipStream inflated = new(compressed, CompressionMode.Decompress, leaveOpen: true);
        private readonly Crc32 checksum = new();
        private uint length;
        private bool ended;

        public override int Read(Span<byte> buffer)
        {
            int read = ended ? 0 : inflated.Read(buffer);
            checksum.Append(buffer[..read]);
            length += (uint)read;
            if (ended || read > 0 || buffer.IsEmpty)
                return read;
            ended = true;
            return EndsWithTrailer() || IsWholeWithMembers() ? 0
                : throw DataException.In(file, "the gzip member lacks its last bytes",
                    $"{TrailerBytes} of them with checksum and length of its contents");
        }

        /// <summary>
        /// Whether the last bytes are the checksum and the length of everything that was read: those of a file with one member.
        /// </summary>
        private bool EndsWithTrailer()
        {
            Span<byte> trailer = stackalloc byte[TrailerBytes];
            if (compressed.Length < TrailerBytes)
                return false;
            compressed.Seek(-TrailerBytes, SeekOrigin.End);
            compressed.ReadExactly(trailer);
            return BinaryPrimitives.ReadUInt32LittleEndian(trailer) == checksum.GetCurrentHashAsUInt32()
                && BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]) == length;
        }

        /// <summary>
        /// Whether the decompressor leaves bytes behind the file alone; it takes them for the trailer of a last member that has none.
        /// </summary>
        private bool IsWholeWithMembers()
        {
            compressed.Position = 0;
            using var more = new GZipStream(new Continued(compressed), CompressionMode.Decompress);
            try
            {
                more.CopyTo(Stream.Null);
                return true;
            }
            catch (InvalidDataException)
            {
                return false;
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inflated.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>
    /// A file and behind it eight bytes that are neither the length of contents below 4 GB nor the start of another member.
    /// </summary>
    private sealed class Continued(Stream file) : ReadOnlyStream
    {
        private int left = 8;

        public override int Read(Span<byte> buffer)
        {
            if (file.Read(buffer) is > 0 and var read)
                return read;
            int more = Math.Min(left, buffer.Length);
            buffer[..more].Fill(0xFF);
            left -= more;
            return more;
        }
    }
}
