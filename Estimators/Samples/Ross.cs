using VaeFromScratch.Estimators.Samples.Neighbours;

namespace VaeFromScratch.Estimators.Samples;

public static partial class SampleInformation
{
    /// <summary>
    /// I(label; y) of a class and numbers, nats (Ross 2014): psi(N) + mean [psi(k) - psi(N_class) - psi(m)], m the points of any class as
    /// near as the k-th neighbour of the same class. Points that are alone in their class say nothing and are left out.
    /// </summary>
    /// <remarks>Ties as in <see cref="Kraskov(ReadOnlySpan{float}, int, ReadOnlySpan{float}, int, int, NeighbourNorm, int)"/>.</remarks>
    /// <param name="labels">Classes of any numbering, [N].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="neighbours">k; fewer in classes that have fewer others.</param>
    /// <param name="norm">Of the columns of y.</param>
    /// <param name="threads">0 for one a processor; the result is the same for every number.</param>
    /// <exception cref="EstimatorException">Lengths do not match, a value is not finite, or no class has two points.</exception>
    public static Estimate Ross(ReadOnlySpan<int> labels, ReadOnlySpan<float> y, int yColumns, int neighbours = DefaultNeighbours,
        NeighbourNorm norm = NeighbourNorm.Maximum, int threads = 0)
    {
        CheckPairs("ross", labels.Length, 1, y.Length, yColumns);
        if (neighbours < 1)
            throw new EstimatorException($"ross: {neighbours} neighbours; expected at least 1");
        var all = labels.ToArray();
        int[] kept = [.. Enumerable.Range(0, all.Length).GroupBy(i => all[i]).Where(g => g.Count() > 1).SelectMany(g => g).Order()];
        if (kept.Length == 0)
            throw new EstimatorException("ross: every label occurs once; the information of unique labels cannot be estimated, give " +
                "classes");
        double[][] columns = [.. Standardise("ross y", y, yColumns).Select(column => Array.ConvertAll(kept, i => column[i]))];
        int points = kept.Length;
        var everywhere = Index(norm, columns);
        double[] psi = DiGamma(points), terms = new double[points];
        var groups = Enumerable.Range(0, points).GroupBy(i => all[kept[i]]).OrderBy(g => g.Key).Select(g => g.ToArray()).ToArray();
        foreach (int[] group in groups)
        {
            var within = Index(norm, [.. columns.Select(column => Array.ConvertAll(group, i => column[i]))]);
            int k = Math.Min(neighbours, group.Length - 1);
            ForBlocks(group.Length, threads, block =>
            {
                Span<double> radii = stackalloc double[block.Length];
                Span<int> together = stackalloc int[block.Length], near = stackalloc int[block.Length];
                var tied = Radii(within, block, k, radii, together);
                int[] places = Array.ConvertAll(block, i => group[i]);
                everywhere.Count(places, radii, near);
                for (int p = 0; p < block.Length; p++)
                    terms[places[p]] = psi[points] + psi[tied[p] ? together[p] + 1 : k] - psi[group.Length] - psi[near[p] + 1];
            });
        }
        var mean = new RunningMean();
        foreach (double term in terms)
            mean.Add(term);
        double entropy = CategoryInformation.Entropy([.. groups.Select(g => (double)g.Length / points)]);
        var estimate = mean.ToEstimate(BoundKind.Neither, entropy);
        return estimate with { Value = Math.Min(entropy, estimate.Value), CeilingIsTrue = true };
    }
}
