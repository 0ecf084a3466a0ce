using System.Security.Cryptography;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

internal enum FileState
{
    Ok,
    Missing,
    WrongChecksum,
    /// <summary>The file is there, but nobody publishes a checksum for it.</summary>
    Unchecked,
}

/// <summary>What became of one file's check.</summary>
/// <param name="File">Where it lies under the data folder.</param>
/// <param name="State">What the check found.</param>
/// <param name="Optional">Whether the set can be read without it.</param>
/// <param name="ExpectedMd5">The published sum, null when there is none.</param>
/// <param name="ActualMd5">The sum found, null when the file is missing.</param>
internal sealed record FileCheck(string File, FileState State, bool Optional, string? ExpectedMd5, string? ActualMd5);

/// <summary>Compares the files of a data set with their published checksums.</summary>
internal static class DataVerify
{
    /// <summary>
    /// One result a file, in the order of the catalogue; a .gz is checked against its own published sum, else by its contents.
    /// </summary>
    /// <exception cref="DataException">A file cannot be read or is not valid gzip.</exception>
    public static IReadOnlyList<FileCheck> Verify(string name, string dataDir) =>
        [.. DatasetCatalogue.Find(name).Files.Select(file => Check(file, dataDir))];

    private static FileCheck Check(DatasetFile file, string dataDir) => CheckAt(file, Gzip.Find(Path.Combine(dataDir, file.Path)));

    /// <param name="path">Where the file was found, plain or .gz; null when it was not.</param>
    internal static FileCheck CheckAt(DatasetFile file, string? path)
    {
        if (path is null)
            return new(file.Path, FileState.Missing, file.Optional, file.GzipMd5 ?? file.Md5, ActualMd5: null);
        bool compressed = path.EndsWith(".gz", StringComparison.Ordinal);
        string? expected = compressed ? file.GzipMd5 ?? file.Md5 : file.Md5;
        string actual = Md5(path, inflate: compressed && file.GzipMd5 is null, file.Bytes);
        var state = expected is null ? FileState.Unchecked : expected == actual ? FileState.Ok : FileState.WrongChecksum;
        return new(Path.Combine(Path.GetDirectoryName(file.Path)!, Path.GetFileName(path)), state, file.Optional, expected, actual);
    }

    private static string Md5(string path, bool inflate, long expectedBytes) => DataFile.Read(path, stream =>
    {
        using var contents = inflate ? Gzip.Open(stream, path) : stream;
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        byte[] buffer = new byte[1 << 17];
        long total = 0;
        for (int read; (read = contents.Read(buffer)) > 0;)
        {
            if (inflate && (total += read) > expectedBytes)
                throw DataException.In(path, $"more than {expectedBytes} bytes once decompressed", $"{expectedBytes}");
            md5.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(md5.GetHashAndReset());
    });
}
