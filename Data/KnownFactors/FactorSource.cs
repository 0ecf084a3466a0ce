namespace VaeFromScratch.Data.KnownFactors;

/// <summary>Some images in file order.</summary>
/// <param name="First">Index of the first.</param>
/// <param name="Pixels">0 to 255, [images, Height, Width, Channels].</param>
internal readonly record struct ImageBlock(int First, byte[] Pixels);

/// <summary>A set of images whose factors are known, read from front to back so that it may be larger than memory.</summary>
/// <param name="Name">As in the catalogue.</param>
/// <param name="Factors">The factors' names.</param>
/// <param name="Sizes">How many values each takes, at most 256.</param>
/// <param name="Unordered">The names of those whose values have no order.</param>
/// <param name="Classes">Each image's value, [Count, factors].</param>
/// <param name="Blocks">The images in file order, all of them, a block at a time.</param>
internal sealed record FactorSource(string Name, int Height, int Width, int Channels, string[] Factors, int[] Sizes, string[] Unordered,
    byte[] Classes,
    Func<IEnumerable<ImageBlock>> Blocks)
{
    public int Count => Classes.Length / Factors.Length;

    public int Bytes => Height * Width * Channels;

    /// <summary>The values of a complete grid in file order, the last factor changing fastest, [product of sizes, factors].</summary>
    public static byte[] Grid(int[] sizes)
    {
        int count = sizes.Aggregate(1, (product, n) => checked(product * n));
        var classes = new byte[count * sizes.Length];
        for (int i = 0; i < count; i++)
            for (int f = sizes.Length - 1, rest = i; f >= 0; rest /= sizes[f--])
                classes[i * sizes.Length + f] = (byte)(rest % sizes[f]);
        return classes;
    }
}
