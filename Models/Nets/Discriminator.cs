using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Nets;

/// <summary>How the network of a discriminator is built and stepped; the weight names begin with "discriminator".</summary>
internal sealed record DiscriminatorSettings
{
    [Setting("widths of the discriminator's hidden layers", Key = "discriminator", Expected = "widths such as 1000,1000")]
    public Widths Widths { get; init; } = new(1000, 1000, 1000, 1000, 1000, 1000);

    [Setting("learning rate of the discriminator's Adam", Key = "discriminator_learning_rate", Above = 0, MayChange = true)]
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Adam with the moments that the papers of FactorVAE and WAE step their discriminators with.</summary>
    internal PhaseOptimiser Optimiser => new(LearningRate, Beta1: 0.5, Beta2: 0.9);
}

/// <summary>Tells two kinds of codes apart: fully connected, leaky ReLU of slope 0.2, one output.</summary>
internal sealed class Discriminator : Module
{
    private const float Slope = 0.2f;

    // Apart from the draws of encoder and decoder, so that a discriminator does not change their initial weights ("disc" in ASCII).
    private const uint Stream = 0x64697363;

    private readonly Sequential layers;

    /// <param name="seed">Of the initial weights.</param>
    public Discriminator(int latents, DiscriminatorSettings settings, ulong seed)
    {
        var init = new Initialise(seed, Stream);
        int[] widths = settings.Widths.Values;
        var modules = new List<Module>();
        int inputs = latents;
        for (int i = 0; i < widths.Length; inputs = widths[i++])
            modules.AddRange([new Linear($"discriminator.fc{i + 1}", inputs, widths[i], init), new LeakyReluLayer(Slope)]);
        modules.AddRange([new Linear($"discriminator.fc{widths.Length + 1}", inputs, 1, init), new ReshapeLayer()]);
        layers = new([.. modules]);
    }

    /// <summary>Log-odds that each code [B, H] is of the first kind, [B].</summary>
    public override Tensor Forward(Tensor z) => layers.Forward(z);
}
