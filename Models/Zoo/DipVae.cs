using VaeFromScratch.Engine;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Zoo;

/// <summary>
/// DIP-VAE of Kumar et al. (2018): NLL + KL + lambda_od sum_{i != j} Cov_ij^2 + lambda_d sum_i (Cov_ii - 1)^2, where Cov is the covariance of mu (I) or of z (II)
/// (equations.md (X7)).
/// </summary>
public sealed class DipVae(VaeParts parts, double lambdaOffDiagonal, double lambdaDiagonal, bool ofSamples) : VaeModel(parts)
{
    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        var penalty = new CovariancePenalty(q, ofSamples);
        return Reconstruction(x, Decode(sample.Z)) + Kl(sample) + lambdaOffDiagonal * penalty.OffDiagonal + lambdaDiagonal * penalty.Diagonal;
    }
}
