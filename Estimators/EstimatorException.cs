namespace VaeFromScratch.Estimators;

/// <summary>An estimate cannot be given: the input is unusable or the result lies outside what the estimator can produce. The message says which and what to check.</summary>
public sealed class EstimatorException(string message) : Exception(message);
