using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Terms;

/// <summary>
/// Rewards a category that is sure of each image and used evenly: -weight (balance H(mean_x q(c|x)) - mean_x H(q(c|x))) over the batch. With balance 1 it is the
/// weight times I(x; y) (equations.md (C3)).
/// </summary>
/// <param name="Weight">0 logs the terms without training on them.</param>
/// <param name="Balance">How much more the even use counts than certainty.</param>
public sealed record EncoderInformation(double Weight, double Balance = 1)
{
    public Objective Objective(Categorical c)
    {
        var (marginal, conditional) = (c.EntropyOfMean(), c.Entropy());
        return -Weight * Balance * new Term("category_entropy", marginal) + Weight * new Term("category_conditional_entropy", conditional) + 0 * new Term("mi_category", marginal - conditional);
    }
}
