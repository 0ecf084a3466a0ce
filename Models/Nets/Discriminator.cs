using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;

namespace VaeFromScratch.Models.Nets;

/// <summary>How the network of a discriminator is built and stepped; the weight names begin with "discriminator".</summary>
/// <param name="Widths">Of the hidden layers.</param>
/// <param name="LearningRate">Of its own Adam.</param>
/// <param name="Seed">Of the initial weights.</param>
public sealed record DiscriminatorSettings(int[] Widths, double LearningRate, ulong Seed)
{
    /// <summary>The moments that the papers of FactorVAE and WAE step their discriminators with.</summary>
    public const double Beta1 = 0.5, Beta2 = 0.9;
}

/// <summary>Tells two kinds of codes apart: fully connected, leaky ReLU of slope 0.2, one output.</summary>
public sealed class Discriminator : Module
{
    private const float Slope = 0.2f;

    // Apart from the draws of encoder and decoder, so that a discriminator does not change their initial weights ("disc" in ASCII).
    private const uint Stream = 0x64697363;

    private readonly Sequential layers;

    public Discriminator(int latents, DiscriminatorSettings settings)
    {
        var init = new Initialise(settings.Seed, Stream);
        var modules = new List<Module>();
        int inputs = latents;
        for (int i = 0; i < settings.Widths.Length; inputs = settings.Widths[i++])
            modules.AddRange([new Linear($"discriminator.fc{i + 1}", inputs, settings.Widths[i], init), new Function(x => x.LeakyRelu(Slope))]);
        modules.AddRange([new Linear($"discriminator.fc{settings.Widths.Length + 1}", inputs, 1, init), new Function(x => x.Reshape(-1))]);
        layers = new([.. modules]);
    }

    public override IEnumerable<Parameter> Parameters => layers.Parameters;

    /// <summary>Log-odds that each code [B, H] is of the first kind, [B].</summary>
    public override Tensor Forward(Tensor z) => layers.Forward(z);
}
