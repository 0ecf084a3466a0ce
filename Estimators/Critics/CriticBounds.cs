using VaeFromScratch.Engine;

namespace VaeFromScratch.Estimators.Critics;

/// <summary>
/// InfoNCE (van den Oord et al. 2018): mean log [exp f(x_i, y_i) / mean_j exp f(x_i, y_j)]. A lower bound with little variance that cannot exceed log B.
/// </summary>
public sealed class InfoNce(CriticOptions? options = null) : CriticEstimator(options)
{
    protected override string Name => "infonce";

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others) => (scores.LogSumExp() - diagonal).Mean();

    protected override Estimate Value(ScoreMatrices scores)
    {
        double ceiling = Math.Log(scores.Batch);
        return scores.Mean(row => scores.Own(row) - scores.LogSumExp(row) + ceiling, BoundKind.Lower, ceiling);
    }
}

/// <summary>
/// NWJ (Nguyen, Wainwright and Jordan 2010): E_joint f - E_product exp(f - 1). A lower bound without a ceiling, whose variance grows like exp(I).
/// </summary>
public sealed class Nwj(CriticOptions? options = null) : CriticEstimator(options)
{
    // A critic this wrong is corrected by the first term; without the cap one batch could make the weights infinite.
    private const float LargestExponent = 30;

    protected override string Name => "nwj";

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others) =>
        (LogSumExpOfAll(others) - (LogOthers + 1)).ClampMax(LargestExponent).Exp().Mean() - diagonal.Mean();

    protected override Estimate Value(ScoreMatrices scores) =>
        scores.Mean(row => scores.Own(row) - scores.MeanExpOfOthers(row) / Math.E, BoundKind.Lower);
}

/// <summary>
/// MINE (Belghazi et al. 2018): the Donsker-Varadhan form E_joint f - log E_product exp f, its gradient corrected for the bias of the batch's log by a running mean.
/// The log of a finite mean is too low, so the value can exceed the information: neither bound.
/// </summary>
/// <param name="decay">Of the running mean of E_product exp f.</param>
public sealed class Mine(CriticOptions? options = null, double decay = 0.99) : CriticEstimator(options)
{
    private double? running;

    protected override string Name => "mine";

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others)
    {
        var logMean = LogSumExpOfAll(others) - LogOthers;
        double batch = logMean.Item();
        // log of the running mean, kept as a logarithm so that large scores do not overflow.
        double before = running ?? batch, top = Math.Max(before, batch);
        running = top + Math.Log(decay * Math.Exp(before - top) + (1 - decay) * Math.Exp(batch - top));
        return (logMean - (float)running.Value).Exp().Mean() - diagonal.Mean();
    }

    protected override Estimate Value(ScoreMatrices scores)
    {
        running = null;
        return DonskerVaradhan(scores, double.PositiveInfinity);
    }

    /// <summary>E_joint f - log E_product exp f, with the standard error to first order in the mean of exp f.</summary>
    internal static Estimate DonskerVaradhan(ScoreMatrices scores, double clip)
    {
        double mean = scores.Mean(row => scores.MeanExpOfOthers(row, clip), BoundKind.Neither).Value;
        var linear = scores.Mean(row => scores.Own(row) - scores.MeanExpOfOthers(row, clip) / mean, BoundKind.Neither);
        return linear with { Value = linear.Value + 1 - Math.Log(mean) };
    }
}

/// <summary>
/// SMILE (Song and Ermon 2020): the critic is fitted by the Jensen-Shannon objective, then the Donsker-Varadhan form is taken with exp f clipped to
/// exp(-<paramref name="clip"/>) .. exp(<paramref name="clip"/>): less variance, some bias, neither bound.
/// </summary>
public sealed class Smile(CriticOptions? options = null, double clip = 5) : CriticEstimator(options)
{
    protected override string Name => "smile";

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others) =>
        (-diagonal).Softplus().Mean() + others.Softplus().Sum() * MathF.Exp(-LogOthers);

    protected override Estimate Value(ScoreMatrices scores) => Mine.DonskerVaradhan(scores, clip);
}
