using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// A VAE whose prior is a uniform mixture of K learned Gaussians: NLL + beta (log q(z|x) - log p(z)), one z for each image; the density of
/// the mixture is that of equations.md (X1).
/// </summary>
internal abstract class MixturePriorVae : VaeModel
{
    /// <param name="parts">With the network that the components come from as <see cref="VaeParts.Further"/>.</param>
    /// <param name="components">K.</param>
    /// <param name="beta">Weight of the KL term.</param>
    protected MixturePriorVae(VaeParts parts, int components, double beta) : base(parts)
    {
        Beta = beta;
        var rows = new float[components * components];
        for (int i = 0; i < components; i++)
            rows[i * components + i] = 1;
        EachComponent = Compute.Allocate(new(components, components), rows);
    }

    public override bool HasStandardPrior => false;

    /// <summary>Weight of the KL term.</summary>
    protected double Beta { get; }

    /// <summary>Each component one-hot, which picks its row of a linear layer's weights, [K, K].</summary>
    protected Tensor EachComponent { get; }

    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + Beta * new Term("kl", LogRatioToPrior(new(q), sample.Z, null));
    }

    public override Tensor LogRatioToPrior(Posterior q, Tensor z, Tensor? y)
    {
        var prior = Components();
        return q.Z.LogDensity(z) - Ops.MixtureLogDensity(z, prior.Mu, prior.LogVar, PairLogWeights.Uniform(EachComponent.Shape[0])).Joint;
    }

    /// <summary>A component for each code, and a draw of it.</summary>
    public override Tensor PriorCodes(int count, Rng rng)
    {
        var prior = Components();
        var chosen = Tape.Current.Full(new(count, EachComponent.Shape[0]), 0).SampleOneHot(rng);
        return new DiagonalGaussian(chosen.MatMul(prior.Mu), chosen.MatMul(prior.LogVar)).Sample(rng).Z;
    }

    public override void Dispose()
    {
        Compute.Free(EachComponent);
        base.Dispose();
    }

    /// <summary>The components of p(z), one a row, [K, H].</summary>
    protected abstract DiagonalGaussian Components();
}
