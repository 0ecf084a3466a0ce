namespace VaeFromScratch.Models.Distributions;

/// <summary>q(z, c|x) = q(z|x) q(c|x) of each image.</summary>
/// <param name="Z">The continuous factors.</param>
/// <param name="C">The category; null where a model has none.</param>
public sealed record Posterior(DiagonalGaussian Z, Categorical? C = null)
{
    /// <summary>The same posteriors <paramref name="count"/> times over: row k B + i is image i.</summary>
    public Posterior Repeat(int count) => new(Z.Repeat(count), C?.Repeat(count));

    /// <summary>log q(z, y|x) - log p(z) p(y), p(y) uniform, nats, [B].</summary>
    /// <param name="y">One-hot; null where there is no category.</param>
    public Tensor LogRatioToPrior(Tensor z, Tensor? y)
    {
        var ratio = Z.LogRatioToPrior(z);
        return C is null ? ratio : ratio + C.LogProbability(y!) + MathF.Log(C.Categories);
    }
}
