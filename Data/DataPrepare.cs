using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>Turns a raw download into what <see cref="DatasetInfo.Open"/> reads.</summary>
internal static class DataPrepare
{
    /// <summary>
    /// Finds the set's files anywhere under a folder by their names, plain or .gz, checks them, and copies them to their places under the
    /// data folder. A file that is in its place
    /// and sound is left alone.
    /// </summary>
    /// <returns>What was copied, as paths under the data folder.</returns>
    /// <exception cref="DataException">A file that the set cannot do without is not there, or one is not what was published.</exception>
    public static IReadOnlyList<string> CopyFiles(DatasetInfo info, string from, string dataDir)
    {
        if (!Directory.Exists(from))
            throw DataException.In(from, "there is no such folder", "the folder of the download", "check the name after --from");
        var sources = info.Files.Select(file => (File: file, Source: Find(file, from))).ToArray();
        if (sources.FirstOrDefault(s => s.Source is null && !s.File.Optional
            && DataVerify.CheckAt(s.File, InPlace(s.File, dataDir)).State == FileState.Missing) is { File: { } missing })
            throw DataException.In(from, $"no {Path.GetFileName(missing.Path)}, plain or .gz, in it or below it",
                "the files as they are published", $"get them from {info.Source}");
        if (sources.All(s => s.Source is null && InPlace(s.File, dataDir) is null))
            throw DataException.In(from, "none of the files " + string.Join(", ", info.Files.Select(f => Path.GetFileName(f.Path))),
                "at least one of them", $"get them from {info.Source}");
        foreach (var (file, source) in sources)
            if (source is not null && DataVerify.CheckAt(file, source) is { State: FileState.WrongChecksum } bad)
                throw DataException.In(source, $"MD5 {bad.ActualMd5}", bad.ExpectedMd5!, $"fetch it again from {info.Source}");
            else if (source is not null && file.Md5 is null && !source.EndsWith(".gz", StringComparison.Ordinal)
                && new FileInfo(source).Length != file.Bytes)
                throw DataException.In(source, $"{new FileInfo(source).Length} bytes", $"{file.Bytes}",
                    $"fetch it again from {info.Source}");
        string[] copied = [.. sources.Where(s => s.Source is not null && Copy(s.File, s.Source, dataDir)).Select(s => s.File.Path)];
        foreach (var (file, _) in sources)
            if (InPlace(file, dataDir) is { } place && DataVerify.CheckAt(file, place) is { State: FileState.WrongChecksum } damaged)
                throw DataException.In(place, $"MD5 {damaged.ActualMd5}", damaged.ExpectedMd5!,
                    $"put a sound one into {from}, or remove this one and fetch it again from {info.Source}");
        return copied;
    }

    private static bool Copy(DatasetFile file, string source, string dataDir)
    {
        if (DataVerify.CheckAt(file, InPlace(file, dataDir)).State is FileState.Ok or FileState.Unchecked)
            return false;
        string target = Path.Combine(dataDir, file.Path) + (source.EndsWith(".gz", StringComparison.Ordinal) ? ".gz" : "");
        AtomicFile.Write(target, to =>
        {
            using var stream = DataFile.Open(source);
            stream.CopyTo(to);
        });
        return true;
    }

    private static string? InPlace(DatasetFile file, string dataDir) => Gzip.Find(Path.Combine(dataDir, file.Path));

    /// <summary>The first file of that name in the order of paths.</summary>
    private static string? Find(DatasetFile file, string from)
    {
        string[] wanted = Gzip.Names(Path.GetFileName(file.Path));
        return Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(path => wanted.Contains(Path.GetFileName(path)))
            .Order(StringComparer.Ordinal).FirstOrDefault();
    }
}
