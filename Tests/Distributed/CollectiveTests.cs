using NUnit.Framework;
using VaeFromScratch.Distributed;

namespace VaeFromScratch.Tests.Distributed;

/// <summary>Sums over ranks and shards against the tree's definition, bit by bit.</summary>
public sealed class CollectiveTests
{
    [Test]
    public void An_all_reduce_adds_neighbours_first_on_every_rank([Values(1, 2, 3, 4, 5, 6, 7, 8)] int size,
        [Values(1, 15, 16, 33, 1000)] int length)
    {
        float[][] vectors = Vectors(size, length);
        float[] expected = TreeOfRanks(vectors);
        float[][] sums = ThreadRanks.Run(size, (ranks, compute) =>
        {
            var x = compute.Pool.Rent<float>(length);
            var scratch = compute.Pool.Rent<float>(Collectives.ScratchFor(length, size));
            compute.Backend.Upload<float>(vectors[ranks.Rank], x);
            ranks.AllReduce(compute, x, scratch);
            return x.AsSpan().ToArray();
        });
        foreach (float[] sum in sums)
            Assert.That(Bits(sum), Is.EqualTo(Bits(expected)));
    }

    [Test]
    public void A_sum_over_shards_has_the_same_bits_on_any_number_of_ranks([Range(1, 8)] int size, [Values(8, 16, 32)] int shards)
    {
        const int length = 100;
        float[][] sums = ThreadRanks.Run(size, (ranks, compute) =>
        {
            using var tree = new ShardSum(compute, ranks, shards, longest: 2 * length);
            float[] result = [];
            // The second sum finds what the first has left, and a longer vector.
            foreach (int n in (int[])[length, 2 * length, length])
            {
                tree.Begin(n);
                foreach (float[] vector in Vectors(shards, n)[tree.First..(tree.First + tree.Count)])
                {
                    compute.Backend.Upload<float>(vector, tree.Leaf.Part(0, n));
                    tree.Add();
                }
                result = [.. result, .. tree.Result().AsSpan()];
            }
            return result;
        });
        float[] expected = [.. Tree(Vectors(shards, length)), .. Tree(Vectors(shards, 2 * length)), .. Tree(Vectors(shards, length))];
        foreach (float[] sum in sums)
            Assert.That(Bits(sum), Is.EqualTo(Bits(expected)));
    }

    [Test]
    public void The_order_of_additions_shows_in_the_bits() =>
        Assert.That(Bits(Vectors(8, 100).Aggregate((a, b) => [.. a.Zip(b, (u, v) => u + v)])), Is.Not.EqualTo(Bits(Tree(Vectors(8, 100)))),
            "otherwise the tests above could not fail");

    [Test]
    public void A_sum_without_all_shards_is_refused() => ThreadRanks.Run(1, (ranks, compute) =>
    {
        using var tree = new ShardSum(compute, ranks, 4, 10);
        tree.Begin(10);
        tree.Add();
        return Assert.Throws<InvalidOperationException>(() => tree.Result())!.Message;
    });

    [Test]
    public void Ranks_divide_all_shards_among_them([Range(1, 16)] int size, [Values(16, 64)] int shards)
    {
        var parts = ThreadRanks.Run(size, (ranks, compute) =>
        {
            using var tree = new ShardSum(compute, ranks, shards, longest: 1);
            return (tree.First, tree.Count);
        });
        Assert.That(parts.SelectMany(p => Enumerable.Range(p.First, p.Count)), Is.EqualTo(Enumerable.Range(0, shards)));
        Assert.That(parts.Max(p => p.Count), Is.LessThanOrEqualTo(2 * parts.Min(p => p.Count)));
    }

    [Test]
    public void A_shard_for_each_rank_may_be_any_number_of_them([Values(3, 5, 6, 7)] int size)
    {
        float[][] vectors = Vectors(size, 50);
        float[][] sums = ThreadRanks.Run(size, (ranks, compute) =>
        {
            using var tree = new ShardSum(compute, ranks, size, longest: 50);
            Assert.That((tree.First, tree.Count), Is.EqualTo((ranks.Rank, 1)));
            tree.Begin(50);
            compute.Backend.Upload<float>(vectors[ranks.Rank], tree.Leaf);
            tree.Add();
            return tree.Result().AsSpan().ToArray();
        });
        foreach (float[] sum in sums)
            Assert.That(Bits(sum), Is.EqualTo(Bits(TreeOfRanks(vectors))));
    }

    [TestCase(6, 2, "6 shards: expected 1, 2, 4, 8")]
    [TestCase(6, 6, "6 shards: expected 1, 2, 4, 8")]
    [TestCase(2, 3, "2 shards on 3 ranks: expected at least a shard for each rank")]
    [TestCase(8, 3, null)]
    public void Shards_are_a_power_of_two_and_enough(int shards, int ranks, string? problem) =>
        Assert.That(ShardSum.Problem(shards, ranks), problem is null ? Is.Null : Does.StartWith(problem));

    [Test]
    public void Ranks_gather_broadcast_and_agree([Range(1, 9)] int size)
    {
        var results = ThreadRanks.Run(size, (ranks, _) =>
        {
            byte[] bytes = ranks.Rank == 0 ? [1, 2, 3] : new byte[3];
            ranks.Broadcast(bytes);
            ranks.Barrier();
            return (Gathered: ranks.AllGather([ranks.Rank, 0.1 * ranks.Rank]), Bytes: bytes, Last: ranks.Any(ranks.Rank == size - 1),
                None: ranks.Any(false));
        });
        foreach (var (gathered, bytes, last, none) in results)
        {
            Assert.That(gathered, Is.EqualTo(Enumerable.Range(0, size).Select(rank => new[] { rank, 0.1 * rank })));
            Assert.That(bytes, Is.EqualTo(new byte[] { 1, 2, 3 }));
            Assert.That((last, none), Is.EqualTo((true, false)));
        }
    }

    /// <summary>The tree's definition: the sum of the first half plus that of the second.</summary>
    private static float[] Tree(ReadOnlySpan<float[]> vectors)
    {
        if (vectors.Length == 1)
            return vectors[0];
        float[] left = Tree(vectors[..(vectors.Length / 2)]), right = Tree(vectors[(vectors.Length / 2)..]);
        return [.. left.Zip(right, (a, b) => a + b)];
    }

    /// <summary>Of ranks that are no power of two, the first are added in pairs until that many are left.</summary>
    private static float[] TreeOfRanks(float[][] vectors)
    {
        int left = 1;
        while (2 * left <= vectors.Length)
            left *= 2;
        int pairs = vectors.Length - left;
        return Tree([.. vectors[..(2 * pairs)].Chunk(2).Select(pair => Tree(pair)), .. vectors[(2 * pairs)..]]);
    }

    private static float[][] Vectors(int count, int length)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ =>
            Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(6)))).ToArray())];
    }

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);
}
