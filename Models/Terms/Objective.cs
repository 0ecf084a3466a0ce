namespace VaeFromScratch.Models.Terms;

/// <summary>One named term of an objective.</summary>
/// <param name="Name">The column in metrics.csv, without train_ or test_: "nll", "kl", "tc".</param>
/// <param name="Value">Nats per image, [B], or one value for the batch, a scalar.</param>
public sealed record Term(string Name, Tensor Value)
{
    public static Objective operator *(double weight, Term term) => new([new(term, weight)]);

    public static Objective operator *(Coefficient weight, Term term) => new([new(term, weight.Weight, weight.Factor)]);

    public static implicit operator Objective(Term term) => 1 * term;

    public static Objective operator +(Term a, Objective b) => (Objective)a + b;

    public static Objective operator +(Term a, Term b) => (Objective)a + (Objective)b;
}

/// <summary>A weight times a scalar in device memory that a schedule writes before each step.</summary>
public sealed record Coefficient(double Weight, Tensor? Factor)
{
    public static implicit operator Coefficient(double weight) => new(weight, null);

    public static Coefficient operator *(double weight, Coefficient coefficient) =>
        coefficient with { Weight = weight * coefficient.Weight };
}

/// <summary>A term with its weight in the objective; weight 0 logs it without training on it.</summary>
public sealed record WeightedTerm(Term Term, double Weight, Tensor? Factor = null);

/// <summary>A weighted sum of terms that reads like its paper: <c>Reconstruction(x, g) + beta * Kl(q)</c>. Minimised.</summary>
public sealed record Objective(IReadOnlyList<WeightedTerm> Terms)
{
    public static Objective operator +(Objective a, Objective b) => new([.. a.Terms, .. b.Terms]);

    public static Objective operator +(Objective a, Term b) => a + (Objective)b;

    /// <summary>The same terms with all weights times a scalar in device memory.</summary>
    public Objective Times(Tensor factor) => new([.. Terms.Select(t => t with { Factor = t.Factor is null ? factor : t.Factor * factor })]);

    /// <summary>
    /// What <see cref="Tape.Backward(ReadOnlySpan{Seed})"/> starts from: each term's mean over the batch, times its weight. A weight of 0
    /// starts nothing.
    /// </summary>
    /// <param name="share">Of the step's images that the batch has, which the means count by; 1 for all of them.</param>
    public Seed[] Seeds(double share = 1) =>
        [.. Terms.Where(t => t.Weight != 0)
            .Select(t => new Seed(t.Term.Value, (float)(share * t.Weight / t.Term.Value.Length), t.Factor))];
}
