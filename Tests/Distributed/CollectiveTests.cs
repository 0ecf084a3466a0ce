using NUnit.Framework;
using VaeFromScratch.Distributed;

namespace VaeFromScratch.Tests.Distributed;

/// <summary>Sums over ranks and shards against the tree's definition, bit by bit.</summary>
public sealed class CollectiveTests
{
    [Test]
    public void An_all_reduce_adds_neighbours_first_on_every_rank([Values(1, 2, 4, 8)] int size, [Values(1, 15, 16, 33, 1000)] int length)
    {
        float[][] vectors = Vectors(size, length);
        float[] expected = Tree(vectors);
        float[][] sums = ThreadRanks.Run(size, (ranks, compute) =>
        {
            var x = compute.Pool.Rent<float>(length);
            var scratch = compute.Pool.Rent<float>(Collectives.ScratchFor(length));
            compute.Backend.Upload<float>(vectors[ranks.Rank], x);
            ranks.AllReduce(compute, x, scratch);
            return x.AsSpan().ToArray();
        });
        foreach (float[] sum in sums)
            Assert.That(Bits(sum), Is.EqualTo(Bits(expected)));
    }

    [Test]
    public void A_sum_over_shards_has_the_same_bits_on_any_number_of_ranks([Values(1, 2, 4, 8)] int size, [Values(1, 2, 4)] int each)
    {
        int shards = size * each;
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

    [TestCase(3, 3, "3 ranks: expected 1, 2, 4, 8")]
    [TestCase(6, 2, "6 shards: expected 1, 2, 4, 8")]
    [TestCase(2, 4, "2 shards on 4 ranks: expected at least a shard for each rank")]
    [TestCase(8, 4, null)]
    public void Shards_and_ranks_are_powers_of_two(int shards, int ranks, string? problem) =>
        Assert.That(ShardSum.Problem(shards, ranks), problem is null ? Is.Null : Does.StartWith(problem));

    [Test]
    public void Ranks_gather_broadcast_and_agree([Values(1, 2, 4, 8)] int size)
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

    private static float[][] Vectors(int count, int length)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ =>
            Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(6)))).ToArray())];
    }

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);
}
