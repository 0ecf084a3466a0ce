using MathNet.Numerics.LinearAlgebra;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>
/// A mixture of Gaussians in place of the prior, fitted after training to one z ~ q(z|x) of each training image: what a model is sampled
/// from where its aggregate posterior is
/// not the prior (Ghosh et al. 2020).
/// </summary>
/// <param name="Mixture">Of the factors.</param>
/// <param name="Gain">By how much the mean log density of test codes under the mixture exceeds that under N(0, I), nats per image; null
/// where that is not the model's prior.</param>
/// <param name="TestCodes">Codes that the gain is the mean of.</param>
internal sealed record CodeSampler(GaussianMixtureFit Mixture, double? Gain, int TestCodes)
{
    /// <summary>Training codes that the mixture is fitted to at the most.</summary>
    private const int MostCodes = 10_000;

    // Apart from every other use of the seed ("gmms" in ASCII).
    private const uint Stream = 0x676d6d73;

    /// <param name="components">K.</param>
    /// <exception cref="OptionException">A code has a category, or there are fewer codes than components.</exception>
    public static CodeSampler Fit(VaeModel model, ImageDataset train, ImageDataset test, RunConfiguration configuration, int components)
    {
        if (model.Categories > 0)
            throw new OptionException(
                $"--sampler gmm:{components}: the codes of {configuration.Model.Title} have a category, which a mixture of Gaussians has "
                + $"not; use --sampler prior");
        ulong seed = configuration.Training.Seed;
        int fitted = Math.Min(MostCodes, train.Count);
        if (components > fitted)
            throw new OptionException(
                $"--sampler gmm:{components}: the mixture is fitted to {fitted} codes of training {configuration.Item}s; give at "
                    + "most as many Gaussians");
        var mixture = GaussianMixtureFit.Fit(Codes(model, train.Take(fitted), configuration, part: 0), components, seed);
        var codes = Codes(model, test.Take(Math.Min(MostCodes, test.Count)), configuration, part: 1);
        double? gain = model.HasStandardPrior
            ? mixture.LogDensity(codes).Average() - codes.EnumerateRows()
            .Average(z => -0.5 * (z.DotProduct(z) + z.Count * Math.Log(2 * Math.PI))) : null;
        return new(mixture, gain, codes.RowCount);
    }

    /// <summary>Codes to decode, [count, H].</summary>
    public float[] Draw(int count, ulong seed) => [.. Mixture.Sample(count, seed).ToRowMajorArray().Select(v => (float)v)];

    /// <summary>One z ~ q(z|x) of each image, [images, H].</summary>
    private static Matrix<double> Codes(VaeModel model, ImageDataset images, RunConfiguration configuration, uint part)
    {
        using var evaluator = new Evaluator(model, images, configuration);
        var e = evaluator.Encode();
        using var rng = new Rng(model.Compute, configuration.Training.Seed, Stream + part);
        using var tape = model.Compute.Tape(gradients: false);
        float[] noise = rng.Normal(new(e.Points, e.Factors)).ToArray();
        return Matrix<double>.Build.Dense(e.Points, e.Factors, (m, h) =>
            e.Mu.Span[m * e.Factors + h] + Math.Exp(0.5 * e.LogVar.Span[m * e.Factors + h]) * noise[m * e.Factors + h]);
    }
}
