using MathNet.Numerics;
using MathNet.Numerics.Distributions;

namespace VaeFromScratch.Estimators.Samples;

/// <summary>Closed forms of Student's t distribution in several dimensions, nats. Infinite degrees of freedom are the Gaussian.</summary>
internal static class Student
{
    /// <summary>
    /// What heavy tails add to the information of two parts of a multivariate t vector over that of a Gaussian one of the same dispersion:
    /// h(x) + h(y) - h(x, y) with unit dispersion (Arellano-Valle, Contreras-Reyes and Genton 2013). Both parts tell about the common
    /// scale, so that it is positive without any correlation.
    /// </summary>
    /// <param name="freedom">Degrees of freedom.</param>
    public static double TailInformation(double freedom, int xColumns, int yColumns) =>
        double.IsInfinity(freedom) ? 0 : Entropy(freedom, xColumns) + Entropy(freedom, yColumns) - Entropy(freedom, xColumns + yColumns);

    /// <summary>The differential entropy of the t distribution with unit dispersion.</summary>
    /// <param name="freedom">Degrees of freedom, finite.</param>
    public static double Entropy(double freedom, int columns)
    {
        double half = (freedom + columns) / 2;
        return -LogNormaliser(freedom, columns) + half * (SpecialFunctions.DiGamma(half) - SpecialFunctions.DiGamma(freedom / 2));
    }

    /// <summary>The log density of the t distribution, its dispersion's determinant left out.</summary>
    /// <param name="square">z' S^-1 z of the point.</param>
    public static double LogDensity(double square, double freedom, int columns) => double.IsInfinity(freedom)
        ? -0.5 * (columns * Math.Log(2 * Math.PI) + square)
        : LogNormaliser(freedom, columns) - (freedom + columns) / 2 * Math.Log(1 + square / freedom);

    private static double LogNormaliser(double freedom, int columns) =>
        SpecialFunctions.GammaLn((freedom + columns) / 2) - SpecialFunctions.GammaLn(freedom / 2)
        - columns / 2.0 * Math.Log(freedom * Math.PI);

    /// <summary>
    /// The map from a standard normal quantile to the quantile of the t distribution at the same share, tabulated; odd, and exact to about
    /// 1e-5 of the value.
    /// </summary>
    internal static Func<double, double> QuantileOfScore(double freedom)
    {
        const double Step = 0.02, Largest = 6;
        if (double.IsInfinity(freedom))
            return score => score;
        // asinh of the quantile is nearly linear in the score, whatever the tails.
        var table = new double[(int)(Largest / Step) + 1];
        for (int i = 1; i < table.Length; i++)
        {
            double share = Normal.CDF(0, 1, -i * Step), low = table[i - 1], high = low + 1;
            while (StudentT.CDF(0, 1, freedom, -Math.Sinh(high)) > share)
                high += 1;
            for (int halving = 0; halving < 30; halving++)
            {
                double middle = (low + high) / 2;
                (low, high) = StudentT.CDF(0, 1, freedom, -Math.Sinh(middle)) > share ? (middle, high) : (low, middle);
            }
            table[i] = (low + high) / 2;
        }
        return score =>
        {
            double at = Math.Min(Math.Abs(score) / Step, table.Length - 1.001);
            int below = (int)at;
            return Math.CopySign(Math.Sinh(table[below] + (at - below) * (table[below + 1] - table[below])), score);
        };
    }
}
