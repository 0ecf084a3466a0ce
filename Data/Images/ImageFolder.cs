using System.Collections.Concurrent;
using System.Security.Cryptography;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Images;

/// <summary>Any folder of pictures, cropped and scaled to one size.</summary>
public static class ImageFolder
{
    /// <summary>Of the pictures may be unreadable; they are skipped. If more are, something else is wrong, and nothing is read.</summary>
    public const double MostUnreadable = 0.05;

    private const long MostPixels = 1 << 26;
    private const int LargestLabel = byte.MaxValue;
    private const int FewestImages = 2, FewImages = 10, Listed = 5;
    private const ulong SplitSeed = 1;

    /// <summary>
    /// Reads DATA-DIR/folder, or DATA-DIR itself when there is no such folder, with all folders below, in the order of names; eight
    /// pictures of ten to train
    /// on, one to test on. With two or more folders of pictures, each is a class. A folder that links lead to more than once is read once,
    /// and a picture whose
    /// pixels are those of another of its class counts once. What was left out is in <see cref="DatasetSplits.Notes"/>.
    /// </summary>
    /// <param name="side">Rows and columns of the result: the largest square in the middle of each picture is scaled to it.</param>
    /// <exception cref="DataException">There are fewer than two pictures, too many for memory, or more than <see cref="MostUnreadable"/> of
    /// them cannot be read.</exception>
    public static DatasetSplits Load(string dataDir, int side = 64)
    {
        string folder = Root(dataDir);
        var notes = new List<string>();
        string[] files = Find(folder, notes);
        if (files.Length < FewestImages)
            throw DataException.In(folder, files.Length == 1 ? "1 picture" : $"{files.Length} pictures",
                $"{FewestImages} or more files {string.Join(", ", PictureReader.Extensions.Select(e => "*" + e))}",
                "give --data-dir the folder that holds them");
        var all = Read(files, folder, side, notes);
        if (all.Count < FewImages)
            notes.Add($"{folder}: only {all.Count} pictures, of which one is tested on: enough to try things out, not to learn from");
        return (all.Count < FewImages ? all.SplitRandomly((all.Count - 1.0) / all.Count, 1.0 / all.Count, SplitSeed)
            : all.SplitRandomly(0.8, 0.1, SplitSeed)) with
        { Notes = notes };
    }

    /// <summary>Whether there are pictures.</summary>
    public static bool IsPresent(string dataDir) => Directory.Exists(Path.Combine(dataDir, "folder"))
        && Find(Root(dataDir), []).Length >= FewestImages;

    private static string Root(string dataDir) => Directory.Exists(Path.Combine(dataDir, "folder")) ? Path.Combine(dataDir, "folder")
        : dataDir;

    /// <summary>All picture files below a folder, in the order of names, each folder once whatever links lead to it.</summary>
    private static string[] Find(string folder, List<string> notes)
    {
        var files = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var again = new List<string>();
        if (Directory.Exists(folder))
            Walk(folder);
        if (again.Count > 0)
            notes.Add($"{folder}: {Some(again)} {(again.Count == 1 ? "leads" : "lead")} to folders that are read anyway, and "
                + $"{(again.Count == 1 ? "is" : "are")} not followed");
        return [.. files.Order(StringComparer.Ordinal)];

        void Walk(string path)
        {
            if (!seen.Add(RealPath(path)))
            {
                again.Add(Path.GetRelativePath(folder, path));
                return;
            }
            files.AddRange(Directory.EnumerateFiles(path).Where(file =>
                PictureReader.Extensions.Append(PictureReader.Refused).Contains(Path.GetExtension(file),
                    StringComparer.OrdinalIgnoreCase)));
            // Real folders first, so that of a folder and a link to it the link is what is left out.
            foreach (string below in Directory.EnumerateDirectories(path).OrderBy(p => new DirectoryInfo(p).LinkTarget
                is not null).ThenBy(p => p, StringComparer.Ordinal))
                Walk(below);
        }
    }

