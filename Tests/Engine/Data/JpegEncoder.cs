using System.Runtime.InteropServices;
using NUnit.Framework;
using VaeFromScratch.Data.Images;

namespace VaeFromScratch.Tests.Engine.Data;

/// <summary>Makes JPEG files for tests with libturbojpeg.</summary>
internal static class JpegEncoder
{
    private const int Rgb = 0, Grey = 6, Cmyk = 11, NoSubsampling = 0, GreySubsampling = 3, Progressive = 16384;

    /// <summary>Skips the test where the library is not installed.</summary>
    public static void Require()
    {
        if (!TurboJpeg.IsInstalled)
            Assert.Ignore("libturbojpeg is not installed");
    }

    public static byte[] Encode(byte[] pixels, int width, int height, int channels, int quality = 95, bool progressive = false) =>
        Encode(pixels, width, height, channels, channels == 1 ? Grey : Rgb, quality, progressive);

    /// <param name="inks">[height, width, 4]: cyan, magenta, yellow and black, 255 for none of it, as printers' files hold them.</param>
    public static byte[] EncodeCmyk(byte[] inks, int width, int height) =>
        Encode(inks, width, height, 4, Cmyk, quality: 95, progressive: false);

    private static byte[] Encode(byte[] pixels, int width, int height, int channels, int format, int quality, bool progressive)
    {
        nint handle = InitCompress();
        nint jpeg = 0;
        try
        {
            CULong size = default;
            int failed = Compress(handle, pixels, width, width * channels, height, format, ref jpeg, ref size, channels == 1
                ? GreySubsampling : NoSubsampling, quality, progressive ? Progressive : 0);
            Assert.That(failed, Is.Zero, "tjCompress2");
            byte[] bytes = new byte[size.Value];
            Marshal.Copy(jpeg, bytes, 0, bytes.Length);
            return bytes;
        }
        finally
        {
            Free(jpeg);
            Destroy(handle);
        }
    }

    /// <summary>A smooth colour picture that differs from number to number.</summary>
    public static byte[] Smooth(int width, int height, int channels, int number)
    {
        byte[] pixels = new byte[width * height * channels];
        for (int i = 0; i < pixels.Length; i++)
        {
            int x = i / channels % width, y = i / channels / width;
            pixels[i] = (byte)(128 + 100 * Math.Sin(0.05 * x + 0.03 * y * (1 + i % channels) + number));
        }
        return pixels;
    }

    [DllImport("libturbojpeg.so.0", EntryPoint = "tjInitCompress")]
    private static extern nint InitCompress();

    [DllImport("libturbojpeg.so.0", EntryPoint = "tjCompress2")]
    private static extern int Compress(nint handle, byte[] pixels, int width, int pitch, int height, int format, ref nint jpeg,
        ref CULong size, int subsampling, int quality, int flags);

    [DllImport("libturbojpeg.so.0", EntryPoint = "tjFree")]
    private static extern void Free(nint buffer);

    [DllImport("libturbojpeg.so.0", EntryPoint = "tjDestroy")]
    private static extern int Destroy(nint handle);
}
