namespace VaeFromScratch.Engine.IO;

/// <summary>Lays images out in rows and columns: traversals, samples, reconstructions.</summary>
/// <param name="Height">Rows of one image.</param>
/// <param name="Width">Columns of one image.</param>
/// <param name="Channels">1 or 3.</param>
/// <param name="Columns">Images side by side.</param>
internal sealed record ImageGrid(int Height, int Width, int Channels, int Columns)
{
    /// <summary>Pixels between images and around them, after upscaling.</summary>
    public int Gap { get; init; } = 2;

    /// <summary>How many pixels wide and high each pixel becomes.</summary>
    public int Scale { get; init; } = 1;

    /// <summary>The value of gaps and empty places.</summary>
    public byte Background { get; init; } = 255;

    /// <summary>Draws the grid.</summary>
    /// <param name="images">[images, Height, Width, Channels]; values outside [0, 1] are clamped, NaN is drawn as 0.</param>
    /// <returns>A PNG.</returns>
    /// <exception cref="ArgumentException">The values are no whole number of images, or a size is not positive.</exception>
    public byte[] ToPng(ReadOnlySpan<float> images)
    {
        if (Height < 1 || Width < 1 || Channels is not (1 or 3) || Columns < 1 || Gap < 0 || Scale < 1)
            throw new ArgumentException(
                $"image grid: {Height} x {Width} x {Channels} images in {Columns} columns, gap {Gap}, scale {Scale}; sizes are 1 or more "
                + $"and channels 1 or 3");
        int pixelsPerImage = Height * Width * Channels;
        if (images.IsEmpty || images.Length % pixelsPerImage != 0)
            throw new ArgumentException(
                $"image grid: {images.Length} values are not a whole number of {Height} x {Width} x {Channels} images; pass [images, "
                + $"{Height}, {Width}, {Channels}]");
        int count = images.Length / pixelsPerImage;
        int columns = Math.Min(Columns, count);
        int rows = (count + columns - 1) / columns;
        int cellWidth = Width * Scale + Gap;
        int cellHeight = Height * Scale + Gap;
        int gridWidth = columns * cellWidth + Gap;
        byte[] pixels = new byte[checked((rows * cellHeight + Gap) * gridWidth * Channels)];
        pixels.AsSpan().Fill(Background);
        for (int i = 0; i < count; i++)
            Draw(images.Slice(i * pixelsPerImage, pixelsPerImage), pixels, gridWidth, top: Gap + i / columns * cellHeight,
                left: Gap + i % columns * cellWidth);
        return Png.Encode(new(gridWidth, rows * cellHeight + Gap, Channels, pixels));
    }

    private void Draw(ReadOnlySpan<float> image, Span<byte> pixels, int gridWidth, int top, int left)
    {
        for (int y = 0; y < Height * Scale; y++)
        {
            var from = image.Slice(y / Scale * Width * Channels, Width * Channels);
            var to = pixels.Slice(((top + y) * gridWidth + left) * Channels, Width * Scale * Channels);
            for (int x = 0; x < Width * Scale; x++)
                for (int channel = 0; channel < Channels; channel++)
                    to[x * Channels + channel] = ToByte(from[x / Scale * Channels + channel]);
        }
    }

    private static byte ToByte(float value) => float.IsNaN(value) ? (byte)0 : (byte)MathF.Round(Math.Clamp(value, 0, 1) * 255);
}
