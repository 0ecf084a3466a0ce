using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="VampVae"/>.</summary>
internal sealed record VampVaeSettings
{
    [Setting("weight of the KL term", Least = 0)]
    public double Beta { get; init; } = 1;

    [Setting("K, pseudo-inputs whose posteriors are the prior's components", Least = 1)]
    public int PseudoInputs { get; init; } = 500;
}

/// <summary>
/// The VAE with a VampPrior of Tomczak and Welling (2018): p(z) = 1/K sum_k q(z|u_k) with learned images u_k.
/// </summary>
internal sealed class VampVae : MixturePriorVae, ICatalogued
{
    // Apart from the draws of encoder and decoder ("vamp" in ASCII).
    private const uint Stream = 0x76616d70;

    public VampVae(VaeParts parts, VampVaeSettings settings)
        : base(parts with
        {
            Further = new Linear("prior.pseudo_inputs", settings.PseudoInputs, parts.Image.Pixels,
            new Initialise(parts.Rng.Seed, Stream))
        }, settings.PseudoInputs, settings.Beta)
    {
    }

    public static IReadOnlyList<ModelEntry> Entries { get; } =
        [ModelEntry.Of<VampVaeSettings>("vamp-vae", (parts, settings) => new VampVae(parts, settings), "Tomczak and Welling 2018",
            "(V3) with p(z) = mean of q(z|u_k)")];

    /// <summary>
    /// q(z|u_k) of each pseudo-input, whose pixels are kept in (0, 1); batch normalisation takes no statistics from them.
    /// </summary>
    protected override DiagonalGaussian Components() => Tape.Current.KeepingStatistics(() =>
        Encode(ApplyFurther(EachComponent).Sigmoid().Reshape(EachComponent.Shape[0], Image.Height, Image.Width, Image.Channels)));
}
