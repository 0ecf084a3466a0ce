namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>
/// Classification trees on bootstrap samples (Breiman 1996), each split the best by Gini impurity over all columns, which are cut into 64
/// bins of equal counts. Predictions can stop at any depth, so that one fit gives the accuracy of every capacity.
/// </summary>
internal sealed class BaggedTrees
{
    /// <summary>The most splits from a tree's root to a leaf.</summary>
    public const int MostDepth = 10;

    private const int Trees = 10, Bins = 64, FewestPoints = 4;

    private readonly byte[][] columns;
    private readonly int[] classes;
    private readonly int classCount;
    private readonly List<Node>[] trees = new List<Node>[Trees];

    /// <param name="Class">The most frequent one.</param>
    private sealed record Node(int Class)
    {
        /// <summary>Split by it; -1 for a leaf.</summary>
        public int Column { get; set; } = -1;

        /// <summary>Up to this goes to the left.</summary>
        public int Bin { get; set; }
        public int Left { get; set; }
        public int Right { get; set; }
    }

    /// <param name="columns">Binned by <see cref="Bin"/>, [p][n].</param>
    /// <param name="classes">[n], from 0.</param>
    /// <param name="classCount">Their number.</param>
    /// <param name="fitting">The first so many points are fitted on.</param>
    public BaggedTrees(byte[][] columns, int[] classes, int classCount, int fitting, ulong seed)
    {
        (this.columns, this.classes, this.classCount) = (columns, classes, classCount);
        Importances = new double[columns.Length];
        // Apart from other uses of the seed ("tree" in ASCII).
        var random = SeededRandom.Create(seed, 0x74_72_65_65);
        for (int t = 0; t < Trees; t++)
        {
            int[] points = [.. Enumerable.Range(0, fitting).Select(_ => random.Next(fitting))];
            trees[t] = [];
            Grow(trees[t], points, 0, points.Length, 0);
        }
    }

    /// <summary>The impurity that the splits of each column took away, [p].</summary>
    public double[] Importances { get; }

    /// <summary>A column as its bins of equal counts.</summary>
    public static byte[] Bin(float[] column) => Array.ConvertAll(Samples.Binning.EqualFrequency(column, Bins), bin => (byte)bin);

    /// <summary>The share of points from <paramref name="from"/> on that most trees, cut at a depth, get right.</summary>
    public double Accuracy(int from, int depth)
    {
        int right = 0;
        var votes = new int[classCount];
        for (int i = from; i < classes.Length; i++)
        {
            Array.Clear(votes);
            foreach (var tree in trees)
            {
                int at = 0;
                for (int d = 0; d < depth && tree[at].Column >= 0; d++)
                    at = columns[tree[at].Column][i] <= tree[at].Bin ? tree[at].Left : tree[at].Right;
                votes[tree[at].Class]++;
            }
            right += Array.IndexOf(votes, votes.Max()) == classes[i] ? 1 : 0;
        }
        return (double)right / (classes.Length - from);
    }

    private int Grow(List<Node> tree, int[] points, int from, int to, int depth)
    {
        var counts = new int[classCount];
        for (int i = from; i < to; i++)
            counts[classes[points[i]]]++;
        var node = new Node(Array.IndexOf(counts, counts.Max()));
        int place = tree.Count;
        tree.Add(node);
        if (depth == MostDepth || to - from < FewestPoints || counts.Max() == to - from)
            return place;
        var (gain, column, bin) = BestSplit(points.AsSpan(from, to - from), counts);
        if (gain <= 1e-9)
            return place;
        Importances[column] += gain;
        int middle = from;
        for (int i = from; i < to; i++)
            if (columns[column][points[i]] <= bin)
            {
                (points[i], points[middle]) = (points[middle], points[i]);
                middle++;
            }
        (node.Column, node.Bin) = (column, bin);
        node.Left = Grow(tree, points, from, middle, depth + 1);
        node.Right = Grow(tree, points, middle, to, depth + 1);
        return place;
    }

    /// <summary>By how much the best split lowers points times Gini impurity; ties go to the first column.</summary>
    private (double Gain, int Column, int Bin) BestSplit(ReadOnlySpan<int> points, int[] counts)
    {
        double all = SquaresOver(counts, points.Length);
        var (best, bestColumn, bestBin) = (0.0, -1, 0);
        var table = new int[Bins * classCount];
        int[] left = new int[classCount], right = new int[classCount];
        for (int c = 0; c < columns.Length; c++)
        {
            Array.Clear(table);
            Array.Clear(left);
            foreach (int i in points)
                table[columns[c][i] * classCount + classes[i]]++;
            int below = 0;
            for (int bin = 0; bin < Bins - 1; bin++)
            {
                int here = 0;
                for (int k = 0; k < classCount; k++)
                {
                    left[k] += table[bin * classCount + k];
                    here += table[bin * classCount + k];
                    right[k] = counts[k] - left[k];
                }
                below += here;
                if (here == 0 || below == points.Length)
                    continue;
                double gain = SquaresOver(left, below) + SquaresOver(right, points.Length - below) - all;
                if (gain > best + 1e-9)
                    (best, bestColumn, bestBin) = (gain, c, bin);
            }
        }
        return (best, bestColumn, bestBin);
    }

    private static double SquaresOver(int[] counts, int all)
    {
        double sum = 0;
        foreach (int count in counts)
            sum += (double)count * count;
        return sum / all;
    }
}
