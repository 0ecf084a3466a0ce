namespace VaeFromScratch.Models.Distributions;

/// <summary>q(z|x) = N(mu, diag exp(logVar)), one per image.</summary>
/// <param name="Mu">The means, [B, H].</param>
/// <param name="LogVar">log sigma^2, [B, H].</param>
public sealed record DiagonalGaussian(Tensor Mu, Tensor LogVar)
{
    public static readonly float LogTwoPi = (float)Math.Log(2 * Math.PI);

    /// <summary>A reparameterised sample with its KL to the unit Gaussian (equations.md (V1), (V2)).</summary>
    public GaussianSample Sample(Rng rng) => Ops.Reparameterise(Mu, LogVar, rng);

    /// <summary>log q(z|x), nats, [B].</summary>
    public Tensor LogDensity(Tensor z) => -0.5f * (Standardised(z) + LogVar + LogTwoPi).SumPerRow();

    /// <summary>log N(z; 0, I), nats, [B].</summary>
    public static Tensor StandardLogDensity(Tensor z) => -0.5f * (z.Square() + LogTwoPi).SumPerRow();

    /// <summary>log q(z|x) - log N(z; 0, I), nats, [B]: what one sample says about the KL.</summary>
    public Tensor LogRatioToPrior(Tensor z) => 0.5f * (z.Square() - Standardised(z) - LogVar).SumPerRow();

    /// <summary>The same posterior <paramref name="count"/> times over: row k B + i is image i.</summary>
    public DiagonalGaussian Repeat(int count) =>
        new(Mu.RepeatRows(count).Reshape(-1, Mu.Shape[1]), LogVar.RepeatRows(count).Reshape(-1, Mu.Shape[1]));

    /// <summary>(z - mu)^2 / sigma^2.</summary>
    private Tensor Standardised(Tensor z) => (z - Mu).Square() * (-LogVar).Exp();
}
