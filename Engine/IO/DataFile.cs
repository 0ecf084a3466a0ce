using System.Text.Json;

namespace VaeFromScratch.Engine.IO;

/// <summary>Opens files for the readers, and turns what the system throws at a bad file into a <see cref="DataException"/>.</summary>
internal static class DataFile
{
    /// <summary>Deflate cannot expand its input by more than this, so a larger promise is a lie and is refused before memory is taken.</summary>
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
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataException.In(file, "the file cannot be read", "a readable file", "check its permissions and the disk", e);
        }
    }

    /// <summary>Whether <paramref name="compressed"/> bytes of deflate can hold <paramref name="promised"/> bytes.</summary>
    public static bool CanInflateTo(long compressed, long promised) => promised <= MostInflated(compressed);

    /// <summary>The most bytes that <paramref name="compressed"/> bytes of deflate can hold.</summary>
    public static long MostInflated(long compressed) => Math.Min(compressed, long.MaxValue / LargestDeflateRatio - 1) * LargestDeflateRatio + LargestDeflateRatio;

    /// <summary>The error of a file that holds fewer or more bytes than its header says.</summary>
    public static DataException WrongLength(string file, long found, long expected) =>
        DataException.In(file, $"{found} bytes", $"{expected} by its header", found < expected ? "the file is cut short; fetch it again" : "the file has bytes after its end; fetch it again");
}
