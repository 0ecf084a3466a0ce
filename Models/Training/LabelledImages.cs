using VaeFromScratch.Data;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// The training images whose labels a model may see, as many of each class, in batches of a fixed size. Which images they are is a function
/// of the seed, and which of
/// them a step has is one of seed and step, so that a resumed run continues in the order that an uninterrupted one has.
/// </summary>
internal sealed class LabelledImages : IDisposable
{
    // Apart from the order of the unlabelled images, and the choice apart from both.
    private const ulong Order = 0x6C61_6265_6C6C_6564, Choice = 0x6368_6F6F_7365_6E00;

    private readonly Compute compute;
    private readonly TrainingData data;
    private readonly BatchOrder order;
    private readonly int classes;
    private readonly Slice<float> oneHot;
    private readonly Slice<int> indices;
    private readonly int[] host;
    private int[] permutation = [];
    private int permutationOf = -1;

    /// <param name="dataset">All training images.</param>
    /// <param name="hasDesign">Whether the classes are those of a designed prior; for the error.</param>
    /// <param name="labelled">How many, and how many at a time.</param>
    /// <param name="shards">Into how many parts a step's images are cut; a batch here is one of them.</param>
    /// <exception cref="OptionException">The set has no labels, other classes than the model, or too few images of one of them.</exception>
    public LabelledImages(Compute compute, ImageDataset dataset, int classes, bool hasDesign, (int Count, int Batch) labelled,
        Binarise binarise, ulong seed, int shards = 1)
    {
        if (labelled.Batch % shards != 0)
            throw new OptionException(
                $"labelled_batch {labelled.Batch}: it is cut into {shards} shards of the same size; give a multiple of {shards}");
        int batch = labelled.Batch / shards;
        (this.compute, this.classes) = (compute, classes);
        if (dataset.Labels is null)
            throw new OptionException($"data {dataset.Name}: it has no labels, which this model learns from; name a data set with labels");
        if (dataset.Classes != classes)
            throw new OptionException(
                $"data {dataset.Name}: it has {dataset.Classes} classes and the {(hasDesign ? "design" : "model")} {classes}; give "
                + $"{(hasDesign ? "--design one centre for each class" : "--segments as many")}");
        var chosen = dataset.Select(Choose(dataset.Labels, classes, labelled.Count, seed), dataset.Split);
        data = new(compute, chosen, binarise, seed);
        order = new(chosen.Count, chosen.Count, seed ^ Order);
        BatchSize = batch;
        host = new int[batch];
        indices = compute.Pool.Rent<int>(batch);
        oneHot = compute.Pool.Rent<float>(chosen.Count * classes);
        var labels = new float[chosen.Count * classes];
        for (int i = 0; i < chosen.Count; i++)
            labels[i * classes + chosen.Labels![i]] = 1;
        compute.Backend.Upload<float>(labels, oneHot);
    }

    public int Count => data.Count;

    public int BatchSize { get; }

    /// <summary>
    /// Indices of <paramref name="count"/> images, as many of each class (one more of the first classes where that does not come out even),
    /// in file order.
    /// </summary>
    /// <exception cref="OptionException">There are fewer than one a class, or a class has too few images.</exception>
    public static int[] Choose(byte[] labels, int classes, int count, ulong seed)
    {
        if (count == 0)
            return [.. Enumerable.Range(0, labels.Length)];
        if (count < classes)
            throw new OptionException(
                $"labels {count}: there are {classes} classes, and a class without a label cannot be learned; give at least {classes}, or "
                + $"0 for all");
        var left = Enumerable.Range(0, classes).Select(k => count / classes + (k < count % classes ? 1 : 0)).ToArray();
        var chosen = new List<int>();
        foreach (int image in new BatchOrder(labels.Length, labels.Length, seed ^ Choice).Permutation(epoch: 0))
            if (left[labels[image]] > 0)
            {
                left[labels[image]]--;
                chosen.Add(image);
            }
        if (Array.FindIndex(left, l => l > 0) is >= 0 and var missing)
            throw new OptionException(
                $"labels {count}: class {missing} has {left[missing]} training images too few for {count} labels, as many of each class; "
                + $"name a smaller number, or 0 for all");
        chosen.Sort();
        return [.. chosen];
    }

    /// <summary>Writes which images a step has. Outside a captured step, before it runs.</summary>
    /// <param name="step">From 0, each shard of a step counted. The steps go through one shuffled order of the images after
    /// another.</param>
    public void BeginStep(long step)
    {
        for (int i = 0; i < BatchSize; i++)
        {
            long position = step * BatchSize + i;
            int pass = (int)(position / Count);
            if (pass != permutationOf)
                (permutation, permutationOf) = (order.Permutation(pass), pass);
            host[i] = permutation[position % Count];
        }
        compute.Backend.Upload<int>(host, indices);
    }

    /// <summary>The step's images; may be part of a captured step.</summary>
    public LabelledBatch Batch(Rng rng)
    {
        var y = Tape.Current.Empty(new(BatchSize, classes));
        compute.Backend.GatherRows(oneHot, indices, classes, y.Data);
        return new(data.Gather(indices, rng), y);
    }

    public void Dispose()
    {
        compute.Pool.Return(oneHot);
        compute.Pool.Return(indices);
        data.Dispose();
    }
}
