namespace VaeFromScratch.Estimators.Quality;

/// <summary>Theorems that tie information to what can be done with it.</summary>
public static class InformationBounds
{
    /// <summary>
    /// (R3), Fano: the least error of any classifier of Y from Z, P_e >= (H(Y) - I(Y; Z) - log 2) / log |Y|, nats; 0 where the bound says
    /// nothing.
    /// </summary>
    public static double Fano(double labelEntropy, double information, int labels) =>
        labels < 2 ? 0 : Math.Max(0, (labelEntropy - information - Math.Log(2)) / Math.Log(labels));

    /// <summary>(T4): the least mean squared error per dimension of any reconstruction, exp(2 / D (h(X) - I)) / (2 pi e).</summary>
    /// <param name="differentialEntropy">h(X), nats; known for synthetic data only.</param>
    /// <param name="information">I(x; z), nats.</param>
    /// <param name="dimensions">D.</param>
    public static double SquaredError(double differentialEntropy, double information, int dimensions) =>
        Math.Exp(2.0 / dimensions * (differentialEntropy - information)) / (2 * Math.PI * Math.E);
}
