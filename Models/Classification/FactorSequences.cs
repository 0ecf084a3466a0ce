using VaeFromScratch.Data;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Models.Classification;

/// <summary>What a classifier reads: the factors' means of images that belong together, and the class of each sequence.</summary>
/// <param name="Count">Sequences: trials of EEG, or single images.</param>
/// <param name="Steps">Images a sequence, 1 for single images.</param>
/// <param name="Factors">The number of factors, H.</param>
/// <param name="Values">[Count, Steps, Factors].</param>
/// <param name="Classes">The class of each sequence, [Count].</param>
internal sealed record FactorSequences(int Count, int Steps, int Factors, float[] Values, int[] Classes)
{
    /// <param name="encodings">Of all images of <paramref name="dataset"/>, in file order.</param>
    /// <exception cref="OptionException">The images have no labels.</exception>
    public static FactorSequences From(Encodings encodings, ImageDataset dataset)
    {
        byte[] labels = dataset.Labels ?? throw new OptionException(
            $"classify: data set {dataset.Name} has no labels to tell apart; use a run on labelled data such as mnist or synthetic-eeg");
        int steps = dataset.SequenceLength;
        int[] classes = [.. Enumerable.Range(0, dataset.Count / steps).Select(i => (int)labels[i * steps])];
        return new(classes.Length, steps, encodings.Factors, encodings.Mu.ToArray(), classes);
    }

    /// <summary>The same sequences with every factor times its entry of <paramref name="mask"/>, [Factors].</summary>
    public FactorSequences Masked(ReadOnlySpan<float> mask)
    {
        float[] masked = new float[Values.Length];
        for (int i = 0; i < masked.Length; i++)
            masked[i] = Values[i] * mask[i % Factors];
        return this with { Values = masked };
    }
}
