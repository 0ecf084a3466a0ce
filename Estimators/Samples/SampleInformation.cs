namespace VaeFromScratch.Estimators.Samples;

/// <summary>
/// Mutual information of paired samples without a network: by neighbours, by bins, by counts, and by the Gaussian and the Student family. A
/// file for each.
/// </summary>
public static partial class SampleInformation
{
    /// <exception cref="EstimatorException">The lengths do not make the same number of rows.</exception>
    internal static int CheckPairs(string operation, int xLength, int xColumns, int yLength, int yColumns)
    {
        if (xColumns < 1 || yColumns < 1 || xLength % xColumns != 0 || xLength / xColumns != yLength / yColumns || yLength % yColumns != 0
            || xLength / xColumns < 2)
            throw new EstimatorException(
                $"{operation}: {xLength} values in rows of {xColumns} and {yLength} in rows of {yColumns}; give the same number of rows, " +
                    $"at least 2, of both");
        return xLength / xColumns;
    }

    /// <summary>Columns as arrays, scaled to unit variance; a constant one is all 0.</summary>
    internal static double[][] Standardise(string operation, ReadOnlySpan<float> values, int columns)
    {
        int points = values.Length / columns;
        var result = new double[columns][];
        for (int c = 0; c < columns; c++)
        {
            var column = result[c] = new double[points];
            var moments = new RunningMean();
            for (int i = 0; i < points; i++)
                moments.Add(column[i] = values[i * columns + c]);
            if (!double.IsFinite(moments.Variance))
                throw new EstimatorException($"{operation}: column {c} holds values that are not finite; check the samples");
            double scale = moments.Variance > 0 ? 1 / Math.Sqrt(moments.Variance) : 0;
            for (int i = 0; i < points; i++)
                column[i] = (column[i] - moments.Mean) * scale;
        }
        return result;
    }

    /// <summary>Runs a function for every block of points, on several threads; each writes only what belongs to its points.</summary>
    /// <param name="threads">0 for one a processor.</param>
    private static void ForBlocks(int points, int threads, Action<int[]> block)
    {
        const int Size = Neighbours.NeighbourIndex.Block;
        Parallel.For(0, (points + Size - 1) / Size, new ParallelOptions { MaxDegreeOfParallelism = threads == 0 ? -1 : threads },
            b => block([.. Enumerable.Range(b * Size, Math.Min(Size, points - b * Size))]));
    }

    /// <summary>psi(0) .. psi(n) of whole numbers; psi(0) is not used.</summary>
    private static double[] DiGamma(int n)
    {
        const double EulerMascheroni = 0.57721566490153286;
        var psi = new double[n + 1];
        psi[0] = double.NaN;
        for (int i = 1; i <= n; i++)
            psi[i] = i == 1 ? -EulerMascheroni : psi[i - 1] + 1.0 / (i - 1);
        return psi;
    }
}
