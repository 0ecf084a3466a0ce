namespace VaeFromScratch.Data.Synthetic;

/// <summary>
/// Grey pictures of one smooth-edged shape whose kind, place, size and angle are known, for disentanglement metrics without a download.
/// </summary>
internal static class SyntheticShapes
{
    public const int Side = 32;
    private const uint Stream = 0x73686170;
    private static readonly string[] Names = [GroundTruth.Shape, "position x", "position y", "scale", "orientation"];
    private static readonly int[] Sizes = [3, 12, 12, 5, 10];

    /// <summary>Draws images whose factors are independent and uniform over their grids.</summary>
    /// <param name="count">Images; any prefix of a longer set is the shorter set.</param>
    public static ImageDataset Create(int count, ulong seed = 1, string split = "all")
    {
        byte[] pixels = new byte[count * Side * Side];
        var truth = new GroundTruth(Names, Sizes, new int[count * Sizes.Length], new float[count * Sizes.Length]);
        uint part = split == "test" ? 1u : 0;
        Parallel.For(0, count, image =>
        {
            var random = new HostRandom(seed, Stream, (uint)image, part);
            var classes = truth.Classes.AsSpan(image * Sizes.Length, Sizes.Length);
            for (int factor = 0; factor < Sizes.Length; factor++)
                classes[factor] = random.Below(Sizes[factor]);
            var values = truth.Values.AsSpan(image * Sizes.Length, Sizes.Length);
            values[0] = classes[0];
            values[1] = 0.25f + 0.5f * classes[1] / (Sizes[1] - 1);
            values[2] = 0.25f + 0.5f * classes[2] / (Sizes[2] - 1);
            values[3] = 0.12f + 0.10f * classes[3] / (Sizes[3] - 1);
            values[4] = 2 * MathF.PI * classes[4] / Sizes[4] / Symmetry(classes[0]);
            Draw(values, pixels.AsSpan(image * Side * Side, Side * Side));
        });
        byte[] labels = [.. Enumerable.Range(0, count).Select(i => (byte)truth.Classes[i * Sizes.Length])];
        return new ImageDataset("synthetic-shapes", split, count, Side, Side, Channels: 1, pixels, labels, Sizes[0],
            ImageDataset.ByteScale)
        { Factors = truth }.CheckConsistency("synthetic-shapes");
    }

    public static DatasetSplits CreateSplits(int train = 20_000, int test = 5_000, ulong seed = 1) =>
        new(Create(train, seed, "train"), Create(test, seed, "test"));

    /// <summary>Angles that look the same in a full turn: a square has four, a triangle three, a half disc one.</summary>
    private static int Symmetry(int shape) => shape switch { 0 => 4, 1 => 3, _ => 1 };

    private static void Draw(ReadOnlySpan<float> factors, Span<byte> pixels)
    {
        var (sin, cos) = MathF.SinCos(factors[4]);
        for (int y = 0; y < Side; y++)
            for (int x = 0; x < Side; x++)
            {
                float dx = (x + 0.5f) / Side - factors[1], dy = (y + 0.5f) / Side - factors[2];
                float inside = Distance((int)factors[0], (cos * dx + sin * dy) / factors[3], (cos * dy - sin * dx) / factors[3])
                    * factors[3] * Side;
                // One pixel of grey on the edge: the picture changes smoothly with every factor.
                pixels[y * Side + x] = (byte)MathF.Round(255 * Math.Clamp(0.5f - inside, 0, 1));
            }
    }

    /// <summary>How far a point is outside the shape of radius 1, negative inside.</summary>
    private static float Distance(int shape, float x, float y) => shape switch
    {
        0 => Math.Max(Math.Abs(x), Math.Abs(y)) - 0.8f,
        1 => Math.Max(y, Math.Max(-0.5f * y + 0.8660254f * x, -0.5f * y - 0.8660254f * x)) - 0.6f,
        _ => Math.Max(MathF.Sqrt(x * x + y * y) - 1, y),
    };
}
