namespace VaeFromScratch.Engine.Data;

/// <summary>Tells compressed files from plain ones, and finds whichever of the two is there.</summary>
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

    /// <summary>The file itself when it is there, else with .gz after its name; null when neither is.</summary>
    public static string? Find(string plainPath) =>
        File.Exists(plainPath) ? plainPath : File.Exists(plainPath + ".gz") ? plainPath + ".gz" : null;
}
