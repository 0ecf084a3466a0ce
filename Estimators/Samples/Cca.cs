using MathNet.Numerics;
using MathNet.Numerics.LinearAlgebra;

namespace VaeFromScratch.Estimators.Samples;

public static partial class SampleInformation
{
    /// <summary>
    /// Squared canonical correlations are held below 1 by this much, and directions with a smaller share of the variance are left out.
    /// </summary>
    private const double Singular = 1e-10;

    /// <summary>
    /// The information that x and y would have if they were jointly Gaussian, nats: -1/2 sum log(1 - rho_i^2) over the canonical
    /// correlations (Kay 1992), less its exact bias for Gaussian samples. Neither bound: linear dependence is all it sees, and tails that
    /// are not Gaussian mislead it both ways.
    /// </summary>
    /// <param name="x">[N, <paramref name="xColumns"/>]; constant and collinear columns add nothing.</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <exception cref="EstimatorException">Lengths do not match, a value is not finite, or there are not more points than
    /// columns.</exception>
    public static Estimate Cca(ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns)
    {
        int points = CheckPairs("cca", x.Length, xColumns, y.Length, yColumns);
        return Canonical("cca", Columns(Standardise("cca x", x, xColumns)), Columns(Standardise("cca y", y, yColumns)), points - 1);
    }

    /// <summary>
    /// I(x; y | c) if all three were jointly Gaussian, nats: <see cref="Cca"/> of what is left of x and y after the regression on c.
    /// </summary>
    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="given">c, [N, <paramref name="givenColumns"/>].</param>
    /// <exception cref="EstimatorException">As <see cref="Cca"/>.</exception>
    public static Estimate ConditionalCca(ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns,
        ReadOnlySpan<float> given, int givenColumns)
    {
        int points = CheckPairs("conditional cca", x.Length, xColumns, y.Length, yColumns);
        CheckPairs("conditional cca", x.Length, xColumns, given.Length, givenColumns);
        var c = Whiten(Columns(Standardise("conditional cca c", given, givenColumns)));
        return Canonical("conditional cca", Residual(Standardise("conditional cca x", x, xColumns)),
            Residual(Standardise("conditional cca y", y, yColumns)),
            points - 1 - c.ColumnCount);

        Matrix<double> Residual(double[][] columns)
        {
            var all = Columns(columns);
            return all - c * (c.TransposeThisAndMultiply(all) / points);
        }
    }

    /// <summary>
    /// By how much the Gaussian information of a sample is too high on average (Misra, Singh and Demchuk 2005): exact for Gaussian samples.
    /// </summary>
    /// <param name="freedom">Points less 1 for the mean and less what was regressed out.</param>
    internal static double GaussianBias(int xRank, int yRank, int freedom)
    {
        return 0.5 * (LogDeterminant(xRank) + LogDeterminant(yRank) - LogDeterminant(xRank + yRank));

        double LogDeterminant(int rank) => Enumerable.Range(0, rank).Sum(i => SpecialFunctions.DiGamma((freedom - i) / 2.0));
    }

    private static Estimate Canonical(string operation, Matrix<double> x, Matrix<double> y, int freedom)
    {
        int points = x.RowCount;
        Matrix<double> u = Whiten(x), v = Whiten(y);
        if (freedom <= u.ColumnCount + v.ColumnCount)
            throw new EstimatorException($"{operation}: {points} points of {u.ColumnCount} + {v.ColumnCount} columns; expected clearly " +
                $"more points than columns");
        int directions = Math.Min(u.ColumnCount, v.ColumnCount);
        double ceiling = directions * Gaussian.Information(Math.Sqrt(1 - Singular));
        if (directions == 0)
            return new(0, 0, BoundKind.Neither, 0, points);
        var svd = (u.TransposeThisAndMultiply(v) / points).Svd();
        u *= svd.U;
        v *= svd.VT.Transpose();
        double information = 0;
        var terms = new double[points];
        for (int i = 0; i < directions; i++)
        {
            double rho = Math.Min(svd.S[i], Math.Sqrt(1 - Singular)), square = rho * rho;
            information += Gaussian.Information(rho);
            // The log ratio of the fitted densities at a point, less its mean: its spread is that of the estimate.
            for (int p = 0; p < points; p++)
                terms[p] -= (square * (u[p, i] * u[p, i] + v[p, i] * v[p, i]) - 2 * rho * u[p, i] * v[p, i]) / (2 * (1 - square));
        }
        var spread = new RunningMean();
        foreach (double term in terms)
            spread.Add(term);
        return new(Math.Min(ceiling, information - GaussianBias(u.ColumnCount, v.ColumnCount, freedom)), spread.StandardError,
            BoundKind.Neither, ceiling, points);
    }

    private static Matrix<double> Columns(double[][] columns) => Matrix<double>.Build.DenseOfColumnArrays(columns);

    /// <summary>Uncorrelated columns of unit variance that span the same space.</summary>
    private static Matrix<double> Whiten(Matrix<double> columns)
    {
        var evd = (columns.TransposeThisAndMultiply(columns) / columns.RowCount).Evd(Symmetricity.Symmetric);
        double largest = evd.EigenValues.Max(value => value.Real);
        var kept = Enumerable.Range(0, columns.ColumnCount).Where(i => largest > 0 && evd.EigenValues[i].Real > Singular * largest)
            .Select(i => evd.EigenVectors.Column(i) / Math.Sqrt(evd.EigenValues[i].Real)).ToArray();
        return kept.Length == 0 ? Matrix<double>.Build.Dense(columns.RowCount, 0)
            : columns * Matrix<double>.Build.DenseOfColumnVectors(kept);
    }
}
