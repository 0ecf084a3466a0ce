namespace VaeFromScratch.Estimators;

/// <summary>
/// Which factors a reduced reconstruction keeps: the most informative ceil(percent / 100 * H) by (I2); the others are set to 0 before
/// decoding.
/// </summary>
/// <param name="Percent">Of all factors, 0 to 100.</param>
/// <param name="Factors">Those kept, most informative first.</param>
/// <param name="Information">Their summed (I2), nats.</param>
public sealed record ReducedReconstruction(double Percent, IReadOnlyList<int> Factors, double Information)
{
    /// <exception cref="EstimatorException">The percentage is not within 0 to 100.</exception>
    public static ReducedReconstruction Keep(Indicators indicators, double percent)
    {
        if (!(percent is >= 0 and <= 100))
            throw new EstimatorException($"reduced reconstruction: {percent} % of the factors; expected 0 to 100");
        // 20 % of 5 factors is 1, though 0.2 is not exact in binary.
        int count = (int)Math.Ceiling(percent * indicators.Factors.Count / 100 - 1e-9);
        var kept = indicators.Ranked.Take(count).ToArray();
        return new(percent, [.. kept.Select(f => f.Factor)], kept.Sum(f => f.Information));
    }

    /// <summary>1 for kept factors, 0 for the others, [H]: what z is multiplied by.</summary>
    public float[] Mask(int factors)
    {
        var mask = new float[factors];
        foreach (int factor in Factors)
            mask[factor] = 1;
        return mask;
    }
}
