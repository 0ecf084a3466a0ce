using NUnit.Framework;
using VaeFromScratch.Data;

namespace VaeFromScratch.Tests.Engine;

public sealed class BatchOrderTests
{
    [TestCase(10, 3, 4, 1)]
    [TestCase(10, 5, 2, 5)]
    [TestCase(7, 100, 1, 7)]
    [TestCase(1, 1, 1, 1)]
    public void Every_image_comes_once_an_epoch_and_the_last_batch_may_be_smaller(int count, int batchSize, int batches, int last)
    {
        var order = new BatchOrder(count, batchSize, seed: 3);
        var visited = order.Batches(epoch: 2).ToList();
        Assert.That(visited, Has.Count.EqualTo(batches).And.Count.EqualTo(order.BatchesPerEpoch));
        Assert.That(visited[^1].Length, Is.EqualTo(last).And.EqualTo(order.SizeOf(batches - 1)));
        Assert.That(visited.SelectMany(batch => batch.ToArray()), Is.EquivalentTo(Enumerable.Range(0, count)));
    }

    [Test]
    public void The_order_is_a_pure_function_of_seed_and_epoch()
    {
        var order = new BatchOrder(1000, 100, seed: 5);
        Assert.That(new BatchOrder(1000, 7, seed: 5).Permutation(4), Is.EqualTo(order.Permutation(4)));
        Assert.That(order.Permutation(3), Is.Not.EqualTo(order.Permutation(4)));
        Assert.That(new BatchOrder(1000, 100, seed: 5 + (1UL << 32)).Permutation(4), Is.Not.EqualTo(order.Permutation(4)));
    }

    [Test]
    public void An_epoch_can_be_resumed_at_any_batch()
    {
        var order = new BatchOrder(95, 10, seed: 1);
        var whole = order.Batches(6).Select(batch => batch.ToArray()).ToList();
        Assert.That(order.Batches(6, firstBatch: 7).Select(batch => batch.ToArray()), Is.EqualTo(whole[7..]));
        Assert.That(order.Batches(6, firstBatch: 10), Is.Empty);
    }

    [Test]
    public void All_orders_of_four_images_are_equally_likely()
    {
        const int draws = 24_000;
        var order = new BatchOrder(4, 4, seed: 11);
        var counts = new Dictionary<string, int>();
        for (int epoch = 0; epoch < draws; epoch++)
        {
            string key = string.Join("", order.Permutation(epoch));
            counts[key] = counts.GetValueOrDefault(key) + 1;
        }
        double chiSquare = counts.Values.Sum(n => (n - draws / 24.0) * (n - draws / 24.0) / (draws / 24.0));
        Assert.That(counts, Has.Count.EqualTo(24));
        Assert.That(chiSquare, Is.LessThan(49.7), "chi-square with 23 degrees of freedom, one in a thousand");
    }

    [Test]
    public void Sizes_below_one_are_refused()
    {
        Assert.That(() => new BatchOrder(0, 1, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new BatchOrder(1, 0, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new BatchOrder(1, 1, 1).Permutation(-1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }
}
