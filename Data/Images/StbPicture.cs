using System.Buffers.Binary;
using StbImageSharp;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Images;

/// <summary>
/// Pictures by StbImageSharp: the kinds of PNG that <see cref="Png"/> does not decode, BMP, GIF (the first picture), and JPEG where
/// libturbojpeg is not installed or
/// does not convert the colours. That library takes cut files for whole ones and trusts headers, so both are looked at here first.
/// </summary>
internal static class StbPicture
{
    /// <summary>
    /// No such file packs more pixels than this into a byte, so a larger promise is a lie and is refused before memory is taken.
    /// </summary>
    private const long MostPixelsPerByte = 4096;

    private const int Grey = 1, Colour = 3;

    /// <summary>Whether the bytes start as a BMP or a GIF does.</summary>
    public static bool IsBmpOrGif(ReadOnlySpan<byte> bytes) => IsBmp(bytes) || IsGif(bytes);

    /// <param name="bytes">The file's contents; of a PNG, after <see cref="Png.Check"/>.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="mostPixels">A picture that promises more is refused.</param>
    /// <param name="channels">1 or 3; 0 for what the file has, without opacity.</param>
    /// <exception cref="DataException">The picture is damaged, cut short or too large.</exception>
    public static Picture Decode(byte[] bytes, string file, long mostPixels, int channels = 0)
    {
        CheckComplete(bytes, file);
        ImageResult result;
        try
        {
            using var stream = new EndingStream(bytes);
            if (ImageInfo.FromStream(stream) is not { } info)
                throw DataException.In(file, "a picture that cannot be decoded", "an undamaged PNG, JPEG, BMP or GIF",
                    "leave this picture out or convert it");
            long promised = (long)info.Width * info.Height;
            if (info.Width < 1 || info.Height < 1 || promised > mostPixels || promised / MostPixelsPerByte > bytes.Length)
                throw DataException.In(file, $"a header that promises {info.Width} x {info.Height} pixels in {bytes.Length} bytes",
                    $"at most {mostPixels} pixels", "leave this picture out");
            // A GIF is said to have four channels whatever its colours are.
            if (channels == 0)
                channels = !IsGif(bytes) && info.ColorComponents is ColorComponents.Grey or ColorComponents.GreyAlpha ? Grey : Colour;
            stream.Position = 0;
            result = ImageResult.FromStream(stream, channels == Grey ? ColorComponents.Grey : ColorComponents.RedGreenBlue);
        }
        catch (Exception e) when (e is not (DataException or OutOfMemoryException))
        {
            throw DataException.In(file, $"a picture that cannot be decoded ({e.Message.TrimEnd('.')})",
                "an undamaged PNG, JPEG, BMP or GIF", "leave this picture out or convert it", e);
        }
        return result.Data is { } pixels && pixels.LongLength == (long)result.Width * result.Height * channels
            ? new(result.Width, result.Height, channels, pixels)
            : throw DataException.In(file, $"{result.Data?.LongLength ?? 0} values of {result.Width} x {result.Height} pixels",
                "an undamaged picture", "leave this picture out or convert it");
    }

    private static bool IsBmp(ReadOnlySpan<byte> bytes) => bytes.StartsWith("BM"u8);

    private static bool IsGif(ReadOnlySpan<byte> bytes) => bytes.StartsWith("GIF87a"u8) || bytes.StartsWith("GIF89a"u8);

    private static void CheckComplete(ReadOnlySpan<byte> bytes, string file)
    {
        bool complete = bytes[0] switch
        {
            // The end marker behind the last scan; coded data never holds its bytes.
            0xFF => bytes.LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xD9]) > bytes.LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]),
            (byte)'G' => bytes.TrimEnd((byte)0).EndsWith(";"u8),
            (byte)'B' => HasAllRows(bytes),
            _ => true,
        };
        if (!complete)
            throw DataException.In(file, $"a picture that starts with {Convert.ToHexString(bytes[..Math.Min(4, bytes.Length)])} and ends "
                + $"early", "a complete file");
    }

    /// <summary>Whether a BMP is as long as its rows need: offset of the pixels, and rows of whole groups of four bytes.</summary>
    private static bool HasAllRows(ReadOnlySpan<byte> bytes)
    {
        const int ShortHeader = 12, Sizes = 14;
        if (bytes.Length < Sizes + 16)
            return false;
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(bytes[10..]);
        bool old = BinaryPrimitives.ReadUInt32LittleEndian(bytes[Sizes..]) == ShortHeader;
        long width = old ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[18..]) : BinaryPrimitives.ReadInt32LittleEndian(bytes[18..]);
        long height = old ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[20..])
            : Math.Abs((long)BinaryPrimitives.ReadInt32LittleEndian(bytes[22..]));
        int bits = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(old ? 24 : 28)..]);
        return width > 0 && offset + (width * bits + 31) / 32 * 4 * height <= bytes.Length;
    }

    /// <summary>
    /// Ends whoever reads on and on behind the last byte: the library takes zeros from there, some of its loops without end.
    /// </summary>
    private sealed class EndingStream(byte[] bytes) : MemoryStream(bytes, writable: false)
    {
        private const int MostBehindTheEnd = 1 << 10;
        private int behind;

        public override int ReadByte() => Checked(base.ReadByte(), -1);

        public override int Read(byte[] buffer, int offset, int count) => Checked(base.Read(buffer, offset, count), 0);

        public override int Read(Span<byte> buffer) => Checked(base.Read(buffer), 0);

        private int Checked(int read, int end) =>
            read != end || ++behind <= MostBehindTheEnd ? read : throw new EndOfStreamException("it reads on behind the end");
    }
}
