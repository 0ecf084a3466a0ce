namespace VaeFromScratch.Estimators;

/// <summary>
/// A seeded subset of a stream of rows whose length need not be known: the rows with the smallest keys, a row's key being a hash of the
/// seed and its index.
/// </summary>
/// <remarks>
/// The subset depends on the seed and on the indices alone: not on chunks, and a subset of n is contained in every larger one of the same
/// stream.
/// </remarks>
internal sealed class PointSubset
{
    /// <summary>Up to this many points, mixture estimates take all.</summary>
    public const int AllUpTo = 20_000;

    /// <summary>Above <see cref="AllUpTo"/> they take a subset of this size.</summary>
    public const int DefaultSize = 10_000;

    // The queue's first entry is the largest key kept: the one that a smaller key replaces.
    private readonly PriorityQueue<(ulong Key, long Row), ulong> kept;
    private readonly int capacity;
    private readonly ulong seed;

    /// <param name="capacity">The most rows to keep.</param>
    public PointSubset(int capacity, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        (this.capacity, this.seed) = (capacity, seed);
        kept = new(Comparer<ulong>.Create((a, b) => b.CompareTo(a)));
    }

    /// <summary>The rows kept so far, ascending.</summary>
    public long[] Rows => Smallest(capacity);

    /// <summary>The rows that a subset of a smaller capacity would have kept, ascending.</summary>
    public long[] Smallest(int count) =>
        [.. kept.UnorderedItems.OrderBy(item => item.Element.Key).Take(count).Select(item => item.Element.Row).Order()];

    /// <summary>Offers a row; true when it is kept, with the row it displaces (-1 for none) in <paramref name="displaced"/>.</summary>
    public bool Offer(long row, out long displaced)
    {
        ulong key = SeededRandom.Mix(seed ^ SeededRandom.Mix((ulong)row + 1));
        displaced = -1;
        if (kept.Count < capacity)
        {
            kept.Enqueue((key, row), key);
            return true;
        }
        if (key >= kept.Peek().Key)
            return false;
        displaced = kept.Dequeue().Row;
        kept.Enqueue((key, row), key);
        return true;
    }

    /// <summary>Rows of a table of <paramref name="points"/>, ascending: all, or <paramref name="size"/> of them by the seed.</summary>
    public static int[] Choose(int points, int size, ulong seed)
    {
        if (size >= points)
            return [.. Enumerable.Range(0, points)];
        var subset = new PointSubset(size, seed);
        for (int row = 0; row < points; row++)
            subset.Offer(row, out _);
        return [.. subset.Rows.Select(row => (int)row)];
    }

    /// <summary>
    /// How many points a mixture estimate takes of <paramref name="points"/>: <paramref name="requested"/> at most, by default all up to 20
    /// 000 and else 10 000.
    /// </summary>
    public static int SizeFor(long points, int? requested) =>
        (int)Math.Min(points, requested ?? (points <= AllUpTo ? AllUpTo : DefaultSize));
}
