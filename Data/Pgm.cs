using System.Globalization;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>A grey picture.</summary>
/// <param name="Width">Columns of the image.</param>
/// <param name="Height">Rows of the image.</param>
/// <param name="Pixels">[Height, Width], 0 to 255.</param>
internal sealed record GreyImage(int Width, int Height, byte[] Pixels);

/// <summary>PGM in its binary form, P5, up to 255 grey levels.</summary>
internal static class Pgm
{
    private const int LargestSide = 1 << 15;
    private const int LongestToken = 16;

    /// <exception cref="DataException">The file is missing, of another kind, or holds more or fewer pixels than its header
    /// says.</exception>
    public static GreyImage Read(string path) => DataFile.Read(path, stream => Read(stream, path));

    /// <param name="stream">A stream that knows its length.</param>
    /// <param name="file">The name used in errors.</param>
    public static GreyImage Read(Stream stream, string file) => DataFile.Guard(file, () =>
    {
        string magic = Token(stream);
        if (magic != "P5")
            throw DataException.In(file, $"a file that starts with '{magic}'", "P5, a binary PGM", "convert the picture");
        int width = Number(stream, file, "width", LargestSide);
        int height = Number(stream, file, "height", LargestSide);
        int white = Number(stream, file, "grey levels", byte.MaxValue);
        long left = stream.Length - stream.Position;
        if (left != (long)width * height)
            throw DataFile.WrongLength(file, stream.Length, stream.Position + (long)width * height);
        byte[] pixels = GC.AllocateUninitializedArray<byte>(width * height);
        stream.ReadExactly(pixels);
        if (white < byte.MaxValue)
            for (int i = 0; i < pixels.Length; i++)
                pixels[i] = (byte)(Math.Min(pixels[i], white) * byte.MaxValue / white);
        return new GreyImage(width, height, pixels);
    });

    private static int Number(Stream stream, string file, string name, int most)
    {
        string text = Token(stream);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= 1 && value <= most
            ? value
            : throw DataException.In(file, $"{name} of '{text}'", $"1 to {most}");
    }

    /// <summary>The next word of the header; the one blank after it is consumed, comments before it are skipped.</summary>
    private static string Token(Stream stream)
    {
        var token = new StringBuilder();
        for (int c = stream.ReadByte(); c >= 0 && token.Length < LongestToken; c = stream.ReadByte())
        {
            if (c == '#' && token.Length == 0)
                while (c is >= 0 and not '\n')
                    c = stream.ReadByte();
            if (c is ' ' or '\t' or '\r' or '\n')
            {
                if (token.Length > 0)
                    break;
            }
            else if (c >= 0)
                token.Append((char)c);
        }
        return token.ToString();
    }
}
