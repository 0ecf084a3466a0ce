using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Distributed;

/// <summary>
/// The sum of a vector of each of a fixed number of shards, added in a fixed pairwise tree, ((0 + 1) + (2 + 3)) + .., whichever rank has
/// computed which: the bits do not depend on the number of ranks.
/// </summary>
/// <remarks>Rank r of P has the shards r S / P to (r + 1) S / P - 1: a subtree of its own, whose sum is a leaf of the tree of the
/// ranks.</remarks>
internal sealed class ShardSum : IDisposable
{
    private readonly Compute compute;
    private readonly ICollective ranks;
    private readonly Slice<float> leaf, scratch;

    // Of level l: the sum of 2^l shards that still waits for its sibling.
    private readonly Slice<float>[] levels;
    private int length, added;

    /// <param name="shards">A power of two and a multiple of the number of ranks.</param>
    /// <param name="longest">Numbers of the longest vector.</param>
    /// <exception cref="ArgumentException">The shards cannot be divided among the ranks.</exception>
    public ShardSum(Compute compute, ICollective ranks, int shards, int longest)
    {
        if (Problem(shards, ranks.Size) is { } problem)
            throw new ArgumentException(problem, nameof(shards));
        (this.compute, this.ranks, Shards, Count) = (compute, ranks, shards, shards / ranks.Size);
        leaf = compute.Pool.Rent<float>(longest);
        scratch = ranks.Size > 1 ? compute.Pool.Rent<float>(Collectives.ScratchFor(longest)) : default;
        levels = [.. Enumerable.Range(0, Count == 1 ? 0 : System.Numerics.BitOperations.Log2((uint)Count) + 1)
            .Select(_ => compute.Pool.Rent<float>(longest))];
    }

    /// <summary>How many vectors are added in all.</summary>
    public int Shards { get; }

    /// <summary>How many of them this rank has.</summary>
    public int Count { get; }

    /// <summary>The first shard of this rank.</summary>
    public int First => ranks.Rank * Count;

    /// <summary>Where the next shard's vector goes, with room for the longest.</summary>
    public Slice<float> Leaf => leaf;

    /// <summary>Why so many shards cannot be divided among so many ranks; null where they can.</summary>
    public static string? Problem(int shards, int ranks) =>
        !System.Numerics.BitOperations.IsPow2(ranks) ? $"{ranks} ranks: expected 1, 2, 4, 8 or another power of two"
        : !System.Numerics.BitOperations.IsPow2(shards) ? $"{shards} shards: expected 1, 2, 4, 8 or another power of two"
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
