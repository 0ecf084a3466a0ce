using System.Runtime.InteropServices;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.KnownFactors;

/// <summary>
/// Cars3D (Reed et al. 2015): 183 cars from 4 elevations and 24 azimuths, 128 x 128 colour, scaled to 64 x 64; one MATLAB file a car.
/// </summary>
internal static class Cars3D
{
    private const int Side = 64;

    private static readonly string[] Factors = ["elevation", "azimuth", "car"];

    /// <summary>The files below a folder, in the order of their names.</summary>
    public static string[] Files(string folder) => Directory.Exists(folder) ? [.. Directory.GetFiles(folder, "*.mat",
        SearchOption.AllDirectories).Order(StringComparer.Ordinal)] : [];

    /// <param name="files">One a car, each with im [128, 128, 3, azimuths, elevations] of bytes.</param>
    /// <exception cref="DataException">One is damaged or of another shape than the first.</exception>
    public static FactorSource Read(string[] files)
    {
        if (files.Length is 0 or > byte.MaxValue + 1)
            throw DataException.In("cars3d", $"{files.Length} files *.mat", "one a car, 1 to 256");
        int[] shape = Load(files[0]).Shape;
        int azimuths = shape[3], elevations = shape[4];
        // In file order a car has its elevations, and each of these its azimuths.
        var classes = new byte[files.Length * elevations * azimuths * 3];
        for (int i = 0; i < classes.Length / 3; i++)
            (classes[3 * i], classes[3 * i + 1], classes[3 * i + 2]) = ((byte)(i / azimuths % elevations), (byte)(i % azimuths),
                (byte)(i / azimuths / elevations));
        return new("cars3d", Side, Side, 3, Factors, [elevations, azimuths, files.Length], ["car"], classes, () => Blocks(files, shape));
    }

    private static IEnumerable<ImageBlock> Blocks(string[] files, int[] expected)
    {
        int perCar = expected[3] * expected[4];
        for (int car = 0; car < files.Length; car++)
        {
            var (bytes, shape) = Load(files[car]);
            if (!shape.AsSpan().SequenceEqual(expected))
                throw DataException.In(files[car], $"im of shape {HostArray.Describe(shape)}", HostArray.Describe(expected));
            yield return new(car * perCar, Pictures(bytes, shape));
        }
    }

    /// <summary>From [rows, columns, channels, azimuths, elevations] to images by elevation and azimuth, scaled.</summary>
    private static byte[] Pictures(byte[] im, int[] shape)
    {
        var (h, w, azimuths, elevations) = (shape[0], shape[1], shape[3], shape[4]);
        byte[] picture = new byte[h * w * 3], result = new byte[azimuths * elevations * Side * Side * 3];
        var resize = new CropResize(Side, Side);
        for (int e = 0; e < elevations; e++)
            for (int a = 0; a < azimuths; a++)
            {
                for (int pixel = 0; pixel < h * w; pixel++)
                    for (int c = 0; c < 3; c++)
                        picture[pixel * 3 + c] = im[((pixel * 3 + c) * azimuths + a) * elevations + e];
                resize.Centre(new Picture(w, h, 3, picture), 3, result.AsSpan((e * azimuths + a) * Side * Side * 3, Side * Side * 3));
            }
        return result;
    }

    private static (byte[] Bytes, int[] Shape) Load(string file)
    {
        if (!MatFile.Read(file, ["im"]).TryGetValue("im", out var im) || im.Shape is not [> 0, > 0, 3, > 0 and <= byte.MaxValue,
            > 0 and <= byte.MaxValue])
            throw DataException.In(file, im is null ? "no variable 'im'" : $"im of shape {HostArray.Describe(im.Shape)}",
                "im of shape [128, 128, 3, 24, 4]");
        var values = MemoryMarshal.Cast<byte, double>(im.Bytes);
        byte[] bytes = new byte[values.Length];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = values[i] is >= 0 and <= byte.MaxValue ? (byte)values[i] : throw DataException.In(file, $"the pixel {values[i]}",
                "0 to 255");
        return (bytes, im.Shape);
    }
}
