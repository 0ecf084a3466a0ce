namespace VaeFromScratch.Estimators.Critics;

/// <summary>
/// InfoNCE (van den Oord et al. 2018): mean log [exp f(x_i, y_i) / mean_j exp f(x_i, y_j)]. A lower bound with little variance that cannot
/// exceed log B.
/// </summary>
public sealed class InfoNce(CriticOptions? options = null) : CriticEstimator(options)
{
    protected override string Name => "infonce";

    protected override BoundKind Bound => BoundKind.Lower;

    protected override double Ceiling => Math.Log(Options.Batch);

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others, int batch) => (scores.LogSumExp() - diagonal).Mean();

    protected override double[] Terms(ScoreMatrices scores) => scores.Each(row => scores.Own(row) - scores.LogSumExp(row) + Ceiling);
}

/// <summary>
/// NWJ (Nguyen, Wainwright and Jordan 2010): 1 + E_joint f - E_product exp f, their f less 1. A lower bound without a ceiling, whose
/// variance grows like exp(I).
/// </summary>
public sealed class Nwj(CriticOptions? options = null) : CriticEstimator(options)
{
    // A critic this wrong is corrected by the first term; without the cap one batch could make the weights infinite.
    private const float LargestExponent = 30;

    protected override string Name => "nwj";

    protected override BoundKind Bound => BoundKind.Lower;

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others, int batch) =>
        (LogSumExpOfAll(others) - LogOthers(batch)).ClampMax(LargestExponent).Exp().Mean() - diagonal.Mean();

    protected override double[] Terms(ScoreMatrices scores) => scores.Each(row => 1 + scores.Own(row) - scores.MeanOfOthers(row, Math.Exp));

    protected override double Unseen(ScoreMatrices scores) => scores.ShareUnseen();
}

/// <summary>
/// MINE (Belghazi et al. 2018): the Donsker-Varadhan form E_joint f - log E_product exp f, its gradient corrected for the bias of the
/// batch's log by a running mean. The log of a finite mean is too low, so the value can exceed the information: neither bound.
/// </summary>
/// <param name="decay">Of the running mean of E_product exp f.</param>
public sealed class Mine(CriticOptions? options = null, double decay = 0.99) : CriticEstimator(options)
{
    // A batch whose mean is this much above the running one would throw the weights away.
    private const float LargestExponent = 3;

    private double? running;

    protected override string Name => "mine";

    protected override BoundKind Bound => BoundKind.Neither;

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others, int batch)
    {
        var logMean = LogSumExpOfAll(others) - LogOthers(batch);
        double now = logMean.Item();
        // log of the running mean, kept as a logarithm so that large scores do not overflow.
        double before = running ?? now, top = Math.Max(before, now);
        running = top + Math.Log(decay * Math.Exp(before - top) + (1 - decay) * Math.Exp(now - top));
        return (logMean - (float)running.Value).ClampMax(LargestExponent).Exp().Mean() - diagonal.Mean();
    }

    protected override double[] Terms(ScoreMatrices scores) => DonskerVaradhan(scores, double.PositiveInfinity);

    protected override double Unseen(ScoreMatrices scores) => scores.ShareUnseen();

    /// <summary>E_joint f - log E_product exp f, spread over the rows to first order in the mean of exp f.</summary>
    /// <param name="clip">exp f is clipped to exp(-clip) .. exp(clip).</param>
    internal static double[] DonskerVaradhan(ScoreMatrices scores, double clip)
    {
        double[] exponentials = scores.Each(row => scores.MeanOfOthers(row, f => Math.Exp(Math.Clamp(f, -clip, clip))));
        double mean = exponentials.Average();
        return scores.Each(row => scores.Own(row) - exponentials[row] / mean + 1 - Math.Log(mean));
    }
}

/// <summary>
/// SMILE (Song and Ermon 2020): the critic is fitted by the Jensen-Shannon objective, then the Donsker-Varadhan form is taken with exp f
/// clipped to exp(-<paramref name="clip"/>) .. exp(<paramref name="clip"/>): less variance, some bias, neither bound.
/// </summary>
public sealed class Smile(CriticOptions? options = null, double clip = 5) : CriticEstimator(options)
{
    protected override string Name => "smile";

    protected override BoundKind Bound => BoundKind.Neither;

    protected override Tensor Loss(Tensor diagonal, Tensor scores, Tensor others, int batch) =>
        (-diagonal).Softplus().Mean() + others.Softplus().Sum() * MathF.Exp(-LogOthers(batch));

    protected override double[] Terms(ScoreMatrices scores) => Mine.DonskerVaradhan(scores, clip);

    protected override double Criterion(ScoreMatrices scores) =>
        -scores.Each(row => Softplus(-scores.Own(row)) + scores.MeanOfOthers(row, Softplus)).Average();

    private static double Softplus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));
}
