namespace VaeFromScratch.Estimators.Samples.Neighbours;

/// <summary>Points on a line, in order: N log N to build, log N a count.</summary>
internal sealed class SortedColumn : NeighbourIndex
{
    private readonly double[] values;
    private readonly double[] sorted;

    public SortedColumn(double[] values)
    {
        this.values = values;
        sorted = [.. values];
        Array.Sort(sorted);
    }

    public override void Nearest(ReadOnlySpan<int> points, Span<double> distances)
    {
        int k = distances.Length / points.Length;
        for (int p = 0; p < points.Length; p++)
        {
            double value = values[points[p]];
            // One of the equal values is the point itself: start beside it.
            int self = First(v => v >= value), below = self - 1, above = self + 1;
            for (int place = 0; place < k; place++)
            {
                double down = below >= 0 ? value - sorted[below] : double.PositiveInfinity;
                double up = above < sorted.Length ? sorted[above] - value : double.PositiveInfinity;
                if (down < up)
                    below--;
                else
                    above++;
                double nearer = Math.Min(down, up);
                distances[p * k + place] = nearer * nearer;
            }
        }
    }

    public override void Count(ReadOnlySpan<int> points, ReadOnlySpan<double> radii, Span<int> counts)
    {
        for (int p = 0; p < points.Length; p++)
        {
            double value = values[points[p]], radius = radii[p];
            counts[p] = First(v => v > value && Square(v - value) > radius) - First(v => v >= value || Square(v - value) <= radius) - 1;
        }

        static double Square(double x) => x * x;
    }

    /// <summary>The first place from which on a condition holds.</summary>
    private int First(Func<double, bool> holds) => Ranks.FirstPlace(sorted, holds);
}
