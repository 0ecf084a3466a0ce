using VaeFromScratch.Estimators.Samples.Neighbours;

namespace VaeFromScratch.Estimators.Samples;

/// <summary>How far two points are apart in x, or in y. Between the two the larger distance counts.</summary>
public enum NeighbourNorm
{
    /// <summary>The largest difference of a column.</summary>
    Maximum,

    /// <summary>The root of the sum of squares.</summary>
    Euclidean,
}

public static partial class SampleInformation
{
    /// <summary>Neighbours that the estimators of this class look at by default.</summary>
    public const int DefaultNeighbours = 3;

    /// <summary>
    /// The first estimator of Kraskov, Stoegbauer and Grassberger (2004): psi(k) + psi(N) - mean [psi(n_x + 1) + psi(n_y + 1)], nats. Its
    /// bias is small in one or two dimensions and grows with dimension and information; it cannot exceed psi(N) - psi(k).
    /// </summary>
    /// <remarks>
    /// Columns are scaled to unit variance. Where points coincide or distances tie, all that are equally near are counted, as Gao et al.
    /// (2017) do, so that repeated values give a finite value and data of whole numbers the information of their counts. By a k-d tree up
    /// to five columns, by sorted columns and by brute force otherwise.
    /// </remarks>
    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="neighbours">k.</param>
    /// <param name="norm">Of the columns of x, and of those of y.</param>
    /// <param name="threads">0 for one a processor; the result is the same for every number.</param>
    /// <exception cref="EstimatorException">Lengths do not match or a value is not finite.</exception>
    public static Estimate Kraskov(ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns,
        int neighbours = DefaultNeighbours,
        NeighbourNorm norm = NeighbourNorm.Maximum, int threads = 0)
    {
        CheckPairs("kraskov", x.Length, xColumns, y.Length, yColumns);
        return Kraskov(Standardise("kraskov x", x, xColumns), Standardise("kraskov y", y, yColumns), [], neighbours, norm, threads);
    }

    /// <summary>
    /// I(x; y | c), nats, by neighbours (Frenzel and Pompe 2007): psi(k) - mean [psi(n_xc + 1) + psi(n_yc + 1) - psi(n_c + 1)]. Ties are
    /// treated as in <see cref="Kraskov(ReadOnlySpan{float}, int, ReadOnlySpan{float}, int, int, NeighbourNorm, int)"/>. Low where c has
    /// many columns.
    /// </summary>
    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="given">c, [N, <paramref name="givenColumns"/>].</param>
    /// <inheritdoc cref="Kraskov(ReadOnlySpan{float}, int, ReadOnlySpan{float}, int, int, NeighbourNorm, int)" path="/param|/exception"/>
    public static Estimate ConditionalKraskov(ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns,
        ReadOnlySpan<float> given, int givenColumns,
        int neighbours = DefaultNeighbours, NeighbourNorm norm = NeighbourNorm.Maximum, int threads = 0)
    {
        CheckPairs("conditional kraskov", x.Length, xColumns, y.Length, yColumns);
        CheckPairs("conditional kraskov", x.Length, xColumns, given.Length, givenColumns);
        return Kraskov(Standardise("conditional kraskov x", x, xColumns), Standardise("conditional kraskov y", y, yColumns),
            Standardise("conditional kraskov c", given, givenColumns), neighbours, norm, threads);
    }

    /// <summary>Of columns that are scaled already; without c the condition says nothing, and n_c + 1 is N.</summary>
    private static Estimate Kraskov(double[][] x, double[][] y, double[][] given, int neighbours, NeighbourNorm norm, int threads)
    {
        int points = x[0].Length;
        if (neighbours < 1 || neighbours >= points)
            throw new EstimatorException($"kraskov: {neighbours} neighbours among {points} points; expected 1 to {points - 1}");
        bool conditional = given.Length > 0;
        NeighbourIndex joint = Index(norm, x, y, given), withX = Index(norm, x, given), withY = Index(norm, y, given);
        var alone = conditional ? Index(norm, given) : null;
        double[] psi = DiGamma(points), terms = new double[points];
        ForBlocks(points, threads, block =>
        {
            Span<double> radii = stackalloc double[block.Length];
            Span<int> together = stackalloc int[block.Length], nx = stackalloc int[block.Length], ny = stackalloc int[block.Length],
                nc = stackalloc int[block.Length];
            var tied = Radii(joint, block, neighbours, radii, together);
            withX.Count(block, radii, nx);
            withY.Count(block, radii, ny);
            nc.Fill(points - 1);
            alone?.Count(block, radii, nc);
            for (int p = 0; p < block.Length; p++)
                terms[block[p]] = psi[tied[p] ? together[p] + 1 : neighbours] - psi[nx[p] + 1] - psi[ny[p] + 1] + psi[nc[p] + 1];
        });
        var mean = new RunningMean();
        foreach (double term in terms)
            mean.Add(term);
        return mean.ToEstimate(BoundKind.Neither, psi[points] - psi[neighbours]);
    }

    private static NeighbourIndex Index(NeighbourNorm norm, params double[][][] variables) =>
        NeighbourIndex.Of(norm == NeighbourNorm.Euclidean ? variables : [.. variables.SelectMany(variable => variable.Select(column =>
            new[] { column }))]);

    /// <summary>
    /// How far the k-th neighbour of each point is, and whether other points are as far. Where they are not, the radius is set so that what
    /// is nearer than the k-th is counted, else so that all that is as near as the k-th is counted, and how many that are.
    /// </summary>
    private static bool[] Radii(NeighbourIndex joint, int[] block, int neighbours, Span<double> radii, Span<int> together)
    {
        int points = block.Length, k = neighbours + 1;
        var nearest = new double[points * k];
        joint.Nearest(block, nearest);
        var tied = new bool[points];
        for (int p = 0; p < points; p++)
        {
            double radius = nearest[p * k + neighbours - 1];
            bool asNext = nearest[p * k + neighbours] <= NeighbourIndex.UpTo(radius);
            bool asBefore = neighbours > 1 && nearest[p * k + neighbours - 2] > NeighbourIndex.Inside(radius);
            tied[p] = asNext || asBefore || radius == 0;
            radii[p] = tied[p] ? NeighbourIndex.UpTo(radius) : NeighbourIndex.Inside(radius);
        }
        if (tied.Contains(true))
            joint.Count(block, radii, together);
        return tied;
    }
}
