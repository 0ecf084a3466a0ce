namespace VaeFromScratch.Estimators.Samples;

public static partial class SampleInformation
{
    /// <summary>Cells of a table of two labels.</summary>
    private const long MostCells = 1 << 26;

    /// <summary>
    /// Plug-in information of two numbers cut into bins of equal counts, nats: too low by what the bins hide, too high by about (bins -
    /// 1)^2 / 2N. At most log bins.
    /// </summary>
    /// <remarks>
    /// Equal values share a bin, so that a constant has no information and whole numbers in few values are counted as they are.
    /// </remarks>
    /// <param name="x">[N].</param>
    /// <param name="y">[N].</param>
    /// <param name="bins">Of each of the two.</param>
    /// <exception cref="EstimatorException">Lengths do not match or a value is not finite.</exception>
    public static Estimate Binned(ReadOnlySpan<float> x, ReadOnlySpan<float> y, int bins = 20)
    {
        CheckPairs("binned information", x.Length, 1, y.Length, 1);
        return new ContingencyTable(Binning.EqualFrequency(x, bins), Binning.EqualFrequency(y, bins), bins, bins).MutualInformation();
    }

    /// <summary>
    /// I(x; y) of two classes from their counts, nats, with the correction of Miller (1955): plug-in minus (K_xy - K_x - K_y + 1) / 2N,
    /// where K are the values and the pairs that occur. May come out slightly below 0 where there is no information; at most the ceiling.
    /// </summary>
    /// <param name="x">Classes of any numbering, [N].</param>
    /// <param name="y">Classes of any numbering, [N].</param>
    /// <exception cref="EstimatorException">Lengths do not match, or there are too many different values for a table.</exception>
    public static Estimate Counts(ReadOnlySpan<int> x, ReadOnlySpan<int> y)
    {
        CheckPairs("counts", x.Length, 1, y.Length, 1);
        var (classesX, sizeX) = Renumber(x);
        var (classesY, sizeY) = Renumber(y);
        if ((long)sizeX * sizeY > MostCells)
            throw new EstimatorException($"counts: {sizeX} and {sizeY} different values make a table of more than {MostCells} cells; " +
                $"give labels with fewer values");
        var table = new ContingencyTable(classesX, classesY, sizeX, sizeY);
        int pairs = 0;
        for (int a = 0; a < sizeX; a++)
            for (int b = 0; b < sizeY; b++)
                pairs += table[a, b] > 0 ? 1 : 0;
        var plugIn = table.MutualInformation();
        return plugIn with { Value = Math.Min(plugIn.Ceiling, plugIn.Value - (pairs - sizeX - sizeY + 1) / (2.0 * x.Length)) };
    }

    /// <summary>
    /// I(x; y | c) of three classes from their counts, nats: the mean over the values of c of <see cref="Counts"/> of the points that have
    /// them.
    /// </summary>
    /// <param name="x">Classes of any numbering, [N].</param>
    /// <param name="y">Classes of any numbering, [N].</param>
    /// <param name="given">c, classes of any numbering, [N].</param>
    /// <exception cref="EstimatorException">Lengths do not match, or there are too many different values for a table.</exception>
    public static Estimate ConditionalCounts(ReadOnlySpan<int> x, ReadOnlySpan<int> y, ReadOnlySpan<int> given)
    {
        CheckPairs("conditional counts", x.Length, 1, y.Length, 1);
        CheckPairs("conditional counts", x.Length, 1, given.Length, 1);
        int[] a = x.ToArray(), b = y.ToArray(), c = given.ToArray();
        double value = 0, variance = 0, ceiling = 0;
        foreach (var group in Enumerable.Range(0, c.Length).GroupBy(i => c[i]).OrderBy(g => g.Key).Select(g => g.ToArray()).Where(g =>
            g.Length > 1))
        {
            var within = Counts(Array.ConvertAll(group, i => a[i]), Array.ConvertAll(group, i => b[i]));
            double share = (double)group.Length / c.Length;
            value += share * within.Value;
            ceiling += share * within.Ceiling;
            variance += share * share * within.StandardError * within.StandardError;
        }
        return new(value, Math.Sqrt(variance), BoundKind.Neither, ceiling, c.Length) { CeilingIsTrue = true };
    }

    /// <summary>Classes numbered from 0 in ascending order, and how many there are.</summary>
    internal static (int[] Classes, int Count) Renumber(ReadOnlySpan<int> labels)
    {
        int[] all = labels.ToArray(), values = [.. all.Distinct().Order()];
        return (Array.ConvertAll(all, label => Array.BinarySearch(values, label)), values.Length);
    }
}
