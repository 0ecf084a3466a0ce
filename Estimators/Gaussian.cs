namespace VaeFromScratch.Estimators;

/// <summary>Closed forms of one-dimensional Gaussians, nats.</summary>
internal static class Gaussian
{
    private static readonly double LogTwoPi = Math.Log(2 * Math.PI);

    /// <summary>log N(z | mu, exp(logVar)).</summary>
    public static double LogDensity(double z, double mu, double logVar) =>
        -0.5 * (LogTwoPi + logVar + (z - mu) * (z - mu) * Math.Exp(-logVar));

    /// <summary>(V2): KL(N(mu, exp(logVar)) || N(0, 1)).</summary>
    public static double Kl(double mu, double logVar) => 0.5 * (Math.Exp(logVar) + mu * mu - 1 - logVar);

    /// <summary>I(x; y) of two Gaussian variables with this correlation: -1/2 log(1 - rho^2).</summary>
    public static double Information(double correlation) => -0.5 * Math.Log(1 - correlation * correlation);
}
