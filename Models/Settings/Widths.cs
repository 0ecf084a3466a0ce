using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace VaeFromScratch.Models.Settings;

/// <summary>Sizes of layers one after another, such as 500,1000: units of fully connected layers, or channels of convolutions.</summary>
public sealed record Widths : IParsable<Widths>
{
    /// <param name="values">Positive.</param>
    public Widths(params int[] values) => Values = values;

    public int[] Values { get; }

    public int Count => Values.Length;

    /// <exception cref="FormatException">They are no positive whole numbers with commas between.</exception>
    public static Widths Parse(string s, IFormatProvider? provider) => TryParse(s, provider, out var result)
        ? result : throw new FormatException($"'{s}': expected widths such as 500,1000");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out Widths result)
    {
        int[] values = [.. (s ?? "").Split(',').Select(w => int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n
            : 0)];
        result = values.Contains(0) ? null : new(values);
        return result is not null;
    }

    public bool Equals(Widths? other) => other is not null && Values.AsSpan().SequenceEqual(other.Values);

    public override int GetHashCode() => Values.Aggregate(0, HashCode.Combine);

    public override string ToString() => string.Join(',', Values.Select(v => v.ToString(CultureInfo.InvariantCulture)));
}
