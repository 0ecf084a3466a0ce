using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Distributed;

/// <summary>
/// The sum of a vector of each of a fixed number of shards, added in a fixed pairwise tree, ((0 + 1) + (2 + 3)) + .., whichever rank has
/// computed which: the bits do not depend on the number of ranks.
/// </summary>
/// <remarks>
/// A rank has a subtree, whose sum is a leaf of the tree of <see cref="Collectives.AllReduce"/>. With P a power of two it has S / P
/// shards; else as many as for the next smaller power of two, or half of them, so that 3 ranks have 2, 2 and 4 of 8. A shard for each
/// rank may be any number of them.
/// </remarks>
internal sealed class ShardSum : IDisposable
{
    private readonly Compute compute;
    private readonly ICollective ranks;
    private readonly Slice<float> leaf, scratch;

    // Of level l: the sum of 2^l shards that still waits for its sibling.
    private readonly Slice<float>[] levels;
    private int length, added;

    /// <param name="shards">As many as the ranks, or a power of two that is larger.</param>
    /// <param name="longest">Numbers of the longest vector.</param>
    /// <exception cref="ArgumentException">The shards cannot be divided among the ranks.</exception>
    public ShardSum(Compute compute, ICollective ranks, int shards, int longest)
    {
        if (shards != ranks.Size && Problem(shards, ranks.Size) is { } problem)
            throw new ArgumentException(problem, nameof(shards));
        (this.compute, this.ranks, Shards) = (compute, ranks, shards);
        int core = Collectives.Core(ranks.Size), pairs = ranks.Size - core;
        Count = shards == ranks.Size ? 1 : shards / core / (ranks.Rank < 2 * pairs ? 2 : 1);
        First = Count * (shards == ranks.Size || ranks.Rank < 2 * pairs ? ranks.Rank : ranks.Rank - pairs);
        leaf = compute.Pool.Rent<float>(longest);
        scratch = ranks.Size > 1 ? compute.Pool.Rent<float>(Collectives.ScratchFor(longest, ranks.Size)) : default;
        levels = [.. Enumerable.Range(0, Count == 1 ? 0 : System.Numerics.BitOperations.Log2((uint)Count) + 1)
            .Select(_ => compute.Pool.Rent<float>(longest))];
    }

    /// <summary>How many vectors are added in all.</summary>
    public int Shards { get; }

    /// <summary>How many of them this rank has.</summary>
    public int Count { get; }

    /// <summary>The first shard of this rank.</summary>
    public int First { get; }

    /// <summary>Where the next shard's vector goes, with room for the longest.</summary>
    public Slice<float> Leaf => leaf;

    /// <summary>Why a number of shards is none that any number of ranks up to it can divide; null where it is.</summary>
    public static string? Problem(int shards, int ranks) =>
        !System.Numerics.BitOperations.IsPow2(shards) ? $"{shards} shards: expected 1, 2, 4, 8 or another power of two"
        : shards < ranks ? $"{shards} shards on {ranks} ranks: expected at least a shard for each rank" : null;

    /// <summary>Begins a sum of vectors of this length.</summary>
    public void Begin(int length) => (this.length, added) = (length, 0);

    /// <summary>Adds what is in <see cref="Leaf"/>, the vector of this rank's next shard.</summary>
    public void Add()
    {
        var sum = leaf.Part(0, length);
        int level = 0;
        // A binary counter: each 1 is a sum that has waited for one of the same size.
        for (; (added >> level & 1) == 1; level++)
        {
            var left = levels[level].Part(0, length);
            compute.Backend.Binary<Kernels.Functions.Add>(left, sum, left);
            sum = left;
        }
        added++;
        if (Count == 1)
            return;
        if (level == 0)
            compute.Backend.CopyBlock(1, length, sum, length, levels[0].Part(0, length), length);
        else
            (levels[level - 1], levels[level]) = (levels[level], levels[level - 1]);
    }

    /// <summary>The sum of all shards of all ranks, the same on each, until <see cref="Begin"/>.</summary>
    /// <exception cref="InvalidOperationException">Not all shards of this rank have been added.</exception>
    /// <exception cref="CollectiveException">Another rank has gone.</exception>
    public Slice<float> Result()
    {
        if (added != Count)
            throw new InvalidOperationException($"{added} of {Count} shards have been added");
        var sum = (Count == 1 ? leaf : levels[^1]).Part(0, length);
        if (ranks.Size > 1)
            ranks.AllReduce(compute, sum, scratch);
        return sum;
    }

    public void Dispose()
    {
        foreach (var slice in (Slice<float>[])[leaf, .. levels])
            compute.Pool.Return(slice);
        if (!scratch.IsAbsent)
            compute.Pool.Return(scratch);
    }
}
