using System.Numerics;
using System.Runtime.InteropServices;
using MathNet.Numerics;

namespace VaeFromScratch.Estimators.Samples;

/// <summary>Mutual information of paired samples without any model of them: for teaching and for cross-checks in few dimensions.</summary>
public static class SampleInformation
{
    /// <summary>
    /// The first estimator of Kraskov, Stoegbauer and Grassberger (2004): psi(k) + psi(N) - mean [psi(n_x + 1) + psi(n_y + 1)] over nearest neighbours in the
    /// largest-coordinate norm. Nearly unbiased in few dimensions, far too low at high information; cannot exceed psi(N) - psi(k).
    /// </summary>
    /// <remarks>Columns are scaled to unit variance, which leaves the information as it is. O(N^2) work, O(N) memory.</remarks>
    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="neighbours">k.</param>
    /// <exception cref="EstimatorException">Lengths do not match, a value is not finite, or points coincide.</exception>
    public static Estimate Kraskov(ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, int neighbours = 3)
    {
        int points = CheckPairs("kraskov", x.Length, xColumns, y.Length, yColumns);
        if (neighbours < 1 || neighbours >= points)
            throw new EstimatorException($"kraskov: {neighbours} neighbours among {points} points; expected 1 to {points - 1}");
        var xs = Standardise("kraskov x", x, points, xColumns);
        var ys = Standardise("kraskov y", y, points, yColumns);
        var terms = new double[points];
        Parallel.For(0, points, () => (X: new double[points], Y: new double[points], Nearest: new double[neighbours]), (i, _, scratch) =>
        {
            Distances(xs, i, scratch.X);
            Distances(ys, i, scratch.Y);
            double radius = NearestRadius(scratch.X, scratch.Y, i, scratch.Nearest);
            terms[i] = radius > 0
                ? SpecialFunctions.DiGamma(Within(scratch.X, radius)) + SpecialFunctions.DiGamma(Within(scratch.Y, radius))
                : double.NaN;
            return scratch;
        }, _ => { });
        var mean = new RunningMean();
        double most = SpecialFunctions.DiGamma(neighbours) + SpecialFunctions.DiGamma(points);
        for (int i = 0; i < points; i++)
        {
            if (double.IsNaN(terms[i]))
                throw new EstimatorException($"kraskov: point {i} coincides with {neighbours} others; the estimator needs continuous values, add a little noise or use {nameof(Binned)}");
            mean.Add(most - terms[i]);
        }
        return mean.ToEstimate(BoundKind.Neither, SpecialFunctions.DiGamma(points) - SpecialFunctions.DiGamma(neighbours));
    }

    /// <summary>
    /// Plug-in information of two numbers cut into bins of equal counts: too low by what the bins hide, too high by about (bins - 1)^2 / 2N. At most log bins.
    /// </summary>
    /// <param name="x">[N].</param>
    /// <param name="y">[N].</param>
    /// <exception cref="EstimatorException">Lengths do not match or a value is not finite.</exception>
    public static Estimate Binned(ReadOnlySpan<float> x, ReadOnlySpan<float> y, int bins = 20)
    {
        CheckPairs("binned information", x.Length, 1, y.Length, 1);
        return new ContingencyTable(Binning.EqualFrequency(x, bins), Binning.EqualFrequency(y, bins), bins, bins).MutualInformation();
    }

    internal static int CheckPairs(string operation, int xLength, int xColumns, int yLength, int yColumns)
    {
        if (xColumns < 1 || yColumns < 1 || xLength % xColumns != 0 || xLength / xColumns != yLength / yColumns || yLength % yColumns != 0 || xLength / xColumns < 2)
            throw new EstimatorException($"{operation}: {xLength} values in rows of {xColumns} and {yLength} in rows of {yColumns}; give the same number of rows, at least 2, of both");
        return xLength / xColumns;
    }

    /// <summary>Columns as arrays, scaled to unit variance.</summary>
    private static double[][] Standardise(string operation, ReadOnlySpan<float> values, int points, int columns)
    {
        var result = new double[columns][];
        for (int c = 0; c < columns; c++)
        {
            var column = result[c] = new double[points];
            var moments = new RunningMean();
            for (int i = 0; i < points; i++)
                moments.Add(column[i] = values[i * columns + c]);
            if (!double.IsFinite(moments.Variance))
                throw new EstimatorException($"{operation}: column {c} holds values that are not finite; check the samples");
            double scale = moments.Variance > 0 ? 1 / Math.Sqrt(moments.Variance) : 1;
            for (int i = 0; i < points; i++)
                column[i] *= scale;
        }
        return result;
    }

    private static void Distances(double[][] columns, int from, double[] distances)
    {
        Array.Clear(distances);
        foreach (var column in columns)
        {
            var centre = new Vector<double>(column[from]);
            var values = MemoryMarshal.Cast<double, Vector<double>>(column);
            var result = MemoryMarshal.Cast<double, Vector<double>>(distances.AsSpan());
            for (int v = 0; v < values.Length; v++)
                result[v] = Vector.Max(result[v], Vector.Abs(values[v] - centre));
            for (int j = values.Length * Vector<double>.Count; j < column.Length; j++)
                distances[j] = Math.Max(distances[j], Math.Abs(column[j] - column[from]));
        }
    }

    private static double NearestRadius(double[] x, double[] y, int self, double[] nearest)
    {
        Array.Fill(nearest, double.PositiveInfinity);
        for (int j = 0; j < x.Length; j++)
        {
            double distance = Math.Max(x[j], y[j]);
            if (distance >= nearest[^1] || j == self)
                continue;
            int place = nearest.Length - 1;
            for (; place > 0 && nearest[place - 1] > distance; place--)
                nearest[place] = nearest[place - 1];
            nearest[place] = distance;
        }
        return nearest[^1];
    }

    /// <summary>Points strictly nearer than the radius, the centre itself included: Kraskov's n + 1.</summary>
    private static int Within(double[] distances, double radius)
    {
        int count = 0;
        foreach (double d in distances)
            count += d < radius ? 1 : 0;
        return count;
    }
}
