namespace VaeFromScratch.Estimators;

/// <summary>
/// Keeps, from a stream of encodings of any length, the points that a mixture estimate takes: the same ones as it would choose had it all
/// in memory.
/// </summary>
internal sealed class EncodingSample
{
    private readonly int factors;
    private readonly int categories;
    private readonly int? requested;
    private readonly PointSubset subset;
    private readonly Dictionary<long, int> slots = [];
    private readonly List<float> mu = [];
    private readonly List<float> logVar = [];
    private readonly List<float> probabilities = [];

    /// <param name="factors">H.</param>
    /// <param name="seed">As for <see cref="MixtureInformation.Compute"/>.</param>
    /// <param name="requested">Points to keep; by default all up to 20 000 and else 10 000.</param>
    /// <param name="categories">K; 0 without a category.</param>
    public EncodingSample(int factors, ulong seed, int? requested = null, int categories = 0)
    {
        (this.factors, this.categories, this.requested) = (factors, categories, requested);
        subset = new(requested ?? PointSubset.AllUpTo, seed);
    }

    /// <summary>Rows offered so far.</summary>
    public long Points { get; private set; }

    /// <summary>Offers whole rows.</summary>
    /// <param name="mu">[rows, H].</param>
    /// <param name="logVar">[rows, H].</param>
    /// <param name="probabilities">[rows, K]; empty without a category.</param>
    public void Add(ReadOnlySpan<float> mu, ReadOnlySpan<float> logVar, ReadOnlySpan<float> probabilities = default)
    {
        int rows = mu.Length / factors;
        if (mu.Length != rows * factors || logVar.Length != mu.Length || probabilities.Length != rows * categories)
            throw new EstimatorException(
                $"encoding sample: a chunk of {mu.Length} means, {logVar.Length} log variances and {probabilities.Length} probabilities "
                + $"is not a whole number of rows of {factors} factors and {categories} categories");
        for (int r = 0; r < rows; r++, Points++)
        {
            if (!subset.Offer(Points, out long displaced))
                continue;
            int slot = displaced < 0 ? slots.Count : slots[displaced];
            slots.Remove(displaced);
            slots.Add(Points, slot);
            Put(this.mu, slot, mu.Slice(r * factors, factors));
            Put(this.logVar, slot, logVar.Slice(r * factors, factors));
            Put(this.probabilities, slot, probabilities.Slice(r * categories, categories));
        }
    }

    /// <summary>The points kept, in the order of the stream.</summary>
    public Encodings Result()
    {
        int[] order = [.. subset.Smallest(PointSubset.SizeFor(Points, requested)).Select(row => slots[row])];
        return new Encodings(slots.Count, factors, mu.ToArray(), logVar.ToArray(), probabilities.ToArray()).Rows(order);
    }

    private static void Put(List<float> table, int slot, ReadOnlySpan<float> row)
    {
        int from = slot * row.Length;
        if (from == table.Count)
            table.AddRange(row);
        else
            for (int i = 0; i < row.Length; i++)
                table[from + i] = row[i];
    }
}
