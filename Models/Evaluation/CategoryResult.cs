using VaeFromScratch.Data;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>What a category turned out to mean.</summary>
/// <param name="Information">I(x; c) of the measured images (equations.md (C3)).</param>
/// <param name="Labels">How it met their labels; null where there are none.</param>
public sealed record CategoryResult(CategoryInformation Information, CategoryLabels? Labels)
{
    /// <summary>Null for encodings without a category.</summary>
    /// <param name="train">The encodings that tables of categories and labels are read off; null to do without.</param>
    public static CategoryResult? Compute(Encodings measured, Encodings? train)
    {
        if (measured.Categories == 0)
            return null;
        bool labelled = train is not null && train.Labels.Length > 0 && measured.Labels.Length > 0;
        return new(CategoryInformation.Compute(measured), labelled ? CategoryLabels.Compute(measured, train!) : null);
    }
}

/// <summary>Accuracy as paper 5 measured it.</summary>
internal static class TrainingModeAccuracy
{
    /// <summary>
    /// Share of images whose category has the label that it has most often among the same images, in training's batches and with each
    /// batch's own statistics in batch normalisation.
    /// An evaluation with running statistics on test images is another, and the fairer, number.
    /// </summary>
    /// <param name="images">The training images, with labels.</param>
    /// <param name="batch">Images at a time.</param>
    public static double Compute(VaeModel model, ImageDataset images, int batch)
    {
        var categories = new int[images.Count];
        for (int start = 0; start < images.Count; start += batch)
        {
            int count = Math.Min(batch, images.Count - start);
            using var tape = model.Compute.Tape(gradients: false, training: true);
            var x = tape.Constant(new(count, images.Height, images.Width, images.Channels), images.ToFloats(start, count));
            float[] probabilities = tape.KeepingStatistics(() => model.Infer(x)).C!.Probabilities.ToArray();
            ContingencyTable.MostProbable(probabilities, model.Categories).CopyTo(categories, start);
        }
        var table = new ContingencyTable(categories, Array.ConvertAll(images.Labels!, l => (int)l), model.Categories);
        return table.Accuracy(table.MajorityTable());
    }
}

/// <summary>
/// Categories against labels; the tables that name categories come from the training images, the shares are of the measured ones.
/// </summary>
/// <param name="Table">Most probable category and label of each measured image.</param>
/// <param name="OneToOne">The label of each category, no two the same, -1 for none (equations.md (S3)).</param>
/// <param name="ClusterAccuracy">Share of images whose label <paramref name="OneToOne"/> finds.</param>
/// <param name="Accuracy">The same by the commonest label of each category.</param>
public sealed record CategoryLabels(ContingencyTable Table, IReadOnlyList<int> OneToOne, double ClusterAccuracy, double Accuracy)
{
    internal static CategoryLabels Compute(Encodings measured, Encodings train)
    {
        int labels = 0;
        foreach (var set in (Encodings[])[measured, train])
            foreach (int label in set.Labels.Span)
                labels = Math.Max(labels, label + 1);
        var (table, fitted) = (TableOf(measured, labels), TableOf(train, labels));
        int[] oneToOne = fitted.ClusteringMap();
        return new(table, oneToOne, table.Accuracy(oneToOne), table.Accuracy(fitted.MajorityTable()));
    }

    private static ContingencyTable TableOf(Encodings e, int labels) =>
        new(ContingencyTable.MostProbable(e.Probabilities.Span, e.Categories), e.Labels.Span, e.Categories, labels);
}
