using System.Security.Cryptography;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Own;

/// <summary>What a file of one's own holds.</summary>
internal enum OwnKind
{
    /// <summary>Pictures: an array [N, H, W] or [N, H, W, 1 or 3].</summary>
    Pictures,
    /// <summary>Vectors: an array [N, D].</summary>
    Vectors,
    /// <summary>Columns of numbers and of categories.</summary>
    Table,
}

/// <summary>A file of one's own as a data set, whose name is the file's: arrays (npz) or a table (CSV).</summary>
internal static class OwnFile
{
    private const string Arrays = ".npz", Table = ".csv";

    /// <summary>Of the items, the share that is tested on where the file does not say which.</summary>
    internal const double TestShare = 0.2;

    /// <summary>Of the split, whatever the seed of a run.</summary>
    internal const ulong SplitSeed = 1;

    /// <summary>With fewer there is nothing to learn from, and a note says so.</summary>
    internal const int FewItems = 10;

    /// <summary>Whether a data set's name is that of a file.</summary>
    public static bool IsOwn(string name) => IsTable(name) || name.EndsWith(Arrays, StringComparison.OrdinalIgnoreCase);

    /// <summary>The name by which a data set is stored: a file's is its full path, so that it is found from any folder.</summary>
    public static string FullName(string name) => IsOwn(name) && !name.Contains('\0') ? Path.GetFullPath(name) : name;

    /// <summary>The name of a data set for titles and folders: of a file without folder and ending.</summary>
    public static string ShortName(string name) => IsOwn(name) ? Path.GetFileNameWithoutExtension(name) : name;

    /// <summary>
    /// What a file holds, by its name and the header of its array; null for other data sets and where that cannot be told.
    /// </summary>
    public static OwnKind? KindOf(string name) => IsTable(name) ? OwnKind.Table : IsOwn(name) ? ArrayFile.KindOf(name) : null;

    /// <summary>Reads a file.</summary>
    /// <exception cref="DataException">It is missing, damaged, or holds what cannot be trained on.</exception>
    public static DatasetSplits Load(string path) =>
        (IsTable(path) ? TableFile.Load(path) : ArrayFile.Load(path)) with { Checksum = ChecksumOf(path) };

    internal static DatasetInfo Describe(string path) =>
        new(path, IsTable(path) ? "a table of your own" : "arrays of your own", "yours", "your own file", [], _ => Load(path))
        {
            Presence = _ => File.Exists(path),
        };

    /// <summary>SHA-256 of a file, in hexadecimal digits.</summary>
    private static string ChecksumOf(string path) => DataFile.Read(path, stream => Convert.ToHexStringLower(SHA256.HashData(stream)));

    /// <summary>Sees that there are enough items, and says so where there are few.</summary>
    /// <param name="what">An item or a row.</param>
    internal static IReadOnlyList<string> CheckCount(string path, int count, string what) =>
        count < 2 ? throw DataException.In(path, $"{count} {what}{(count == 1 ? "" : "s")}", "two or more, one of them to test on",
            "add some")
        : count < FewItems ? [$"{path}: only {count} {what}s: enough to try things out, not to learn from"] : [];

    /// <summary>Splits items of a file that does not say which are to test on; each split in file order.</summary>
    internal static DatasetSplits Split(ImageDataset all)
    {
        double test = Math.Max(1, Math.Round(all.Count * TestShare)) / all.Count;
        return all.SplitRandomly(1 - test, test, SplitSeed);
    }

    private static bool IsTable(string name) => name.EndsWith(Table, StringComparison.OrdinalIgnoreCase);
}
