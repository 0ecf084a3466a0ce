namespace VaeFromScratch.Estimators;

/// <summary>On which side of the true information an estimator's expectation lies.</summary>
public enum BoundKind
{
    Lower,
    Upper,
    /// <summary>No guarantee: the bias can go either way.</summary>
    Neither,
}

/// <summary>A number with what is needed to judge it.</summary>
/// <param name="Value">Nats, as computed: sampling noise can leave a value near 0 slightly negative.</param>
/// <param name="StandardError">Of the average over points; 0 where the value is no average.</param>
/// <param name="Bound">Direction of the estimator.</param>
/// <param name="Ceiling">The largest value the estimator can give, nats; infinite where there is none.</param>
/// <param name="Points">Samples behind the value.</param>
public readonly record struct Estimate(double Value, double StandardError, BoundKind Bound, double Ceiling, int Points)
{
    /// <summary>
    /// Whether the information itself cannot be above the ceiling either, as it is an entropy: a value near it then says all there is.
    /// </summary>
    public bool CeilingIsTrue { get; init; }

    /// <summary>The value moved into [0, ceiling], for display of a quantity that is never negative.</summary>
    public double InRange => Math.Clamp(Value, 0, Ceiling);
}

/// <summary>
/// An estimate cannot be given: the input is unusable or the result lies outside what the estimator can produce. The message says which and
/// what to check.
/// </summary>
public sealed class EstimatorException(string message) : Exception(message);

/// <summary>Mean and standard error of a run of numbers, in double precision and in order.</summary>
internal struct RunningMean
{
    private double mean;
    private double squares;

    public int Count { get; private set; }

    public readonly double Mean => mean;

    /// <summary>The population variance of what was added.</summary>
    public readonly double Variance => Count == 0 ? 0 : squares / Count;

    /// <summary>Sample standard deviation over the root of the count; 0 for fewer than two numbers.</summary>
    public readonly double StandardError => Count < 2 ? 0 : Math.Sqrt(squares / (Count - 1) / Count);

    public void Add(double x)
    {
        Count++;
        double delta = x - mean;
        mean += delta / Count;
        squares += delta * (x - mean);
    }

    public readonly Estimate ToEstimate(BoundKind bound, double ceiling) => new(mean, StandardError, bound, ceiling, Count);
}
