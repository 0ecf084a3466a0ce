using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace VaeFromScratch.Engine.IO;

/// <summary>Opens files for the readers, and turns what the system throws at a bad file into a <see cref="DataException"/>.</summary>
internal static class DataFile
{
    /// <summary>
    /// Deflate cannot expand its input by more than this, so a larger promise is a lie and is refused before memory is taken.
    /// </summary>
    private const int LargestDeflateRatio = 1032;

    public static T Read<T>(string path, Func<FileStream, T> read) => Guard(path, () =>
    {
        using var stream = Open(path);
        return read(stream);
    });

    public static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16);

    /// <summary>As <see cref="Guard"/> for a file that is read piece by piece.</summary>
    public static IEnumerable<T> GuardEach<T>(string file, Func<IEnumerable<T>> read)
    {
        using var pieces = Guard(file, () => read().GetEnumerator());
        while (Guard(file, pieces.MoveNext))
            yield return pieces.Current;
    }

    public static T Guard<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw DataException.In(file, "there is no such file", "a readable file", "check the name and the data folder", e);
        }
        catch (EndOfStreamException e)
        {
            throw DataException.In(file, "the file ends early", "a complete file", inner: e);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException)
        {
            throw DataException.In(file, "the contents are damaged", "an undamaged file of this format", inner: e);
        }
        catch (DecoderFallbackException e)
        {
            throw DataException.In(file, $"line {LineOutsideUtf8(file)} is not UTF-8", "text in UTF-8", "save the file as UTF-8", e);
        }
        catch (UnauthorizedAccessException e) when (Directory.Exists(file))
        {
            throw DataException.In(file, "it is a folder", "a file", "name a file in it", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataException.In(file, "the file cannot be read", "a readable file", "check its permissions and the disk", e);
        }
    }

    /// <summary>The first line with bytes that are not UTF-8, from 1.</summary>
    private static int LineOutsideUtf8(string file) =>
        1 + File.ReadLines(file, Encoding.Latin1).TakeWhile(line => Utf8.IsValid(Encoding.Latin1.GetBytes(line))).Count();

    /// <summary>Whether <paramref name="compressed"/> bytes of deflate can hold <paramref name="promised"/> bytes.</summary>
    public static bool CanInflateTo(long compressed, long promised) => promised <= MostInflated(compressed);

    /// <summary>The most bytes that <paramref name="compressed"/> bytes of deflate can hold.</summary>
    public static long MostInflated(long compressed) =>
        Math.Min(compressed, long.MaxValue / LargestDeflateRatio - 1) * LargestDeflateRatio + LargestDeflateRatio;

    /// <summary>The error of a file that holds fewer or more bytes than its header says.</summary>
    public static DataException WrongLength(string file, long found, long expected) =>
        DataException.In(file, $"{found} bytes", $"{expected} by its header", found < expected
            ? "the file is cut short; replace it by a whole one" : "the file has bytes after its end; replace it by an undamaged copy");
}
