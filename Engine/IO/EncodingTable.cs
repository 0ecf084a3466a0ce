namespace VaeFromScratch.Engine.IO;

/// <summary>What an encoder says about a set of images: everything that the estimators need, without a model.</summary>
/// <param name="Points">Number of images.</param>
/// <param name="Factors">Number of continuous latents.</param>
/// <param name="Mu">Posterior means, [Points, Factors].</param>
/// <param name="LogVar">Logarithms of the posterior variances, [Points, Factors].</param>
/// <param name="Probabilities">Posterior probabilities of the category, [Points, Categories]; null without a category.</param>
/// <param name="Categories">Number of categories, 0 without.</param>
/// <param name="Labels">[Points]; null when there are none.</param>
public sealed record EncodingTable(int Points, int Factors, float[] Mu, float[] LogVar, float[]? Probabilities, int Categories,
    int[]? Labels)
{
    /// <exception cref="ArgumentException">An array does not have the size that the table says.</exception>
    public EncodingTable Checked()
    {
        CheckLength(nameof(Mu), Mu.Length, (long)Points * Factors);
        CheckLength(nameof(LogVar), LogVar.Length, (long)Points * Factors);
        CheckLength(nameof(Probabilities), Probabilities?.Length ?? 0, (long)Points * Categories);
        CheckLength(nameof(Labels), Labels?.Length ?? Points, Points);
        return this;
    }

    /// <summary>Blocks of one file, one below the other.</summary>
    internal static EncodingTable Join(IReadOnlyList<EncodingTable> blocks) => blocks is [var only] ? only : new(
        blocks.Sum(b => b.Points), blocks[0].Factors, Concatenated(blocks, b => b.Mu)!, Concatenated(blocks, b => b.LogVar)!,
            Concatenated(blocks, b => b.Probabilities),
        blocks[0].Categories, Concatenated(blocks, b => b.Labels));

    private static T[]? Concatenated<T>(IReadOnlyList<EncodingTable> blocks, Func<EncodingTable, T[]?> array)
    {
        if (array(blocks[0]) is null)
            return null;
        var whole = new T[blocks.Sum(b => array(b)!.Length)];
        int at = 0;
        foreach (var block in blocks)
        {
            array(block)!.CopyTo(whole, at);
            at += array(block)!.Length;
        }
        return whole;
    }

    private static void CheckLength(string name, int found, long expected)
    {
        if (found != expected)
            throw new ArgumentException(
                $"encodings: {name} has {found} values, expected {expected}; pass arrays that fit Points, Factors and Categories");
    }
}
