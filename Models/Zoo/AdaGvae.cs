using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="AdaGvae"/>.</summary>
internal sealed record AdaGvaeSettings
{
    [Setting("weight of the KL term", Least = 0)]
    public double Beta { get; init; } = 1;
}

/// <summary>
/// Ada-GVAE of Locatello et al. (2020): pairs of images that differ in one known factor, which one is not told. Factors of the code whose
/// posteriors differ by less than half
/// way between the least and the largest divergence of a pair are taken to be shared, and share the mean of both posteriors; NLL + beta KL
/// of both images, halved.
/// </summary>
internal sealed class AdaGvae(VaeParts parts, AdaGvaeSettings settings) : VaeModel(parts), ICatalogued
{
    /// <summary>Makes a step of a sigmoid: divergences this close to the threshold, nats, are between shared and not.</summary>
    private const float Sharpness = 1e5f;

    public static IReadOnlyList<ModelEntry> Entries { get; } =
        [ModelEntry.Of<AdaGvaeSettings>("ada-gvae", (parts, settings) => new AdaGvae(parts, settings), "Locatello et al. 2020",
            "(V3) on pairs", [("latents", 10)])];

    public override bool UsesSecondBatch => true;

    public override bool SecondIsPaired => true;

    public override IReadOnlyList<TrainingPhase> Phases => [new("vae", Arena, batch => Objective(batch.Images, batch.Second!))];

    /// <summary>The objective of single images, that of a VAE: NLL + beta KL, nats per image.</summary>
    public override Objective Objective(Tensor x)
    {
        var sample = Encode(x).Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + settings.Beta * Kl(sample);
    }

    /// <summary>Posteriors of a pair with the factors that are taken to be shared made equal: means of mu and of sigma^2.</summary>
    /// <param name="a">Of the first images.</param>
    /// <param name="b">Of the second.</param>
    public static (DiagonalGaussian First, DiagonalGaussian Second) Share(DiagonalGaussian a, DiagonalGaussian b)
    {
        // KL(b || a) + KL(a || b) of each factor; no gradient flows through the choice.
        var distance = (b.Mu - a.Mu).Square();
        var divergence = (0.5f * ((b.LogVar - a.LogVar).Exp() + (a.LogVar - b.LogVar).Exp()
            + distance * ((-a.LogVar).Exp() + (-b.LogVar).Exp())) - 1).Detach();
        int h = divergence.Shape[1];
        Tensor least = divergence.Slice(1, 0, 1), largest = least;
        for (int i = 1; i < h; i++)
            (least, largest) = (least.Minimum(divergence.Slice(1, i, 1)), largest.Maximum(divergence.Slice(1, i, 1)));
        var threshold = (0.5f * (least + largest)).RepeatEach(h).Reshape(divergence.Shape.Sizes);
        var shared = (Sharpness * (threshold - divergence)).Sigmoid();
        var mean = 0.5f * (a.Mu + b.Mu);
        var logVariance = (0.5f * (a.LogVar.Exp() + b.LogVar.Exp())).Log();
        return (new(a.Mu + shared * (mean - a.Mu), a.LogVar + shared * (logVariance - a.LogVar)),
            new(b.Mu + shared * (mean - b.Mu), b.LogVar + shared * (logVariance - b.LogVar)));
    }

    private Objective Objective(Tensor x, Tensor partner)
    {
        var (first, second) = Share(Encode(x), Encode(partner));
        GaussianSample a = first.Sample(Rng), b = second.Sample(Rng);
        var nll = new Term("nll", 0.5f * (Reconstruction(x, Decode(a.Z)).Value + Reconstruction(partner, Decode(b.Z)).Value));
        return nll + settings.Beta * new Term("kl", 0.5f * (a.Kl + b.Kl));
    }
}
