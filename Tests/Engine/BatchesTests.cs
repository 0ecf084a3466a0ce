using NUnit.Framework;

namespace VaeFromScratch.Tests.Engine;

public sealed class BatchesTests : OnCpu
{
    [Test]
    public void An_epoch_has_every_item_once_whole_and_in_an_order_of_its_own()
    {
        // Item i is (2 i, 2 i + 1).
        var batches = Batches.Of(Compute, Enumerable.Range(0, 22).Select(i => (float)i).ToArray(), new(2), batchSize: 4, seed: 3);
        float[] first = Epoch(0), second = Epoch(1);
        Assert.That((batches.Count, batches.PerEpoch), Is.EqualTo((11, 3)));
        Assert.That(first.Order(), Is.EqualTo(Enumerable.Range(0, 22)));
        Assert.That(Enumerable.Range(0, 11).All(i => first[2 * i + 1] == first[2 * i] + 1));
        Assert.That(second, Is.EquivalentTo(first).And.Not.EqualTo(first));
        Assert.That(Epoch(0), Is.EqualTo(first));
        Assert.That(batches.Epoch(0).Select(x => x.Shape.ToString()), Is.EqualTo(new[] { "[4, 2]", "[4, 2]", "[3, 2]" }));

        float[] Epoch(int epoch) => [.. batches.Epoch(epoch).SelectMany(x => x.ToArray())];
    }

    [Test]
    public void A_loop_that_is_left_gives_its_batch_back()
    {
        foreach (var x in Batches.Of(Compute, Values(12), new(3), 2, seed: 1).Epoch(0))
        {
            Assert.That(x.Shape[0], Is.EqualTo(2));
            break;
        }
        Assert.That(Compute.Pool.Outstanding, Is.Zero);
    }

    [Test]
    public void Values_that_are_no_whole_items_are_an_error() =>
        Assert.That(() => Batches.Of(Compute, Values(7), new(2), 1, 1), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("batches: 7 values for items of shape [2]; expected a multiple of 2"));
}
