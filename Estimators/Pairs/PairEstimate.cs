namespace VaeFromScratch.Estimators.Pairs;

/// <summary>One estimator's answer about a pair of variables.</summary>
/// <param name="Estimator">The estimator's name.</param>
/// <param name="Value">Nats, with the standard error: for neighbour estimators from ten disjoint tenths of the rows, otherwise from the
/// spread of the terms whose mean the value is.</param>
/// <param name="Seconds">Seconds that the estimate took.</param>
/// <param name="Warnings">Where its assumptions fail on these samples; empty where none is known to.</param>
public sealed record PairEstimate(string Estimator, Estimate Value, double Seconds, IReadOnlyList<string> Warnings)
{
    /// <summary>The value without the transform that was asked for, nats; null without one.</summary>
    public double? Untransformed { get; init; }

    /// <summary>Of a critic: what its network adds to the t copula; null for the others.</summary>
    public Estimate? Gain { get; init; }

    /// <summary>Whether the value is so close to the ceiling that the information may be much larger.</summary>
    public bool IsSaturated =>
        !Value.CeilingIsTrue && double.IsFinite(Value.Ceiling) && Value.Ceiling > 0 && Value.Value > 0.9 * Value.Ceiling;
}

/// <summary>Which estimator to believe.</summary>
/// <param name="Estimator">The estimator's name.</param>
/// <param name="Reason">A sentence that says why.</param>
public sealed record PairAdvice(string Estimator, string Reason);
