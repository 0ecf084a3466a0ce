namespace VaeFromScratch.Models.Nets;

/// <summary>The size of one image, NHWC without the N.</summary>
public readonly record struct ImageShape(int Height, int Width, int Channels)
{
    public int Pixels => Height * Width * Channels;

    public override string ToString() => $"{Height}x{Width}x{Channels}";
}
