using VaeFromScratch.Data.Synthetic;

namespace VaeFromScratch.Data.KnownFactors;

/// <summary>How dSprites are dressed.</summary>
internal enum Dress
{
    /// <summary>The shape in a random colour of brightness 1/2 to 1, on black.</summary>
    Colour,
    /// <summary>A white shape on colour noise, uniform in each pixel and channel.</summary>
    Noise,
}

/// <summary>
/// dSprites with a nuisance that is no factor (Locatello et al. 2019): a random colour, or a noisy background. Both are drawn by a fixed
/// seed for each image.
/// </summary>
internal static class DressedSprites
{
    private const ulong Seed = 1;
    private const uint Stream = 0x64726573;
    private const int BlockImages = 500;

    public static FactorSource Read(ImageDataset sprites, Dress dress, string name)
    {
        var truth = sprites.Factors!;
        return new(name, sprites.Height, sprites.Width, 3, truth.Names, truth.Sizes, [GroundTruth.Shape], Array.ConvertAll(truth.Classes,
            c => (byte)c), () => Blocks(sprites, dress));
    }

    private static IEnumerable<ImageBlock> Blocks(ImageDataset sprites, Dress dress)
    {
        int pixels = sprites.Height * sprites.Width;
        for (int first = 0; first < sprites.Count; first += BlockImages)
        {
            int start = first, count = Math.Min(BlockImages, sprites.Count - first);
            byte[] block = new byte[count * pixels * 3];
            Parallel.For(0, count, i =>
            {
                var random = new HostRandom(Seed, Stream, (uint)(start + i), (uint)dress);
                var shape = sprites.Image(start + i);
                byte[] colour = new byte[3];
                for (int c = 0; c < 3; c++)
                    colour[c] = (byte)Math.Round(255 * random.Uniform(0.5, 1));
                for (int p = 0; p < pixels; p++)
                    for (int c = 0; c < 3; c++)
                        block[(i * pixels + p) * 3 + c] = shape[p] == 0 ? dress == Dress.Noise ? (byte)Math.Round(255 * random.Uniform())
                            : (byte)0
                            : dress == Dress.Noise ? byte.MaxValue : colour[c];
            });
            yield return new(first, block);
        }
    }
}
