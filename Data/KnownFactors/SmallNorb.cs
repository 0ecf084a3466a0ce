using System.Buffers.Binary;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.KnownFactors;

/// <summary>
/// SmallNORB (LeCun, Huang and Bottou 2004): 48 600 pairs of photographs of 50 toys, 96 x 96 grey, scaled to 64 x 64; of each pair the left
/// one. The published halves differ in their
/// toys; both are taken together, as for disentanglement.
/// </summary>
internal static class SmallNorb
{
    private const int Side = 64, BlockPairs = 500, ByteMatrix = 0x1E3D4C55, IntMatrix = 0x1E3D4C54;

    private static readonly string[] Factors = ["category", "instance", "elevation", "azimuth", "lighting"];

    /// <summary>The two published halves; each has -dat.mat (pictures), -cat.mat (category) and -info.mat (the other factors).</summary>
    public static readonly string[] Halves = ["smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing"];

    /// <summary>The files below a folder.</summary>
    public static string[] Files(string folder) => [.. Halves.SelectMany(half => ((string[])["dat", "cat",
        "info"]).Select(part => Path.Combine(folder, $"{half}-{part}.mat")))];

    /// <param name="folder">With the files of both halves.</param>
    /// <exception cref="DataException">One is missing or damaged.</exception>
    public static FactorSource Read(string folder)
    {
        var classes = new List<byte>();
        foreach (string half in Halves)
        {
            string catFile = Path.Combine(folder, $"{half}-cat.mat"), infoFile = Path.Combine(folder, $"{half}-info.mat");
            int[] cat = Ints(catFile, columns: 1), info = Ints(infoFile, columns: 4);
            if (info.Length != 4 * cat.Length)
                throw DataException.In(infoFile, $"{info.Length / 4} rows", $"{cat.Length}, as in {Path.GetFileName(catFile)}");
            for (int i = 0; i < cat.Length; i++)
                // The azimuth is stored in steps of 20 degrees, as even numbers.
                classes.AddRange([Checked(cat[i], catFile), Checked(info[4 * i], infoFile), Checked(info[4 * i + 1], infoFile),
                    Checked(info[4 * i + 2] / 2, infoFile), Checked(info[4 * i + 3], infoFile)]);
        }
        byte[] all = [.. classes];
        int[] sizes = [.. Enumerable.Range(0, Factors.Length).Select(f => 1 + Enumerable.Range(0,
            all.Length / Factors.Length).Max(i => all[i * Factors.Length + f]))];
        return new("smallnorb", Side, Side, 1, Factors, sizes, ["category", "instance"], all, () => Halves.SelectMany((half, h) =>
            Blocks(Path.Combine(folder, $"{half}-dat.mat"), first: h == 0 ? 0 : FirstOfSecond(folder))));
    }

    private static int FirstOfSecond(string folder) => Ints(Path.Combine(folder, $"{Halves[0]}-cat.mat"), columns: 1).Length;

    private static byte Checked(int value, string file) => value is >= 0 and <= byte.MaxValue ? (byte)value : throw DataException.In(file,
        $"the value {value}", "0 to 255");

    private static IEnumerable<ImageBlock> Blocks(string path, int first)
    {
        using var stream = DataFile.Guard(path, () => DataFile.Open(path));
        int[] shape = DataFile.Guard(path, () => Header(stream, path, ByteMatrix));
        if (shape is not [var pairs, 2, > 0 and var height, > 0 and var width])
            throw DataException.In(path, $"shape {HostArray.Describe(shape)}", "[pairs, 2, 96, 96]");
        int pair = 2 * height * width;
        var resize = new CropResize(Side, Side);
        byte[] block = new byte[BlockPairs * pair];
        for (int done = 0; done < pairs; done += BlockPairs)
        {
            int count = Math.Min(BlockPairs, pairs - done);
            DataFile.Guard(path, () =>
            {
                stream.ReadExactly(block, 0, count * pair);
                return true;
            });
            byte[] pixels = new byte[count * Side * Side];
            for (int i = 0; i < count; i++)
                resize.Centre(new Picture(width, height, 1, block.AsMemory(i * pair, height * width)), 1, pixels.AsSpan(i * Side * Side,
                    Side * Side));
            yield return new(first + done, pixels);
        }
    }

    private static int[] Ints(string path, int columns) => DataFile.Read(path, stream =>
    {
        int[] shape = Header(stream, path, IntMatrix);
        if (shape.Length == 0 || shape.Skip(1).Aggregate(1L, (a, b) => a * b) != columns
            || stream.Length - stream.Position != 4L * shape[0] * columns)
            throw DataException.In(path, $"shape {HostArray.Describe(shape)} and {stream.Length} bytes",
                $"[pictures, {columns}] and as many bytes");
        byte[] bytes = new byte[4 * shape[0] * columns];
        stream.ReadExactly(bytes);
        var values = new int[shape[0] * columns];
        for (int i = 0; i < values.Length; i++)
            values[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4 * i));
        return values;
    });

    /// <summary>
    /// A number that tells the type, the number of axes and their sizes, of which at least three are written; those beyond the axes are 1.
    /// </summary>
    private static int[] Header(Stream stream, string path, int type)
    {
        Span<byte> number = stackalloc byte[4];
        int Next(Span<byte> into)
        {
            stream.ReadExactly(into);
            return BinaryPrimitives.ReadInt32LittleEndian(into);
        }
        int found = Next(number), axes = Next(number);
        if (found != type || axes is < 1 or > 8)
            throw DataException.In(path, $"a file that starts with {found:X8} and {axes} axes",
                $"{type:X8}: a SmallNORB matrix of {(type == ByteMatrix ? "bytes" : "integers")}",
                "unpack the .gz and use it as published");
        int[] shape = new int[Math.Max(3, axes)];
        for (int i = 0; i < shape.Length; i++)
            shape[i] = Next(number);
        if (shape.Any(n => n is < 1 or > 1 << 24))
            throw DataException.In(path, $"shape {HostArray.Describe(shape)}", "sizes above 0");
        return shape[..axes];
    }
}
