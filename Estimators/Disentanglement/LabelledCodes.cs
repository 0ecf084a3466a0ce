namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>Codes of points whose generating factors are known: what every disentanglement metric starts from.</summary>
public sealed class LabelledCodes
{
    /// <param name="points">M, at least 2.</param>
    /// <param name="codes">Posterior means, [M, H].</param>
    /// <param name="factors">Generating factors as classes from 0, [M, F].</param>
    /// <param name="categorical">Which factors have no order (a shape), [F]; empty for none.</param>
    /// <param name="logVar">Log posterior variances, [M, H]; only sampled-code metrics need them.</param>
    /// <param name="probabilities">q(c|x) of codes that have a category, [M, K], which is then one more code behind the others; empty for
    /// none.</param>
    /// <exception cref="EstimatorException">A length does not match, a code is not finite or a class is negative.</exception>
    public LabelledCodes(int points, ReadOnlyMemory<float> codes, ReadOnlyMemory<int> factors, ReadOnlySpan<bool> categorical = default,
        ReadOnlyMemory<float> logVar = default,
        ReadOnlyMemory<float> probabilities = default)
    {
        if (points < 2 || codes.Length == 0 || codes.Length % points != 0 || factors.Length == 0 || factors.Length % points != 0)
            throw new EstimatorException(
                $"disentanglement: {codes.Length} codes and {factors.Length} factor classes of {points} points; give whole rows of both "
                + $"for at least 2 points");
        (Points, Gaussians, FactorCount) = (points, codes.Length / points, factors.Length / points);
        if (probabilities.Length % points != 0)
            throw new EstimatorException(
                $"disentanglement: {probabilities.Length} category probabilities of {points} points; give whole rows");
        (Categories, Probabilities) = (probabilities.Length / points, probabilities);
        if ((categorical.Length != 0 && categorical.Length != FactorCount) || (logVar.Length != 0 && logVar.Length != codes.Length))
            throw new EstimatorException(
                $"disentanglement: {categorical.Length} factor kinds and {logVar.Length} log variances; expected {FactorCount} or none "
                + $"and {codes.Length} or none");
        EncodingChecks.Finite("disentanglement", "the code", codes.Span, Gaussians, 0);
        EncodingChecks.Finite("disentanglement", "the category's probabilities", probabilities.Span, Math.Max(1, Categories), 0);
        (Means, Codes, Factors, LogVar) = (codes, Categories == 0 ? codes : WithCategory(codes.Span), factors, logVar);
        Categorical = categorical.Length == 0 ? new bool[FactorCount] : categorical.ToArray();
        Sizes = new int[FactorCount];
        for (int i = 0; i < factors.Length; i++)
        {
            int value = factors.Span[i], factor = i % FactorCount;
            if (value < 0)
                throw new EstimatorException(
                    $"disentanglement: factor {factor} of point {i / FactorCount} is {value}; classes are counted from 0");
            Sizes[factor] = Math.Max(Sizes[factor], value + 1);
        }
    }

    /// <summary>The number of points, M.</summary>
    public int Points { get; }

    /// <summary>H, and one more where there is a category.</summary>
    public int CodeSize => Gaussians + (Categories > 0 ? 1 : 0);

    /// <summary>H, codes that are numbers.</summary>
    public int Gaussians { get; }

    /// <summary>K, values of the category; 0 for none.</summary>
    public int Categories { get; }

    /// <summary>q(c|x), [M, K] or empty.</summary>
    public ReadOnlyMemory<float> Probabilities { get; }

    /// <summary>Posterior means, [M, H].</summary>
    public ReadOnlyMemory<float> Means { get; }

    /// <summary>The number of known factors, F.</summary>
    public int FactorCount { get; }

    /// <summary>The means and behind them the most probable category, whose values have no order, [M, <see cref="CodeSize"/>].</summary>
    public ReadOnlyMemory<float> Codes { get; }

    /// <summary>The known factors' class numbers, [M, F].</summary>
    public ReadOnlyMemory<int> Factors { get; }

    /// <summary>[M, H] or empty.</summary>
    public ReadOnlyMemory<float> LogVar { get; }

    /// <summary>Whether a factor's values have no order, [F].</summary>
    public bool[] Categorical { get; }

    /// <summary>One more than the largest class of each factor, [F].</summary>
    public int[] Sizes { get; }

    /// <summary>Whether code h is the category.</summary>
    public bool IsCategory(int h) => h == Gaussians;

    /// <summary>The most probable category of every point; empty where there is none.</summary>
    public int[] Category() => Categories == 0 ? [] : ContingencyTable.MostProbable(Probabilities.Span, Categories);

    /// <summary>Code h of every point.</summary>
    public float[] Code(int h)
    {
        var column = new float[Points];
        for (int m = 0; m < Points; m++)
            column[m] = Codes.Span[m * CodeSize + h];
        return column;
    }

    /// <summary>Factor f of every point.</summary>
    public int[] Factor(int f)
    {
        var column = new int[Points];
        for (int m = 0; m < Points; m++)
            column[m] = Factors.Span[m * FactorCount + f];
        return column;
    }

    /// <summary>These points with some of their factors only: published tables differ in whether the shape counts.</summary>
    public LabelledCodes WithFactors(params ReadOnlySpan<int> kept)
    {
        var factors = new int[Points * kept.Length];
        var categorical = new bool[kept.Length];
        for (int i = 0; i < kept.Length; i++)
        {
            categorical[i] = Categorical[kept[i]];
            for (int m = 0; m < Points; m++)
                factors[m * kept.Length + i] = Factors.Span[m * FactorCount + kept[i]];
        }
        return new(Points, Means, factors, categorical, LogVar, Probabilities);
    }

    /// <summary>At most <paramref name="most"/> points, in an order drawn by the seed.</summary>
    public LabelledCodes Draw(int most, ulong seed)
    {
        var rows = SeededRandom.Create(seed, 0x64_72_61_77).Draw(Points, Math.Min(most, Points));
        return Rows(rows);
    }

    /// <summary>The given rows in the given order.</summary>
    public LabelledCodes Rows(ReadOnlySpan<int> rows)
    {
        var factors = new int[rows.Length * FactorCount];
        for (int i = 0; i < rows.Length; i++)
            Factors.Span.Slice(rows[i] * FactorCount, FactorCount).CopyTo(factors.AsSpan(i * FactorCount));
        return new(rows.Length, Pick(Means, Gaussians, rows), factors, Categorical, Pick(LogVar, Gaussians, rows), Pick(Probabilities,
            Categories, rows));
    }

    /// <summary>Some rows of a table; of an empty one nothing.</summary>
    private static float[] Pick(ReadOnlyMemory<float> table, int width, ReadOnlySpan<int> rows)
    {
        var picked = new float[table.Length == 0 ? 0 : rows.Length * width];
        for (int i = 0; i < rows.Length && picked.Length > 0; i++)
            table.Span.Slice(rows[i] * width, width).CopyTo(picked.AsSpan(i * width));
        return picked;
    }

    private float[] WithCategory(ReadOnlySpan<float> means)
    {
        int[] category = Category();
        var codes = new float[Points * CodeSize];
        for (int m = 0; m < Points; m++)
        {
            means.Slice(m * Gaussians, Gaussians).CopyTo(codes.AsSpan(m * CodeSize));
            codes[m * CodeSize + Gaussians] = category[m];
        }
        return codes;
    }
}
