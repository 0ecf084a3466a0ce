using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Own;

namespace VaeFromScratch.Models.Nets;

/// <summary>The size of one image, NHWC without the N; of a row of a table its columns stand side by side, [1, W, 1].</summary>
public readonly record struct ImageShape(int Height, int Width, int Channels)
{
    private const string OfTable = " table";

    /// <summary>How the columns lie; null for pictures.</summary>
    internal TableLayout? Table { get; init; }

    /// <summary>The size of the images of a set.</summary>
    public static ImageShape Of(ImageDataset dataset) =>
        new(dataset.Height, dataset.Width, dataset.Channels) { Table = dataset.Columns?.Layout };

    /// <summary>What <see cref="ToString"/> wrote; null for anything else.</summary>
    public static ImageShape? TryParse(string text)
    {
        string[] parts = text.Split(OfTable, 2);
        if (Numbers(parts[0], 'x') is not [> 0 and var h, > 0 and var w, > 0 and var c])
            return null;
        if (parts.Length == 1)
            return new(h, w, c);
        int[] categories = parts[1] == "" ? [] : Numbers(parts[1].TrimStart(), ',');
        return h == 1 && c == 1 && categories.All(size => size > 0) && categories.Sum(size => (long)size) <= w
            ? new(h, w, c) { Table = new(w - categories.Sum(), categories) } : null;
    }

    public int Pixels => Height * Width * Channels;

    /// <summary>28x28x1; of a table also how many values each category has, which are the last columns: 1x8x1 table 3,2.</summary>
    public override string ToString() => $"{Height}x{Width}x{Channels}"
        + (Table is null ? "" : $"{OfTable}{(Table.Categories.Count > 0 ? " " : "")}{string.Join(',', Table.Categories)}");

    /// <summary>Whole numbers between separators; 0 for what is none.</summary>
    private static int[] Numbers(string text, char separator) => [.. text.Split(separator).Select(size =>
        int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : 0)];
}
