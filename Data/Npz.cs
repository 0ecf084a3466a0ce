using System.IO.Compression;
using System.IO.Hashing;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>NumPy's .npz format: a zip of .npy files.</summary>
public static class Npz
{
    private const string Extension = ".npy";
    /// <summary>
    /// What is read at once may be so many times as large as what it was compressed to, or <see cref="AlwaysTaken"/>. Real data seldom
    /// shrinks as far.
    /// </summary>
    private const int MostExpansion = 100;
    private const long AlwaysTaken = 1 << 26;
    /// <summary>The earliest time that a zip can hold, so that the same arrays always give the same bytes.</summary>
    private static readonly DateTimeOffset Epoch = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Reads arrays by name; an array of Python objects is left out unless it is asked for, and then refused.</summary>
    /// <param name="path">The file.</param>
    /// <param name="names">The arrays to read where they are there; null for all.</param>
    /// <exception cref="DataException">The file is missing or damaged, or an array that is to be read is of a type that is not.</exception>
    public static IReadOnlyDictionary<string, NpyArray> Read(string path, IReadOnlyCollection<string>? names = null) =>
        DataFile.Read(path, stream => Read(stream, path, names));

    /// <param name="stream">A seekable stream.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="names">The arrays to read; null for all.</param>
    public static IReadOnlyDictionary<string, NpyArray> Read(Stream stream, string file, IReadOnlyCollection<string>? names = null) =>
        DataFile.Guard(file, () =>
    {
        var arrays = new Dictionary<string, NpyArray>();
        using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        foreach (var entry in zip.Entries)
        {
            string name = entry.FullName.EndsWith(Extension, StringComparison.Ordinal) ? entry.FullName[..^Extension.Length]
                : entry.FullName;
            if (names is not null ? !names.Contains(name) : IsObjectArray(entry, file))
                continue;
            if (entry.Length > MostAtOnce(entry))
                throw ExpandsTooMuch($"{file}/{entry.FullName}", entry.Length, MostAtOnce(entry));
            if (!arrays.TryAdd(name, ReadEntry(entry, file, (contents, entryFile) => Npy.Read(contents, entryFile, entry.Length))))
                throw DataException.In(file, $"the array '{name}' twice", "each name once");
        }
        return arrays;
    });

    /// <summary>Reads some rows of one array, which may be larger than memory.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The array.</param>
    /// <param name="rows">Entries along its first axis, ascending.</param>
    public static NpyArray ReadRows(string path, string name, int[] rows) => DataFile.Read(path, stream =>
    {
        using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        var entry = zip.GetEntry(name + Extension) ?? throw DataException.In(path, $"no array '{name}'", "it to be there");
        return ReadEntry(entry, path, (contents, file) => Npy.ReadRows(contents, file, entry.Length, rows));
    });

    /// <summary>Opens one array to be read row by row; null when it is not there.</summary>
    /// <param name="open">Opens the file; the stream is disposed with the reader.</param>
    internal static NpyRows? OpenRows(Func<Stream> open, string file, string name)
    {
        var zip = new ZipArchive(open(), ZipArchiveMode.Read);
        try
        {
            var found = zip.Entries.Where(e => e.FullName == name + Extension || e.FullName == name).ToArray();
            if (found.Length > 1)
                throw DataException.In(file, $"the array '{name}' twice", "each name once");
            if (found is not [var entry])
            {
                zip.Dispose();
                return null;
            }
            string entryFile = CheckedName(entry, file);
            return new(new ChecksumStream(Open(entry, file), zip), entryFile, entry.Length, MostAtOnce(entry),
                contents => CheckSum((ChecksumStream)contents, entry, entryFile));
        }
        catch
        {
            zip.Dispose();
            throw;
        }
    }

    /// <summary>Writes arrays uncompressed, as numpy.savez does; the same arguments always give the same bytes.</summary>
    public static void Write(string path, IReadOnlyList<(string Name, NpyArray Array)> arrays) =>
        AtomicFile.Write(path, stream => Write(stream, arrays));

    public static void Write(Stream stream, IReadOnlyList<(string Name, NpyArray Array)> arrays)
    {
        using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
        foreach (var (name, array) in arrays)
        {
            var entry = zip.CreateEntry(name + Extension, CompressionLevel.NoCompression);
            entry.LastWriteTime = Epoch;
            using var contents = entry.Open();
            Npy.Write(contents, array);
        }
    }

    private static bool IsObjectArray(ZipArchiveEntry entry, string file)
    {
        using var contents = Open(entry, file);
        return Npy.ReadHeader(contents, $"{file}/{entry.FullName}").IsObject;
    }

    private static NpyArray ReadEntry(ZipArchiveEntry entry, string file, Func<Stream, string, NpyArray> read)
    {
        string name = CheckedName(entry, file);
        using var contents = new ChecksumStream(Open(entry, file));
        var array = read(contents, name);
        CheckSum(contents, entry, name);
        return array;
    }

    /// <summary>What errors call an entry whose promised size is possible.</summary>
    private static string CheckedName(ZipArchiveEntry entry, string file)
    {
        string name = $"{file}/{entry.FullName}";
        return DataFile.CanInflateTo(entry.CompressedLength, entry.Length) ? name
            : throw DataException.In(name, $"{entry.CompressedLength} compressed bytes that promise {entry.Length}",
            "no more than deflate can hold");
    }

    private static long MostAtOnce(ZipArchiveEntry entry) => Math.Max(AlwaysTaken, MostExpansion * entry.CompressedLength);

    /// <summary>The error of an array that would take far more memory than the file is large.</summary>
    internal static DataException ExpandsTooMuch(string file, long bytes, long most) =>
        DataException.In(file, $"{bytes} bytes to be read at once",
        $"at most {most}, {MostExpansion} times what they are compressed to",
            "save the array uncompressed, in row-major order and with shorter rows");

    private static void CheckSum(ChecksumStream contents, ZipArchiveEntry entry, string name)
    {
        if (contents.Checksum != entry.Crc32)
            throw DataException.In(name, $"checksum {contents.Checksum:x8}", $"{entry.Crc32:x8}");
    }

    private static Stream Open(ZipArchiveEntry entry, string file)
    {
        try
        {
            return entry.Open();
        }
        catch (Exception e) when (e is NotSupportedException or ArgumentException)
        {
            throw DataException.In($"{file}/{entry.FullName}", "an entry that cannot be opened", "stored or deflated data", inner: e);
        }
    }

    /// <summary>Passes reads through and keeps the checksum of what went by; the zip reader itself does not look at it.</summary>
    private sealed class ChecksumStream(Stream inner, ZipArchive? owned = null) : ReadOnlyStream
    {
        private readonly Crc32 checksum = new();

        public uint Checksum => checksum.GetCurrentHashAsUInt32();

        public override int Read(Span<byte> buffer)
        {
            int read = inner.Read(buffer);
            checksum.Append(buffer[..read]);
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
                owned?.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
