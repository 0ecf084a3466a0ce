using System.Diagnostics.CodeAnalysis;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Nets;

/// <summary>
/// What says of which class an image is, as a user writes it: shared (a head on the encoder), conv:CHANNELS,... (strided convolutions) or
/// pool:CHANNELS,... (with maximum pooling).
/// </summary>
/// <param name="Channels">Null for 32,64,128.</param>
internal sealed record ClassifierKind(string Name, Widths? Channels = null) : IParsable<ClassifierKind>
{
    internal const string Expected = "shared, conv, pool, or conv: or pool: with channels such as conv:32,64,128";

    /// <exception cref="FormatException">There is no such classifier.</exception>
    public static ClassifierKind Parse(string s, IFormatProvider? provider) => TryParse(s, provider, out var result) ? result
        : throw new FormatException($"'{s}': expected {Expected}");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out ClassifierKind result)
    {
        string[] parts = (s ?? "").Split(':', 2);
        var channels = parts.Length > 1 && Widths.TryParse(parts[1], provider, out var widths) ? widths : null;
        result = (parts[0], parts.Length) switch
        {
            ("shared" or "conv" or "pool", 1) => new(parts[0]),
            ("conv" or "pool", 2) when channels is not null => new(parts[0], channels),
            _ => null,
        };
        return result is not null;
    }

    /// <summary>From images, or from the encoder's features where it is shared, to logits [B, <paramref name="classes"/>].</summary>
    internal Module Create(VaeParts parts, int classes, Initialise init)
    {
        int[] channels = Channels?.Values ?? [32, 64, 128];
        return Name switch
        {
            "conv" => Classifiers.Strided(parts.Image, classes, channels, init),
            "pool" => Classifiers.Pooled(parts.Image, classes, channels, init),
            _ => new Linear("encoder.classifier", parts.Encoder.FeatureCount, classes, init),
        };
    }

    public override string ToString() => Channels is null ? Name : $"{Name}:{Channels}";
}
