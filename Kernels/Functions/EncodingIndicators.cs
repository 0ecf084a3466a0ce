using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>What one encoding adds to the four sums of a factor.</summary>
internal static class EncodingSums
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<V>(ref V variance, ref V square, ref V mean, ref V log, V mu, V logVar) where V : struct, IReal<V>
    {
        variance += RealMath.Exp(logVar);
        square = V.Fma(mu, mu, square);
        mean += mu;
        log += logVar;
    }
}

/// <summary>
/// A factor's Gaussian indicators, in nats, from its sums of exp(logVar), mu^2, mu and logVar over so many points (equations.md).
/// </summary>
internal readonly struct EncodingIndicators<W> where W : struct, IWide<W>
{
    /// <summary>
    /// s* (I1), (I2), (I4), (I5), the mean KL (the factor's part of (D1)) and KL(N(0, s*) || N(0, 1)) (its part of (D5)).
    /// </summary>
    public readonly W Aggregate, Information, Centred, Ratio, Kl, AggregateKl;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public EncodingIndicators(W variance, W square, W mean, W logVar, W points)
    {
        W half = W.Of(0.5f), one = W.Of(1f);
        W meanVariance = variance / points, meanSquare = square / points, meanOfMean = mean / points, meanLogVar = logVar / points;
        W varianceOfMean = W.AtLeast(meanSquare - meanOfMean * meanOfMean, W.Of(0f));
        Aggregate = meanVariance + meanSquare;
        W logAggregate = W.Log(Aggregate);
        Information = half * (logAggregate - meanLogVar);
        Centred = half * (W.Log(meanVariance + varianceOfMean) - meanLogVar);
        Ratio = half * W.Log(one + varianceOfMean / meanVariance);
        Kl = half * (Aggregate - one - meanLogVar);
        AggregateKl = half * (Aggregate - one - logAggregate);
    }
}
