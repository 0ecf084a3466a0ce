namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>Draws points that share the value of one factor, as the FactorVAE and the beta-VAE scores need.</summary>
internal sealed class FixedFactorSampler
{
    // rows[factor][value]: the points with that value.
    private readonly int[][][] rows;
    private readonly Random random;

    public FixedFactorSampler(string metric, LabelledCodes data, ulong seed)
    {
        random = SeededRandom.Create(seed, 0x66_69_78);
        rows = new int[data.FactorCount][][];
        for (int f = 0; f < rows.Length; f++)
        {
            var classes = data.Factor(f);
            rows[f] = [.. Enumerable.Range(0, data.Points).GroupBy(m => classes[m]).OrderBy(g => g.Key).Select(g => g.ToArray())];
        }
        Varying = [.. Enumerable.Range(0, rows.Length).Where(f => rows[f].Length > 1)];
        if (Varying.Length == 0)
            throw new EstimatorException($"{metric}: every factor has one value only; give data whose factors vary");
    }

    /// <summary>Factors with more than one value.</summary>
    public int[] Varying { get; }

    public int NextFactor() => Varying[random.Next(Varying.Length)];

    /// <summary>The points with a value of the factor, the value drawn uniformly from those that occur.</summary>
    public int[] NextGroup(int factor) => rows[factor][random.Next(rows[factor].Length)];

    public int NextRow(int[] group) => group[random.Next(group.Length)];
}
