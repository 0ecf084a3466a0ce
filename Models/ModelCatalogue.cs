using System.Globalization;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Zoo;

namespace VaeFromScratch.Models;

/// <summary>One model of the papers: where it comes from, what it is by default, how it is made.</summary>
/// <param name="Defaults">The configuration that this model starts from.</param>
/// <param name="Options">The keys of the configuration that matter to this model beyond those that matter to all.</param>
public sealed record ModelDescription(string Name, string Paper, string Equation, RunConfiguration Defaults, string[] Options, Func<VaeParts, RunConfiguration, VaeModel> Create);

/// <summary>The models there are, by name, and how one is put together from a configuration.</summary>
public static class ModelCatalogue
{
    public static IReadOnlyList<ModelDescription> All { get; } =
    [
        new("vae", "papers 1, 2; Kingma and Welling 2014", "(V3) with beta 1", new() { Model = "vae", Beta = 1 }, ["beta", "kl_warm_up_epochs"],
            (parts, c) => new BetaVae(parts, c.Beta, c.KlWarmUpEpochs)),
        new("beta-vae", "papers 1, 2; Higgins et al. 2017", "(V3)", new() { Model = "beta-vae" }, ["beta", "kl_warm_up_epochs"],
            (parts, c) => new BetaVae(parts, c.Beta, c.KlWarmUpEpochs)),
        new("capacity-vae", "paper 5; Burgess et al. 2018", "(V4)", new() { Model = "capacity-vae" }, ["gamma", "capacity", "capacity_epochs"],
            (parts, c) => new CapacityVae(parts, c.Gamma, c.Capacity, c.CapacityEpochs)),
    ];

    /// <exception cref="OptionException">There is no such model.</exception>
    public static ModelDescription Find(string name) => All.FirstOrDefault(m => m.Name == name)
        ?? throw new OptionException($"model '{name}' does not exist; models are {string.Join(", ", All.Select(m => m.Name))}");

    /// <param name="pixelVariance">Variance of the training pixels, where a learned sigma^2 starts.</param>
    /// <exception cref="OptionException">The configuration cannot be built for these images.</exception>
    public static VaeModel Create(Compute compute, RunConfiguration configuration, ImageShape image, double pixelVariance)
    {
        configuration.Validate();
        var description = Find(configuration.Model);
        var noise = CreateNoise(configuration, pixelVariance);
        var init = new Initialise(configuration.Seed);
        try
        {
            var (encoder, decoder) = CreateNetworks(configuration, image, noise.DecoderChannels(image.Channels), init);
            return description.Create(new(compute, image, configuration.Latents, encoder, decoder, noise, new Rng(compute, configuration.Seed)), configuration);
        }
        catch (ArgumentException e)
        {
            throw new OptionException(e.Message);
        }
    }

    private static (GaussianEncoder, Module) CreateNetworks(RunConfiguration c, ImageShape image, int outputChannels, Initialise init)
    {
        if (c.Network == "conv")
            return (ConvolutionalNets.Encoder(image, c.Latents, init), ConvolutionalNets.Decoder(image, c.Latents, outputChannels, init));
        if (c.Network.StartsWith("mlp:", StringComparison.Ordinal))
        {
            var widths = c.Network[4..].Split(',').Select(w => int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n > 0 ? n : 0).ToArray();
            if (!widths.Contains(0))
                return (MlpNets.Encoder(image, c.Latents, widths, init), MlpNets.Decoder(image, c.Latents, outputChannels, widths, init));
        }
        throw new OptionException($"network '{c.Network}': expected conv, or mlp: and widths such as mlp:500,500");
    }

    private static NoiseModel CreateNoise(RunConfiguration c, double pixelVariance)
    {
        double start = c.NoiseStart > 0 ? c.NoiseStart : pixelVariance;
        if (c.Noise == "learned")
            return c.NoiseUpdate == "gradient"
                ? new GradientNoise(c.NoiseStart > 0 ? c.NoiseStart : 1)
                : new ClosedFormNoise(new(start, c.NoiseDecay, c.NoiseMaximumChange, c.NoiseFloor));
        if (c.Noise.StartsWith("fixed:", StringComparison.Ordinal) && double.TryParse(c.Noise[6..], CultureInfo.InvariantCulture, out double variance) && variance > 0)
            return new FixedNoise(variance);
        throw new OptionException($"noise '{c.Noise}': expected learned, or fixed: and a variance such as fixed:0.01");
    }
}
