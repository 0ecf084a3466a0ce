namespace VaeFromScratch.Estimators.Samples.Neighbours;

/// <summary>
/// N points whose distance is the largest of the Euclidean distances in the parts of their space. Distances are squared everywhere; a point
/// is no neighbour of itself.
/// </summary>
/// <remarks>Queries may run on several threads at a time. All indices give the same answers; they differ in speed.</remarks>
internal abstract class NeighbourIndex
{
    /// <summary>Columns up to which a k-d tree beats brute force.</summary>
    private const int TreeColumns = 5;

    /// <summary>Two squared distances that differ by a smaller share are equal: scaling the columns rounds.</summary>
    public const double Tolerance = 1e-10;

    /// <summary>Queries that are best asked together.</summary>
    public const int Block = 16;

    /// <param name="parts">The columns of each part, [N] each.</param>
    public static NeighbourIndex Of(params double[][][] parts) => parts.Sum(part => part.Length) switch
    {
        1 => new SortedColumn(parts.First(part => part.Length == 1)[0]),
        <= TreeColumns => new KdTree(parts),
        _ => new BruteForce(parts),
    };

    /// <summary>The squared distances of some points to their nearest neighbours, ascending.</summary>
    /// <param name="points">At most <see cref="Block"/>.</param>
    /// <param name="distances">[points, k]; infinite where there are fewer than k others.</param>
    public abstract void Nearest(ReadOnlySpan<int> points, Span<double> distances);

    /// <summary>How many others are within a radius of each of some points.</summary>
    /// <param name="points">At most <see cref="Block"/>.</param>
    /// <param name="radii">The largest squared distance that counts, one a point.</param>
    public abstract void Count(ReadOnlySpan<int> points, ReadOnlySpan<double> radii, Span<int> counts);

    /// <summary>The largest squared distance that is smaller than a radius by more than rounding.</summary>
    public static double Inside(double radius) => radius * (1 - Tolerance);

    /// <summary>The largest squared distance that is equal to a radius up to rounding.</summary>
    public static double UpTo(double radius) => radius * (1 + Tolerance);

    /// <summary>Puts a distance into the ascending list of the nearest, dropping the last.</summary>
    protected static void Insert(Span<double> nearest, double distance)
    {
        int place = nearest.Length - 1;
        for (; place > 0 && nearest[place - 1] > distance; place--)
            nearest[place] = nearest[place - 1];
        nearest[place] = distance;
    }
}