    /// <summary>The path without links in it.</summary>
    private static string RealPath(string path)
    {
        string full = Path.GetFullPath(path), real = Path.GetPathRoot(full)!;
        foreach (string name in full[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            string next = Path.Combine(real, name);
            real = new DirectoryInfo(next) is { LinkTarget: not null } link && link.ResolveLinkTarget(returnFinalTarget: true) is { } target
                ? RealPath(target.FullName) : next;
        }
        return real;
    }

    private static ImageDataset Read(string[] files, string folder, int side, List<string> notes)
    {
        if ((long)files.Length * side * side * 3 > Array.MaxLength)
            throw DataException.In(folder, $"{files.Length} pictures",
                $"at most {Array.MaxLength / (side * side * 3)}, which fit into memory", "use fewer pictures");
        byte[] pixels = new byte[files.Length * side * side * 3];
        int size = side * side * 3;
        var unreadable = new ConcurrentDictionary<int, DataException>();
        UInt128[] contents = new UInt128[files.Length];
        int channels = 0;
        Parallel.For(0, files.Length, () => (Reader: new PictureReader(), Resize: new CropResize(side, side)), (i, _, tools) =>
        {
            try
            {
                var picture = tools.Reader.Read(files[i], MostPixels);
                contents[i] = Hash(picture);
                InterlockedMax(ref channels, picture.Channels);
                tools.Resize.Centre(picture, 3, pixels.AsSpan(i * size, size));
            }
            catch (DataException e)
            {
                unreadable[i] = e;
            }
            return tools;
        }, tools => tools.Reader.Dispose());
        int[] readable = [.. Readable(files, folder, unreadable, notes)];
        bool labelled = readable.Select(i => Path.GetDirectoryName(files[i])).Distinct().Count() is > 1 and <= LargestLabel;
        int[] kept = [.. WithoutCopies(readable, i => (contents[i], labelled ? Path.GetDirectoryName(files[i])! : ""), files, folder,
            notes)];
        int elsewhere = kept.Length - kept.DistinctBy(i => contents[i]).Count();
        if (elsewhere > 0)
            notes.Add($"{folder}: {elsewhere} of {kept.Length} pictures {(elsewhere == 1 ? "is" : "are")} in more than one class; some may "
                + $"be trained on and tested on");
        if (kept.Length < FewestImages)
            throw DataException.In(folder, $"{kept.Length} different pictures that can be read", $"{FewestImages} or more",
                "give --data-dir the folder that holds them");

        pixels = Packed(pixels, kept, size, channels);
        string[] groups = [.. kept.Select(i => Path.GetDirectoryName(files[i])!).Distinct().Order(StringComparer.Ordinal)];
        byte[]? labels = labelled ? [.. kept.Select(i =>
            (byte)Array.BinarySearch(groups, Path.GetDirectoryName(files[i])!, StringComparer.Ordinal))] : null;
        return new ImageDataset("folder", "all", kept.Length, side, side, channels, pixels, labels, labelled ? groups.Length : 0,
            ImageDataset.ByteScale).CheckConsistency(folder);
    }

    /// <summary>The indices of the files that could be read.</summary>
    private static IEnumerable<int> Readable(string[] files, string folder, ConcurrentDictionary<int, DataException> unreadable,
        List<string> notes)
    {
        if (unreadable.IsEmpty)
            return Enumerable.Range(0, files.Length);
        int[] bad = [.. unreadable.Keys.Order()];
        if (bad.Length == files.Length || bad.Length > MostUnreadable * files.Length)
            throw bad.Length == 1 ? unreadable[bad[0]] : new DataException(
                $"{unreadable[bad[0]].Message}; it is one of {bad.Length} of {files.Length} pictures in {folder} that cannot be read, and "
                    + $"more than {100 * MostUnreadable:0} % are too many to skip", unreadable[bad[0]]);
        notes.Add($"{folder}: {bad.Length} of {files.Length} pictures cannot be read and {(bad.Length == 1 ? "is" : "are")} skipped: "
            + $"{Some([.. bad.Select(i => Path.GetRelativePath(folder, files[i]))])}; the first: {unreadable[bad[0]].Message}");
        return Enumerable.Range(0, files.Length).Except(bad);
    }

    /// <summary>
    /// Of pictures with the same pixels the first; the same picture to train and to test on would make a model look better than it is.
    /// </summary>
    /// <param name="key">Equal for pictures of which one is enough.</param>
    private static IEnumerable<int> WithoutCopies(int[] readable, Func<int, (UInt128, string)> key, string[] files, string folder,
        List<string> notes)
    {
        int[] first = [.. readable.DistinctBy(key)];
        if (first.Length == readable.Length)
            return first;
        string[] copies = [.. readable.Except(first).Select(i => Path.GetRelativePath(folder, files[i]))];
        notes.Add($"{folder}: {copies.Length} of {files.Length} pictures {(copies.Length == 1 ? "is a copy" : "are copies")} of others and "
            + $"{(copies.Length == 1 ? "is" : "are")} left out: {Some(copies)}");
        return first;
    }

    /// <summary>The pictures that are kept, one after the other, as grey where all of them are.</summary>
    private static byte[] Packed(byte[] pixels, int[] kept, int size, int channels)
    {
        if (channels == 3 && kept.Length * size == pixels.Length)
            return pixels;
        byte[] packed = new byte[kept.Length * (size / 3 * channels)];
        int at = 0;
        foreach (int i in kept)
            if (channels == 3)
            {
                pixels.AsSpan(i * size, size).CopyTo(packed.AsSpan(at));
                at += size;
            }
            else
            {
                for (int p = i * size; p < (i + 1) * size; p += 3)
                    packed[at++] = pixels[p];
            }
        return packed;
    }

    /// <summary>A number that tells pictures apart: of their size and pixels.</summary>
    private static UInt128 Hash(Picture picture)
    {
        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(picture.Pixels.Span, sum);
        return new(BitConverter.ToUInt64(sum) ^ (ulong)picture.Width, BitConverter.ToUInt64(sum[8..]) ^ (ulong)picture.Channels);
    }

    private static string Some(IReadOnlyList<string> names) => names.Count <= Listed ? string.Join(", ", names)
        : $"{string.Join(", ", names.Take(Listed))} and {names.Count - Listed} more";

    private static void InterlockedMax(ref int target, int value)
    {
        int seen = Volatile.Read(ref target);
        while (seen < value && Interlocked.CompareExchange(ref target, value, seen) is var now && now != seen)
            seen = now;
    }
}
