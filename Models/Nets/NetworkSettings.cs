using System.Diagnostics.CodeAnalysis;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Nets;

/// <summary>Where batch normalisation comes between the hidden layers.</summary>
public enum BatchNormPlaces
{
    None,
    Encoder,
    All,
}

/// <summary>Encoder and decoder, and how many factors there are between them.</summary>
public sealed record NetworkSettings
{
    [Setting("encoder and decoder", Expected = NetworkKind.Expected)]
    public NetworkKind Network { get; init; } = new("conv");

    [Setting("where batch normalisation comes between the hidden layers")]
    public BatchNormPlaces BatchNorm { get; init; }

    [Setting("slope of the hidden layers' activation below 0; 0 is ReLU", Least = 0, Below = 1)]
    public double LeakySlope { get; init; }

    [Setting("number of factors", Least = 1)]
    public int Latents { get; init; } = 128;

    private const int BurgessLayers = 2;

    /// <param name="heads">Numbers that each of the encoder's heads puts out.</param>
    /// <param name="codeLength">Numbers that the decoder reads.</param>
    internal (GaussianEncoder Encoder, Module Decoder) Create(ImageShape image, int heads, int codeLength, int outputChannels,
        Initialise init)
    {
        var hidden = new HiddenLayers(BatchNorm != BatchNormPlaces.None, LeakySlope);
        var hiddenOfDecoder = hidden with { BatchNorm = BatchNorm == BatchNormPlaces.All };
        return Network switch
        {
            { Name: "mlp", Widths: { } widths } => (MlpNets.Encoder(image, heads, widths.Values, hidden, init),
                MlpNets.Decoder(image, codeLength, outputChannels, Network.Decoder is { } decoder ? [.. decoder.Values.Reverse()]
                    : widths.Values, hiddenOfDecoder, init)),
            { Name: "exon" } => (ExonNets.Encoder(image, heads, init), ExonNets.Decoder(image, codeLength, outputChannels, init)),
            { Name: "burgess" } => (
                ConvolutionalNets.Encoder(image, heads, ConvolutionalNets.BurgessChannels(image), hidden, init, BurgessLayers),
                ConvolutionalNets.Decoder(image, codeLength, outputChannels, ConvolutionalNets.BurgessChannels(image), hiddenOfDecoder,
                    init, BurgessLayers)),
            var conv => (ConvolutionalNets.Encoder(image, heads, conv.Widths?.Values, hidden, init),
                ConvolutionalNets.Decoder(image, codeLength, outputChannels, conv.Widths?.Values, hiddenOfDecoder, init)),
        };
    }
}

/// <summary>
/// A kind of network as a user writes it: conv (papers 1 and 2), conv:CHANNELS,... for other channels in the same design,
/// burgess (Burgess et al. 2018: 32 channels throughout and two hidden layers), exon (paper 4, tables 1 and 2), mlp:WIDTH,... for fully
/// connected layers, or mlp:WIDTHS/WIDTHS where the decoder's, from the code to the image, are not
/// the encoder's backwards.
/// </summary>
/// <param name="Widths">Null for those of the papers.</param>
/// <param name="Decoder">From the code to the image; null for the encoder's backwards.</param>
public sealed record NetworkKind(string Name, Widths? Widths = null, Widths? Decoder = null) : IParsable<NetworkKind>
{
    internal const string Expected =
        "conv, conv: and channels such as conv:8,8, burgess, exon, mlp: and widths such as mlp:500,500, or mlp: with the decoder's "
        + "behind a slash such as mlp:500,1000/500,500";

    /// <exception cref="FormatException">There is no such network.</exception>
    public static NetworkKind Parse(string s, IFormatProvider? provider) => TryParse(s, provider, out var result) ? result
        : throw new FormatException($"'{s}': expected {Expected}");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out NetworkKind result)
    {
        string[] parts = (s ?? "").Split(':', 2), sides = parts.Length > 1 ? parts[1].Split('/', 2) : [];
        var widths = sides.Length > 0 && Settings.Widths.TryParse(sides[0], provider, out var first) ? first : null;
        var decoder = sides.Length > 1 && Settings.Widths.TryParse(sides[1], provider, out var second) ? second : null;
        result = (parts[0], sides.Length) switch
        {
            ("conv" or "exon" or "burgess", 0) => new(parts[0]),
            ("conv" or "mlp", 1) when widths is not null => new(parts[0], widths),
            ("mlp", 2) when widths is not null && decoder is not null => new("mlp", widths, decoder),
            _ => null,
        };
        return result is not null;
    }

    public override string ToString() => $"{Name}{(Widths is null ? "" : $":{Widths}")}{(Decoder is null ? "" : $"/{Decoder}")}";
}
