using System.Buffers.Binary;
using NUnit.Framework;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

public sealed class StreamingTests
{
    private const int Height = 4, Width = 3;

    [TestCase(1000, 10, 4)]
    [TestCase(997, 10, 7)]
    [TestCase(5, 10, 4)]
    [TestCase(64, 1, 64)]
    public void A_window_order_visits_every_image_once_and_few_chunks_at_a_time(int count, int chunk, int chunksPerWindow)
    {
        var order = new WindowOrder(count, chunk, chunksPerWindow, seed: 5);
        int[] first = order.Permutation(0);
        Assert.That(first.Order(), Is.EqualTo(Enumerable.Range(0, count)));
        Assert.That(order.Permutation(0), Is.EqualTo(first), "same seed and epoch");
        if (count > 10)
        {
            Assert.That(order.Permutation(1), Is.Not.EqualTo(first), "another epoch");
            Assert.That(new WindowOrder(count, chunk, chunksPerWindow, seed: 6).Permutation(0), Is.Not.EqualTo(first), "another seed");
        }
        int[][] windows = order.Deal(0);
        Assert.That(windows, Has.Length.EqualTo(order.Windows));
        Assert.That(windows.Select(w => w.Length), Is.All.LessThanOrEqualTo(chunksPerWindow));
        Assert.That(windows.SelectMany(w => w).Order(), Is.EqualTo(Enumerable.Range(0, order.Chunks)));
    }

    [Test]
    public void Windows_mix_distant_images()
    {
        int[] order = new WindowOrder(10_000, 20, 25, seed: 1).Permutation(3);
        double near = Enumerable.Range(1, order.Length - 1).Count(i => Math.Abs(order[i] - order[i - 1]) < 20) / (double)order.Length;
        Assert.That(near, Is.LessThan(0.1), "share of neighbours from one chunk; 1 in 25 by chance");
        Assert.That(Enumerable.Range(0, 10).Average(i => (double)order[i]), Is.InRange(1000, 9000));
    }

    [TestCase(7, 200)]
    [TestCase(64, 1 << 20)]
    [TestCase(10_000, 200)]
    [TestCase(1, 1)]
    public void A_stream_gives_each_image_once_an_epoch_in_its_order(int batchSize, int windowBytes)
    {
        using var cache = Cache(out _);
        var stream = new ImageStream(cache.Train, batchSize, seed: 3, windowBytes);
        foreach (int epoch in (int[])[0, 4])
        {
            var seen = new List<int>();
            int batches = 0;
            foreach (var batch in stream.Batches(epoch))
            {
                batches++;
                Assert.That(batch.Pixels.Length, Is.EqualTo(batch.Indices.Length * Height * Width));
                for (int i = 0; i < batch.Indices.Length; i++)
                    Assert.That(batch.Pixels.Slice(i * Height * Width, Height * Width).ToArray(),
                        Is.EqualTo(Pixels(batch.Indices.Span[i])));
                seen.AddRange(batch.Indices.ToArray());
            }
            Assert.That(batches, Is.EqualTo(stream.BatchesPerEpoch));
            Assert.That(seen, Is.EqualTo(stream.Order.Permutation(epoch)));
        }
    }

    [Test]
    public void A_resumed_epoch_continues_where_it_stopped()
    {
        using var cache = Cache(out _);
        var stream = new ImageStream(cache.Train, 9, seed: 3, windowBytes: 300);
        int[][] all = [.. stream.Batches(2).Select(b => b.Indices.ToArray())];
        for (int first = 0; first <= stream.BatchesPerEpoch; first++)
            Assert.That(stream.Batches(2, first).Select(b => b.Indices.ToArray()), Is.EqualTo(all[first..]));
        using (var abandoned = stream.Batches(0).GetEnumerator())
            abandoned.MoveNext();
        Assert.That(stream.Batches(0).Count(), Is.EqualTo(stream.BatchesPerEpoch), "after an abandoned epoch");
    }

    [Test]
    public void Splits_lie_one_after_another_with_their_attributes()
    {
        using var cache = Cache(out _);
        var test = cache.Test.ToDataset();
        Assert.That((test.Count, test.Split, cache.Validation.Count), Is.EqualTo((17, "test", 20)));
        Assert.That(test.Image(2).ToArray(), Is.EqualTo(Pixels(222)));
        Assert.That(test.Factors!.Classes, Is.EqualTo(Enumerable.Range(220, 17).Select(i => i % 2)));
        Assert.That(cache.Train.ToDataset(5).Count, Is.EqualTo(5));
    }

    [Test]
    public void Damaged_caches_are_refused_whatever_the_damage()
    {
        Cache(out string path).Dispose();
        byte[] valid = File.ReadAllBytes(path);
        string copy = path + ".damaged";
        int length = BinaryPrimitives.ReadInt32LittleEndian(valid.AsSpan(8));
        // Only the front has redundancy: a flipped pixel is a pixel.
        HostileBytes.Check(valid, bytes =>
        {
            File.WriteAllBytes(copy, bytes);
            using var cache = ImageCache.Open(copy);
            cache.Train.ToDataset();
        }, rounds: 600);
        foreach (int at in (int[])[0, 9, 13, 16, 16 + length / 2])
        {
            byte[] damaged = [.. valid];
            damaged[at] ^= 1;
            File.WriteAllBytes(copy, damaged);
            Assert.That(() => ImageCache.Open(copy), Throws.TypeOf<DataException>().With.Message.Contains("made again"));
        }
        Assert.That(() => ImageCache.Open(path + ".absent"), Throws.TypeOf<DataException>().With.Message.Contains("no such file"));
    }

    private static byte[] Pixels(int image) =>
        [.. Enumerable.Range(0, Height * Width).Select(i => (byte)(image * 31 + i * 7 + image / 256))];

    private static ImageCache Cache(out string path)
    {
        path = Path.Combine(TestFiles.Folder("stream"), "a.images");
        var header = new ImageCacheHeader("a", "source", Height, Width, 1, Train: 200, Validation: 20, Test: 17, ["odd"], []);
        ImageCache.Write(path, header, stream =>
        {
            for (int i = 0; i < header.Count; i++)
                stream.Write(Pixels(i));
        }, Enumerable.Range(0, header.Count).Select(i => (byte)(i % 2)).ToArray());
        return ImageCache.Open(path);
    }
}
