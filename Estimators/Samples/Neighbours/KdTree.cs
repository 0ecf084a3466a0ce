namespace VaeFromScratch.Estimators.Samples.Neighbours;

/// <summary>
/// A k-d tree over a few columns: halves at the median of the widest column, leaves of a few points, tight boxes (Friedman, Bentley and
/// Finkel 1977).
/// </summary>
internal sealed class KdTree : NeighbourIndex
{
    private const int LeafSize = 12;

    private readonly double[][][] parts;
    private readonly double[][] columns;

    /// <summary>Where each part ends among the columns.</summary>
    private readonly int[] ends;

    /// <summary>Points in the order of the leaves, and their coordinates in the same order, [N, D].</summary>
    private readonly int[] order;
    private readonly double[] coordinates;

    /// <summary>
    /// The lowest and the highest coordinate in each node, [nodes, D, 2]. Children of node n are 2 n + 1 and 2 n + 2, each with half of the
    /// points.
    /// </summary>
    private readonly double[] boxes;

    public KdTree(double[][][] parts)
    {
        this.parts = [.. parts.Where(part => part.Length > 0)];
        columns = [.. this.parts.SelectMany(part => part)];
        ends = [.. this.parts.Select((_, i) => this.parts.Take(i + 1).Sum(part => part.Length))];
        int points = columns[0].Length, nodes = 1;
        for (int size = points; size > LeafSize; size = (size + 1) / 2)
            nodes = 2 * nodes + 1;
        order = [.. Enumerable.Range(0, points)];
        boxes = new double[nodes * columns.Length * 2];
        Build(0, 0, points);
        coordinates = new double[points * columns.Length];
        for (int i = 0; i < points; i++)
            for (int c = 0; c < columns.Length; c++)
                coordinates[i * columns.Length + c] = columns[c][order[i]];
    }

    public override void Nearest(ReadOnlySpan<int> points, Span<double> distances)
    {
        int k = distances.Length / points.Length;
        distances.Fill(double.PositiveInfinity);
        Span<double> centre = stackalloc double[columns.Length];
        for (int p = 0; p < points.Length; p++)
        {
            Coordinates(points[p], centre);
            Nearest(0, 0, order.Length, points[p], centre, distances.Slice(p * k, k));
        }
    }

    public override void Count(ReadOnlySpan<int> points, ReadOnlySpan<double> radii, Span<int> counts)
    {
        Span<double> centre = stackalloc double[columns.Length];
        for (int p = 0; p < points.Length; p++)
        {
            Coordinates(points[p], centre);
            counts[p] = Count(0, 0, order.Length, centre, radii[p]) - 1;
        }
    }

    private void Nearest(int node, int from, int to, int self, ReadOnlySpan<double> centre, Span<double> nearest)
    {
        if (to - from <= LeafSize)
        {
            for (int i = from; i < to; i++)
                if (order[i] != self && Distance(i, centre) is var distance && distance < nearest[^1])
                    Insert(nearest, distance);
            return;
        }
        int left = 2 * node + 1, right = left + 1, middle = Middle(from, to);
        double toLeft = ToBox(left, centre).Nearest, toRight = ToBox(right, centre).Nearest;
        bool leftFirst = toLeft <= toRight;
        for (int turn = 0; turn < 2; turn++)
            if (leftFirst == (turn == 0))
            {
                if (toLeft < nearest[^1])
                    Nearest(left, from, middle, self, centre, nearest);
            }
            else if (toRight < nearest[^1])
                Nearest(right, middle, to, self, centre, nearest);
    }

    private int Count(int node, int from, int to, ReadOnlySpan<double> centre, double radius)
    {
        var (nearest, farthest) = ToBox(node, centre);
        if (nearest > radius)
            return 0;
        if (farthest <= radius)
            return to - from;
        if (to - from > LeafSize)
            return Count(2 * node + 1, from, Middle(from, to), centre, radius) + Count(2 * node + 2, Middle(from, to), to, centre, radius);
        int count = 0;
        for (int i = from; i < to; i++)
            count += Distance(i, centre) <= radius ? 1 : 0;
        return count;
    }

    private double Distance(int place, ReadOnlySpan<double> centre)
    {
        var point = coordinates.AsSpan(place * centre.Length, centre.Length);
        double largest = 0;
        int c = 0;
        foreach (int end in ends)
        {
            double sum = 0;
            for (; c < end; c++)
                sum += (point[c] - centre[c]) * (point[c] - centre[c]);
            largest = Math.Max(largest, sum);
        }
        return largest;
    }

    private (double Nearest, double Farthest) ToBox(int node, ReadOnlySpan<double> centre)
    {
        var box = boxes.AsSpan(node * centre.Length * 2, centre.Length * 2);
        double nearest = 0, farthest = 0;
        int c = 0;
        foreach (int end in ends)
        {
            double near = 0, far = 0;
            for (; c < end; c++)
            {
                double below = centre[c] - box[2 * c], above = box[2 * c + 1] - centre[c];
                double outside = Math.Max(0, Math.Max(-below, -above)), across = Math.Max(below, above);
                near += outside * outside;
                far += across * across;
            }
            (nearest, farthest) = (Math.Max(nearest, near), Math.Max(farthest, far));
        }
        return (nearest, farthest);
    }

    private void Coordinates(int point, Span<double> centre)
    {
        for (int c = 0; c < centre.Length; c++)
            centre[c] = columns[c][point];
    }

    private static int Middle(int from, int to) => from + (to - from + 1) / 2;

    private void Build(int node, int from, int to)
    {
        var box = boxes.AsSpan(node * columns.Length * 2, columns.Length * 2);
        int widest = 0;
        double width = -1;
        for (int c = 0; c < columns.Length; c++)
        {
            double low = double.PositiveInfinity, high = double.NegativeInfinity;
            for (int i = from; i < to; i++)
                (low, high) = (Math.Min(low, columns[c][order[i]]), Math.Max(high, columns[c][order[i]]));
            (box[2 * c], box[2 * c + 1]) = (low, high);
            if (high - low > width)
                (widest, width) = (c, high - low);
        }
        if (to - from <= LeafSize)
            return;
        int middle = Middle(from, to);
        Split(columns[widest], from, to - 1, middle);
        Build(2 * node + 1, from, middle);
        Build(2 * node + 2, middle, to);
    }

    /// <summary>Moves the smallest points to the left of <paramref name="middle"/>, both ends included (Hoare's selection).</summary>
    private void Split(double[] column, int low, int high, int middle)
    {
        while (low < high)
        {
            double pivot = column[order[(low + high) >>> 1]];
            int i = low, j = high;
            while (i <= j)
            {
                while (column[order[i]] < pivot)
                    i++;
                while (column[order[j]] > pivot)
                    j--;
                if (i <= j)
                {
                    (order[i], order[j]) = (order[j], order[i]);
                    i++;
                    j--;
                }
            }
            if (middle <= j)
                high = j;
            else if (middle >= i)
                low = i;
            else
                return;
        }
    }
}
