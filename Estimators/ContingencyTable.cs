namespace VaeFromScratch.Estimators;

/// <summary>How often each category met each label.</summary>
public sealed class ContingencyTable
{
    private readonly int[,] counts;

    /// <param name="categories">Category of each point, 0 .. K - 1, [M].</param>
    /// <param name="labels">Label of each point, 0 .. L - 1, [M].</param>
    /// <param name="categoryCount">K; 0 for one more than the largest seen.</param>
    /// <param name="labelCount">L; 0 for one more than the largest seen.</param>
    /// <exception cref="EstimatorException">The lengths differ or an entry is out of range.</exception>
    public ContingencyTable(ReadOnlySpan<int> categories, ReadOnlySpan<int> labels, int categoryCount = 0, int labelCount = 0)
    {
        if (categories.Length != labels.Length || categories.Length == 0)
            throw new EstimatorException(
                $"contingency table: {categories.Length} categories and {labels.Length} labels; give one of each per point");
        counts = new int[CountOf(categories, categoryCount, "category"), CountOf(labels, labelCount, "label")];
        for (int i = 0; i < categories.Length; i++)
            counts[categories[i], labels[i]]++;
        Points = categories.Length;
    }

    /// <param name="counts">Of each category (row) with each label (column).</param>
    /// <exception cref="EstimatorException">Nothing was counted.</exception>
    internal ContingencyTable(int[,] counts)
    {
        this.counts = counts;
        Points = counts.Cast<int>().Sum();
        if (Points == 0)
            throw new EstimatorException("contingency table: no points; give a category and a label for each");
    }

    public int Points { get; }

    /// <summary>The number of categories, K.</summary>
    public int Categories => counts.GetLength(0);

    /// <summary>The number of labels, L.</summary>
    public int Labels => counts.GetLength(1);

    public int this[int category, int label] => counts[category, label];

    /// <summary>The most probable category of each row of p(y|x) [M, K]; ties go to the first.</summary>
    public static int[] MostProbable(ReadOnlySpan<float> probabilities, int categories)
    {
        var best = new int[probabilities.Length / categories];
        for (int n = 0; n < best.Length; n++)
        {
            var row = probabilities.Slice(n * categories, categories);
            for (int k = 1; k < categories; k++)
                if (row[k] > row[best[n]])
                    best[n] = k;
        }
        return best;
    }

    /// <summary>
    /// (S3): I(y; label), nats, plug-in; at most min(log K, log L). Finite counts bias it upwards by about (K - 1)(L - 1) / 2M.
    /// </summary>
    public Estimate MutualInformation()
    {
        var (rows, columns) = Totals();
        var mean = new RunningMean();
        for (int k = 0; k < Categories; k++)
            for (int l = 0; l < Labels; l++)
                for (int i = 0; i < counts[k, l]; i++)
                    mean.Add(Math.Log((double)counts[k, l] * Points / ((double)rows[k] * columns[l])));
        double ceiling = Math.Log(Math.Min(Categories, Labels));
        return new(Math.Clamp(mean.Mean, 0, ceiling), mean.StandardError, BoundKind.Neither, ceiling, Points) { CeilingIsTrue = true };
    }

    /// <summary>(S3): the accuracy of the best one-to-one map of categories to labels.</summary>
    public double ClusteringAccuracy() =>
        (double)ClusteringMap().Select((label, category) => label < 0 ? 0 : counts[category, label]).Sum() / Points;

    /// <summary>
    /// The label each category gets under the best one-to-one map, -1 for categories left over; by the Hungarian algorithm.
    /// </summary>
    public int[] ClusteringMap()
    {
        int size = Math.Max(Categories, Labels);
        var cost = new double[size, size];
        for (int k = 0; k < Categories; k++)
            for (int l = 0; l < Labels; l++)
                cost[k, l] = -counts[k, l];
        return [.. Assignment.Minimise(cost).Take(Categories).Select(label => label < Labels ? label : -1)];
    }

    /// <summary>The commonest label of each category; where a category was never seen, the commonest label of all.</summary>
    public int[] MajorityTable()
    {
        var (rows, columns) = Totals();
        int commonest = Array.IndexOf(columns, columns.Max());
        var table = new int[Categories];
        for (int k = 0; k < Categories; k++)
        {
            for (int l = 1; l < Labels; l++)
                if (counts[k, l] > counts[k, table[k]])
                    table[k] = l;
            if (rows[k] == 0)
                table[k] = commonest;
        }
        return table;
    }

    /// <summary>The share of points whose category a table, fitted on other points, maps to their label.</summary>
    public double Accuracy(ReadOnlySpan<int> table)
    {
        if (table.Length != Categories)
            throw new EstimatorException(
                $"contingency table: a table of {table.Length} labels for {Categories} categories; fit it with the same number of "
                + $"categories");
        int right = 0;
        for (int k = 0; k < table.Length; k++)
            if ((uint)table[k] < (uint)Labels)
                right += counts[k, table[k]];
        return (double)right / Points;
    }

    private (int[] Rows, int[] Columns) Totals()
    {
        var (rows, columns) = (new int[Categories], new int[Labels]);
        for (int k = 0; k < Categories; k++)
            for (int l = 0; l < Labels; l++)
            {
                rows[k] += counts[k, l];
                columns[l] += counts[k, l];
            }
        return (rows, columns);
    }

    private static int CountOf(ReadOnlySpan<int> values, int count, string what)
    {
        int largest = 0;
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] < 0 || (count > 0 && values[i] >= count))
                throw new EstimatorException(
                    $"contingency table: {what} {values[i]} of point {i} is out of range; expected 0 to "
                    + $"{(count > 0 ? count - 1 : int.MaxValue)}");
            largest = Math.Max(largest, values[i]);
        }
        return count > 0 ? count : largest + 1;
    }
}
