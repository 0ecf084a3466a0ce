using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>Settings of <see cref="IdentifiableVae"/>.</summary>
internal sealed record IdentifiableVaeSettings
{
    [Setting("weight of the KL term", Least = 0)]
    public double Beta { get; init; } = 1;

    [Setting("values of u, the labels of the data", Least = 2)]
    public int Segments { get; init; } = 10;

    [Setting("images in each step, with their labels", Least = 1)]
    public int LabelledBatch { get; init; } = 100;
}

/// <summary>
/// iVAE of Khemakhem et al. (2020): NLL + beta KL(q(z|x) || p(z|u)), p(z|u) a Gaussian for each value of an observed u. Paper 2's theorem 4
/// leaves the rotation of factors with one
/// Gaussian prior open; where their variances change with u, it is found, up to order, sign and scale.
/// </summary>
/// <remarks>
/// q reads the image alone, so that a run is used without u. Without it, as in evaluation, the prior is the mean over u of p(z|u), and the
/// class of an image is the u whose
/// prior is likeliest at its mean.
/// </remarks>
internal sealed class IdentifiableVae : MixturePriorVae, ILearnsFromLabels, ICatalogued
{
    // Apart from the draws of encoder and decoder ("ivae" in ASCII).
    private const uint Stream = 0x69766165;

    private readonly IdentifiableVaeSettings settings;

    public IdentifiableVae(VaeParts parts, IdentifiableVaeSettings settings)
        : base(parts with { Further = new Linear("prior", settings.Segments, 2 * parts.Latents, new Initialise(parts.Rng.Seed, Stream)) },
            settings.Segments, settings.Beta) => this.settings = settings;

    public static IReadOnlyList<ModelEntry> Entries { get; } =
        [ModelEntry.Of<IdentifiableVaeSettings>("ivae", (parts, settings) => new IdentifiableVae(parts, settings), "Khemakhem et al. 2020",
            "(V3) with p(z|u)")];

    public int Classes => settings.Segments;

    public (int Count, int Batch) Labelled => (0, settings.LabelledBatch);

    public override IReadOnlyList<TrainingPhase> Phases => [new("vae", Arena, batch => Objective(batch.Labelled!))];

    /// <summary>log N(mu(x); m_u, v_u) of each u, [B, U].</summary>
    public Tensor ClassLogits(Tensor x)
    {
        var mu = Encode(x).Mu;
        var prior = Components();
        return Ops.Concat(1, [.. Enumerable.Range(0, Classes).Select(u =>
        {
            Tensor mean = prior.Mu.Slice(0, u, 1).Reshape(Latents), logVar = prior.LogVar.Slice(0, u, 1).Reshape(Latents);
            return (-0.5f * ((mu - mean).Square() * (-logVar).Exp() + logVar).SumPerRow()).Reshape(-1, 1);
        })]);
    }

    /// <summary>p(z|u) of each u.</summary>
    protected override DiagonalGaussian Components() => Prior(EachComponent);

    private Objective Objective(LabelledBatch batch)
    {
        var q = Encode(batch.Images);
        var sample = q.Sample(Rng);
        var p = Prior(batch.Labels);
        var kl = 0.5f * ((q.LogVar - p.LogVar).Exp() + (q.Mu - p.Mu).Square() * (-p.LogVar).Exp() - 1 + p.LogVar - q.LogVar).SumPerRow();
        return Reconstruction(batch.Images, Decode(sample.Z)) + Beta * new Term("kl", kl);
    }

    /// <summary>p(z|u), rows of u one-hot.</summary>
    private DiagonalGaussian Prior(Tensor u)
    {
        var head = ApplyFurther(u);
        return new(head.Slice(1, 0, Latents), head.Slice(1, Latents, Latents));
    }
}
