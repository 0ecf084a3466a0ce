using VaeFromScratch.Graphs;

namespace VaeFromScratch.Models.Distributions;

/// <summary>q(z|x) = sum_k w(k|x) N(mu_k(x), diag v_k(x)), one per image (paper 4 (7); equations.md (G1)).</summary>
/// <param name="Logits">Unnormalised log w(k|x), [B, K].</param>
/// <param name="Mu">mu_kh(x), [B, K H].</param>
/// <param name="LogVar">log v_kh(x), [B, K H].</param>
public sealed record GaussianMixture(Tensor Logits, Tensor Mu, Tensor LogVar)
{
    /// <summary>Temperature at which the softmax of logits is one-hot but for near ties.</summary>
    private const float AlmostZero = 1e-6f;

    private int Images => Logits.Shape[0];

    private int Components => Logits.Shape[1];

    private int Latents => Mu.Shape[1] / Components;

    /// <summary>
    /// A sample in which the component is relaxed to a mean of one sample of each, [B, H]; gradients flow through all of it (equations.md
    /// (C1)).
    /// </summary>
    /// <param name="temperature">Of the relaxation, a scalar tensor.</param>
    public Tensor RelaxedSample(Tensor temperature, Rng rng)
    {
        var ofComponents = Ops.Reparameterise(Mu, LogVar, rng).Z;
        return Select(Logits.GumbelSoftmax(temperature, rng), ofComponents);
    }

    /// <summary>An exact sample, [B, H].</summary>
    public Tensor Sample(Rng rng) => RelaxedSample(Tape.Current.Full(Shape.Scalar, 0), rng);

    /// <summary>The component of the largest w(k|x).</summary>
    public DiagonalGaussian MostProbable()
    {
        var chosen = (Logits / AlmostZero).Softmax();
        return new(Select(chosen, Mu), Select(chosen, LogVar));
    }

    /// <summary>The weights by which <see cref="MostProbable"/> selects, as a graph.</summary>
    internal static GraphNode DescribeMostProbable(GraphNode logits) =>
        logits.Apply(GraphFunction.Scale, 1 / AlmostZero).Apply(GraphFunction.Softmax);

    /// <summary>KL(w(.|x) || w), nats, [B]: the first part of (G2).</summary>
    public Tensor CategoryKl(MixturePrior prior)
    {
        var logWeights = Logits.LogSoftmax();
        return (logWeights.Exp() * (logWeights - prior.LogWeights)).SumPerRow();
    }

    /// <summary>sum_k w(k|x) KL(N(mu_k, v_k) || N(m_k, v_k^0)), nats, [B]: the second part of (G2).</summary>
    public Tensor ComponentKl(MixturePrior prior)
    {
        var perFactor = 0.5f * (((Mu - prior.Centres).Square() + LogVar.Exp()) * prior.Precisions + prior.LogVariances - LogVar - 1);
        var perComponent = perFactor.Reshape(Images * Components, Latents).SumPerRow().Reshape(Images, Components);
        return (Logits.Softmax() * perComponent).SumPerRow();
    }

    /// <summary>An upper bound of KL(q(z|x) || p(z)), nats, [B] (paper 4 (14); equations.md (G2)).</summary>
    public Tensor KlUpperBound(MixturePrior prior) => CategoryKl(prior) + ComponentKl(prior);

    /// <summary>sum_k y_k v_k for each image.</summary>
    /// <param name="y">[B, K].</param>
    /// <param name="values">[B, K H].</param>
    private Tensor Select(Tensor y, Tensor values) => (values.Reshape(Images, Components, Latents) * y.RepeatEach(Latents)).Sum(1);
}
