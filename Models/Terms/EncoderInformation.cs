using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Terms;

/// <summary>
/// Rewards a category that is sure of each image and used evenly: -weight (balance H(mean_x q(c|x)) - mean_x H(q(c|x))) over the batch.
/// With balance 1 it is the
/// weight times I(x; y) (equations.md (C3)).
/// </summary>
/// <param name="Weight">0 logs the terms without training on them.</param>
/// <param name="Balance">How much more the even use counts than certainty.</param>
internal sealed record EncoderInformation(double Weight, double Balance = 1) : IParsable<EncoderInformation>
{
    internal const string Expected = "WEIGHT or WEIGHT:BALANCE, such as 5:4";

    /// <exception cref="FormatException">It is neither.</exception>
    public static EncoderInformation Parse(string s, IFormatProvider? provider) => TryParse(s, provider, out var result) ? result
        : throw new FormatException($"'{s}': expected {Expected}");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider,
        [MaybeNullWhen(false)] out EncoderInformation result)
    {
        double[] numbers = [.. (s ?? "").Split(':').Select(t =>
            double.TryParse(t, NumberStyles.Float, CultureInfo.InvariantCulture, out double v) && v >= 0 && double.IsFinite(v) ? v
            : double.NaN)];
        result = numbers.Length is 1 or 2 && !numbers.Any(double.IsNaN) ? new(numbers[0], numbers.Length == 2 ? numbers[1] : 1) : null;
        return result is not null;
    }

    public override string ToString() => Weight.ToString(CultureInfo.InvariantCulture)
        + (Balance == 1 ? "" : ":" + Balance.ToString(CultureInfo.InvariantCulture));

    public Objective Objective(Categorical c)
    {
        var (marginal, conditional) = (c.EntropyOfMean(), c.Entropy());
        return -Weight * Balance * new Term("category_entropy", marginal) + Weight * new Term("category_conditional_entropy", conditional)
            + 0 * new Term("mi_category", marginal - conditional);
    }
}
