using VaeFromScratch.Data;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// For each image of the batch another one that differs from it in one known factor only, as weak supervision has it. Which factor and
/// which image is a function of seed and
/// epoch, so that a resumed run goes on with the pairs that an uninterrupted one has.
/// </summary>
internal sealed class PairedFeed : BatchFeed
{
    // Apart from the order of the images ("pair" in ASCII).
    private const ulong Stream = 0x7061_6972;

    private readonly Compute compute;
    private readonly TrainingData data;
    private readonly BatchOrder order;
    private readonly Slice<int> indices, first;
    private readonly int[][] groups;
    private readonly int[][] groupOf;
    private int current;

    /// <param name="order">That of the first images.</param>
    /// <exception cref="OptionException">The factors are not known, the set is streamed, or no two images differ in one factor
    /// only.</exception>
    public PairedFeed(Compute compute, TrainingData data, BatchOrder order)
    {
        (this.compute, this.data, this.order) = (compute, data, order);
        if (data.Dataset.Factors is not { } truth)
            throw new OptionException(
                $"data {data.Dataset.Name}: its factors are not known, and this model learns from pairs that differ in one of them; name "
                + $"dsprites or another set with known factors");
        if (data.Dataset.Stored is not null)
            throw new OptionException(
                $"data {data.Dataset.Name}: {data.Count} images are streamed, and pairs are taken from images in memory; give a smaller "
                + $"--limit");
        (groups, groupOf) = Group(truth, data.Count);
        if (!groups.Any(g => g.Length > 1))
            throw new OptionException(
                $"data {data.Dataset.Name}: no two of its {data.Count} images differ in one factor only; give a larger --limit, or a set "
                + $"that is a grid of its factors");
        indices = compute.Pool.Rent<int>(order.Count);
        first = compute.Pool.Rent<int>(1);
    }

    public override int BatchSize => order.BatchSize;

    public override int BatchesPerEpoch => order.BatchesPerEpoch;

    public override IEnumerable<int> Batches(int epoch, int firstBatch)
    {
        int[] permutation = order.Permutation(epoch);
        var random = new Random(unchecked((int)((order.Seed ^ Stream) * 0x9E37_79B9 + (ulong)epoch)));
        compute.Backend.Upload<int>(Array.ConvertAll(permutation, i => Partner(i, random)), indices);
        for (int batch = firstBatch; batch < BatchesPerEpoch; batch++)
        {
            current = batch;
            StartAt(0);
            yield return order.SizeOf(batch);
        }
    }

    public override void StartAt(int offset) => compute.Backend.Upload<int>([current * BatchSize + offset], first);

    public override Tensor Images(int count, Rng rng) => data.Gather(indices, first, count, rng);

    public override void Dispose()
    {
        compute.Pool.Return(indices);
        compute.Pool.Return(first);
    }

    /// <summary>
    /// An image that differs from <paramref name="image"/> in one factor, drawn from those in which one can; itself where there is none.
    /// </summary>
    internal int Partner(int image, Random random)
    {
        int[] able = [.. Enumerable.Range(0, groupOf.Length).Where(f => groups[groupOf[f][image]].Length > 1)];
        if (able.Length == 0)
            return image;
        int[] group = groups[groupOf[able[random.Next(able.Length)]][image]];
        int other = group[random.Next(group.Length - 1)];
        return other == image ? group[^1] : other;
    }

    /// <summary>For each factor the images that agree in all others: the groups, and of each factor the group of each image.</summary>
    private static (int[][] Groups, int[][] GroupOf) Group(GroundTruth truth, int count)
    {
        var groups = new List<int[]>();
        var groupOf = new int[truth.Factors][];
        for (int f = 0; f < truth.Factors; f++)
        {
            groupOf[f] = new int[count];
            foreach (var group in Enumerable.Range(0, count).GroupBy(i => Key(truth, i, f)))
            {
                foreach (int image in group)
                    groupOf[f][image] = groups.Count;
                groups.Add([.. group]);
            }
        }
        return ([.. groups], groupOf);
    }

    /// <summary>The classes of all factors but one, as one number.</summary>
    private static ulong Key(GroundTruth truth, int image, int left)
    {
        ulong key = 0;
        for (int f = 0; f < truth.Factors; f++)
            key = key * (ulong)truth.Sizes[f] + (ulong)(f == left ? 0 : truth.Classes[image * truth.Factors + f]);
        return key;
    }
}
