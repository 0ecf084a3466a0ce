using System.Numerics;
using System.Runtime.InteropServices;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Estimators;

/// <summary>A view of what an encoder said about a set of points; nothing is copied.</summary>
/// <remarks>logVar = log sigma^2, a variance, never a standard deviation. All arrays are row-major, one row a point.</remarks>
public sealed class Encodings
{
    /// <param name="points">M, at least 1.</param>
    /// <param name="factors">H, at least 1.</param>
    /// <param name="mu">Posterior means, [M, H].</param>
    /// <param name="logVar">Log posterior variances, [M, H].</param>
    /// <param name="probabilities">Category probabilities p(y|x), [M, K]; empty where the code has no category.</param>
    /// <param name="labels">Known classes, [M]; empty where there are none.</param>
    /// <exception cref="EstimatorException">A length does not match.</exception>
    public Encodings(int points, int factors, ReadOnlyMemory<float> mu, ReadOnlyMemory<float> logVar,
        ReadOnlyMemory<float> probabilities = default, ReadOnlyMemory<int> labels = default)
    {
        if (points < 1 || factors < 1)
            throw new EstimatorException($"encodings: {points} points of {factors} factors; at least one of each is needed");
        CheckLength(nameof(mu), mu.Length, (long)points * factors, $"[{points}, {factors}]");
        CheckLength(nameof(logVar), logVar.Length, (long)points * factors, $"[{points}, {factors}]");
        if (probabilities.Length % points != 0)
            throw new EstimatorException($"encodings: {probabilities.Length} category probabilities do not divide into {points} rows");
        if (labels.Length != 0)
            CheckLength(nameof(labels), labels.Length, points, $"[{points}]");
        (Points, Factors, Categories) = (points, factors, probabilities.Length / points);
        (Mu, LogVar, Probabilities, Labels) = (mu, logVar, probabilities, labels);
    }

    /// <summary>The number of encodings, M.</summary>
    public int Points { get; }

    /// <summary>The number of factors, H.</summary>
    public int Factors { get; }

    /// <summary>K; 0 where the code has no category.</summary>
    public int Categories { get; }

    /// <summary>The posteriors' means, [M, H].</summary>
    public ReadOnlyMemory<float> Mu { get; }

    /// <summary>The logarithms of the posteriors' variances, [M, H].</summary>
    public ReadOnlyMemory<float> LogVar { get; }

    /// <summary>[M, K] or empty.</summary>
    public ReadOnlyMemory<float> Probabilities { get; }

    /// <summary>[M] or empty.</summary>
    public ReadOnlyMemory<int> Labels { get; }

    /// <summary>A view of encodings read from a file.</summary>
    public static Encodings From(EncodingTable table) =>
        new(table.Points, table.Factors, table.Mu, table.LogVar, table.Probabilities, table.Labels);

    /// <summary>A copy of the given rows, in the given order.</summary>
    public Encodings Rows(ReadOnlySpan<int> rows)
    {
        var labels = new int[Labels.Length == 0 ? 0 : rows.Length];
        for (int i = 0; i < labels.Length; i++)
            labels[i] = Labels.Span[rows[i]];
        return new(rows.Length, Factors, Gather(Mu.Span, Factors, rows), Gather(LogVar.Span, Factors, rows),
            Gather(Probabilities.Span, Categories, rows), labels);
    }

    private static float[] Gather(ReadOnlySpan<float> table, int width, ReadOnlySpan<int> rows)
    {
        var copy = new float[rows.Length * width];
        for (int i = 0; i < rows.Length; i++)
            table.Slice(rows[i] * width, width).CopyTo(copy.AsSpan(i * width));
        return copy;
    }

    private static void CheckLength(string name, long got, long expected, string shape)
    {
        if (got != expected)
            throw new EstimatorException($"encodings: {name} has {got} values where {shape} needs {expected}");
    }
}

/// <summary>Refuses encodings that no estimator can use, naming the first offending entry.</summary>
internal static class EncodingChecks
{
    /// <summary>exp of anything larger is infinite in float32.</summary>
    public const float LargestLogVar = 88;

    /// <summary>1 / exp of anything smaller is infinite in float32.</summary>
    public const float SmallestLogVar = -87;

    /// <summary>Throws unless every value of [rows, factors] lies in [low, high]; NaN lies nowhere.</summary>
    public static void InRange(string operation, string array, ReadOnlySpan<float> values, int factors, long firstRow, float low,
        float high)
    {
        if (AllWithin(values, low, high))
            return;
        for (int i = 0; i < values.Length; i++)
            if (!(values[i] >= low && values[i] <= high))
                throw new EstimatorException(
                    $"{operation}: {array} of factor {i % factors} in row {firstRow + i / factors} is {values[i]}, "
                    + $"{Expected(low, high)}; check that the encoder's training did not diverge and that logvar holds log variances");
    }

    public static void Finite(string operation, string array, ReadOnlySpan<float> values, int factors, long firstRow) =>
        InRange(operation, array, values, factors, firstRow, -float.MaxValue, float.MaxValue);

    private static string Expected(float low, float high) => (low <= -float.MaxValue, high >= float.MaxValue) switch
    {
        (true, true) => "not a finite number",
        (true, false) => $"expected at most {high}",
        _ => $"expected {low} to {high}",
    };

    private static bool AllWithin(ReadOnlySpan<float> values, float low, float high)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<float> lows = new(low), highs = new(high);
        var good = Vector<int>.AllBitsSet;
        foreach (var v in vectors)
            good &= Vector.GreaterThanOrEqual(v, lows) & Vector.LessThanOrEqual(v, highs);
        bool all = good == Vector<int>.AllBitsSet;
        foreach (float x in values[(vectors.Length * Vector<float>.Count)..])
            all &= x >= low && x <= high;
        return all;
    }
}
