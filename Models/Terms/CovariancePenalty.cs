using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Terms;

/// <summary>How far the covariance of a batch of codes is from the identity (equations.md (X7)).</summary>
public sealed class CovariancePenalty
{
    private readonly Tensor covariance, varianceOfMu, diagonal;

    /// <param name="ofSamples">Whether the covariance is that of z (DIP-VAE-II), with mean diag(sigma^2) added, or that of mu
    /// (DIP-VAE-I).</param>
    public CovariancePenalty(DiagonalGaussian q, bool ofSamples)
    {
        var centred = q.Mu - q.Mu.Mean(0);
        covariance = centred.MatMul(centred, transposeA: true) / q.Mu.Shape[0];
        varianceOfMu = centred.Square().Mean(0);
        diagonal = ofSamples ? varianceOfMu + q.LogVar.Exp().Mean(0) : varianceOfMu;
    }

    /// <summary>sum_{i != j} Cov_ij^2; the added variances of z are on the diagonal only.</summary>
    public Term OffDiagonal => new("dip_off_diagonal", covariance.Square().Sum() - varianceOfMu.Square().Sum());

    /// <summary>sum_i (Cov_ii - 1)^2.</summary>
    public Term Diagonal => new("dip_diagonal", (diagonal - 1).Square().Sum());
}
