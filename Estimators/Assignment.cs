namespace VaeFromScratch.Estimators;

/// <summary>The linear assignment problem, by the Hungarian algorithm with potentials in O(n^3).</summary>
internal static class Assignment
{
    /// <summary>The column of each row in the one-to-one assignment of least total cost.</summary>
    /// <param name="cost">[n, n], finite.</param>
    public static int[] Minimise(double[,] cost)
    {
        int n = cost.GetLength(0);
        if (cost.GetLength(1) != n)
            throw new EstimatorException($"assignment: a cost matrix of [{n}, {cost.GetLength(1)}]; give a square one, padded with zeros");
        // Index 0 of rows and columns is a sentinel: the row being placed starts out matched to column 0.
        var (rowPotential, columnPotential) = (new double[n + 1], new double[n + 1]);
        var (rowOf, previous) = (new int[n + 1], new int[n + 1]);
        for (int row = 1; row <= n; row++)
        {
            rowOf[0] = row;
            int column = 0;
            var slack = new double[n + 1];
            Array.Fill(slack, double.PositiveInfinity);
            var visited = new bool[n + 1];
            do
            {
                visited[column] = true;
                int next = CheapestColumn(column, visited, slack, out double step);
                for (int j = 0; j <= n; j++)
                    if (visited[j])
                    {
                        rowPotential[rowOf[j]] += step;
                        columnPotential[j] -= step;
                    }
                    else
                        slack[j] -= step;
                column = next;
            }
            while (rowOf[column] != 0);
            for (; column != 0; column = previous[column])
                rowOf[column] = rowOf[previous[column]];
        }
        var assigned = new int[n];
        for (int j = 1; j <= n; j++)
            assigned[rowOf[j] - 1] = j - 1;
        return assigned;

        int CheapestColumn(int from, bool[] visited, double[] slack, out double step)
        {
            int row = rowOf[from], best = 0;
            step = double.PositiveInfinity;
            for (int j = 1; j <= n; j++)
            {
                if (visited[j])
                    continue;
                double reduced = cost[row - 1, j - 1] - rowPotential[row] - columnPotential[j];
                if (reduced < slack[j])
                    (slack[j], previous[j]) = (reduced, from);
                if (slack[j] < step)
                    (step, best) = (slack[j], j);
            }
            return best;
        }
    }
}
