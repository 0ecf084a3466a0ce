namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>Codes of points whose generating factors are known: what every disentanglement metric starts from.</summary>
public sealed class LabelledCodes
{
    /// <param name="points">M, at least 2.</param>
    /// <param name="codes">Posterior means, [M, H].</param>
    /// <param name="factors">Generating factors as classes from 0, [M, F].</param>
    /// <param name="categorical">Which factors have no order (a shape), [F]; empty for none.</param>
    /// <param name="logVar">Log posterior variances, [M, H]; only sampled-code metrics need them.</param>
    /// <exception cref="EstimatorException">A length does not match, a code is not finite or a class is negative.</exception>
    public LabelledCodes(int points, ReadOnlyMemory<float> codes, ReadOnlyMemory<int> factors, ReadOnlySpan<bool> categorical = default, ReadOnlyMemory<float> logVar = default)
    {
        if (points < 2 || codes.Length == 0 || codes.Length % points != 0 || factors.Length == 0 || factors.Length % points != 0)
            throw new EstimatorException($"disentanglement: {codes.Length} codes and {factors.Length} factor classes of {points} points; give whole rows of both for at least 2 points");
        (Points, CodeSize, FactorCount) = (points, codes.Length / points, factors.Length / points);
        if ((categorical.Length != 0 && categorical.Length != FactorCount) || (logVar.Length != 0 && logVar.Length != codes.Length))
            throw new EstimatorException($"disentanglement: {categorical.Length} factor kinds and {logVar.Length} log variances; expected {FactorCount} or none and {codes.Length} or none");
        EncodingChecks.Finite("disentanglement", "the code", codes.Span, CodeSize, 0);
        (Codes, Factors, LogVar) = (codes, factors, logVar);
        Categorical = categorical.Length == 0 ? new bool[FactorCount] : categorical.ToArray();
        Sizes = new int[FactorCount];
        for (int i = 0; i < factors.Length; i++)
        {
            int value = factors.Span[i], factor = i % FactorCount;
            if (value < 0)
                throw new EstimatorException($"disentanglement: factor {factor} of point {i / FactorCount} is {value}; classes are counted from 0");
            Sizes[factor] = Math.Max(Sizes[factor], value + 1);
        }
    }

    /// <summary>M.</summary>
    public int Points { get; }

    /// <summary>H.</summary>
    public int CodeSize { get; }

    /// <summary>F.</summary>
    public int FactorCount { get; }

    /// <summary>[M, H].</summary>
    public ReadOnlyMemory<float> Codes { get; }

    /// <summary>[M, F].</summary>
    public ReadOnlyMemory<int> Factors { get; }

    /// <summary>[M, H] or empty.</summary>
    public ReadOnlyMemory<float> LogVar { get; }

    /// <summary>[F].</summary>
    public bool[] Categorical { get; }

    /// <summary>One more than the largest class of each factor, [F].</summary>
    public int[] Sizes { get; }

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
        return new(Points, Codes, factors, categorical, LogVar);
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
        var codes = new float[rows.Length * CodeSize];
        var logVar = new float[LogVar.Length == 0 ? 0 : codes.Length];
        var factors = new int[rows.Length * FactorCount];
        for (int i = 0; i < rows.Length; i++)
        {
            Codes.Span.Slice(rows[i] * CodeSize, CodeSize).CopyTo(codes.AsSpan(i * CodeSize));
            Factors.Span.Slice(rows[i] * FactorCount, FactorCount).CopyTo(factors.AsSpan(i * FactorCount));
            if (logVar.Length != 0)
                LogVar.Span.Slice(rows[i] * CodeSize, CodeSize).CopyTo(logVar.AsSpan(i * CodeSize));
        }
        return new(rows.Length, codes, factors, Categorical, logVar);
    }
}
