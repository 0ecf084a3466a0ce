using MathNet.Numerics.Distributions;

namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>A metric repeated with several seeds.</summary>
/// <param name="Mean">Over the seeds.</param>
/// <param name="HalfWidth">Of the 95 % confidence interval of the mean, by Student's t; 0 for a metric whose draw took every point.</param>
/// <param name="Values">One per seed.</param>
public sealed record Score(double Mean, double HalfWidth, IReadOnlyList<double> Values)
{
    /// <summary>Seeds a metric is repeated with.</summary>
    public const int Repeats = 5;

    /// <summary>Runs a metric with seeds <paramref name="seed"/>, <paramref name="seed"/> + 1, ...</summary>
    public static Score Over(ulong seed, Func<ulong, double> metric, int repeats = Repeats)
    {
        var values = new double[repeats];
        var mean = new RunningMean();
        for (int i = 0; i < repeats; i++)
            mean.Add(values[i] = metric(seed + (ulong)i));
        double half = repeats < 2 ? 0 : StudentT.InvCDF(0, 1, repeats - 1, 0.975) * mean.StandardError;
        return new(mean.Mean, half, values);
    }
}
