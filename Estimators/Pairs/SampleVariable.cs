using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Estimators.Pairs;

/// <summary>One side of a pair: rows of numbers, or a class a row.</summary>
public sealed class SampleVariable
{
    /// <summary>Whole numbers in more different values are numbers, not classes.</summary>
    private const int MostClasses = 100;

    /// <summary>Rows that a class has on average, at least.</summary>
    private const int FewestRows = 10;

    // A standard deviation is 0.67 of half the interquartile range away for a Gaussian, whose largest of 200 values is 3.8 times as far;
    // for t with 3 degrees it is 7.6.
    private const double HeavyTail = 6;

    private SampleVariable(string name, float[] values, int columns, int[]? labels)
    {
        (Name, Values, Columns, Labels) = (name, values, columns, labels);
        Points = labels?.Length ?? values.Length / columns;
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>The number of samples, N.</summary>
    public int Points { get; }

    /// <summary>Numbers a row; 1 for classes.</summary>
    public int Columns { get; }

    /// <summary>[N, <see cref="Columns"/>]; the class numbers where these are classes.</summary>
    public float[] Values { get; }

    /// <summary>A class a row, from 0; null for numbers.</summary>
    public int[]? Labels { get; }

    /// <summary>How many classes there are; 0 for numbers.</summary>
    public int Classes => Labels is null ? 0 : Labels.Max() + 1;

    /// <summary>Whether all rows are the same.</summary>
    public bool IsConstant => Enumerable.Range(0, Columns).All(c => Column(c).Distinct().Skip(1).Any() is false);

    /// <summary>
    /// Numbers, or classes where a single column has whole numbers in few values: at most 100, each ten times on average.
    /// </summary>
    /// <param name="values">[N, <paramref name="columns"/>].</param>
    /// <exception cref="EstimatorException">A value is not finite, or there are not two rows.</exception>
    public static SampleVariable Of(string name, float[] values, int columns)
    {
        if (columns < 1 || values.Length % columns != 0 || values.Length / columns < 2)
            throw new EstimatorException($"{name}: {values.Length} values in rows of {columns}; give at least 2 whole rows");
        for (int i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw new EstimatorException($"{name}: the value {values[i]} in row {i / columns}, column {i % columns}; leave out rows " +
                    $"with missing or infinite values");
        bool whole = columns == 1 && values.All(v => v == MathF.Round(v) && Math.Abs(v) < int.MaxValue / 2);
        int different = whole ? values.Distinct().Take(MostClasses + 1).Count() : 0;
        return whole && different <= MostClasses && different > 1 && different * FewestRows <= values.Length
            ? OfClasses(name, Array.ConvertAll(values, v => (int)v)) : new(name, values, columns, null);
    }

    /// <param name="labels">Of any numbering, [N].</param>
    public static SampleVariable OfClasses(string name, int[] labels)
    {
        int[] classes = SampleInformation.Renumber(labels).Classes;
        return new(name, Array.ConvertAll(classes, c => (float)c), 1, classes);
    }

    /// <summary>Some of the rows, in the given order.</summary>
    public SampleVariable Rows(int[] rows) => Labels is { } labels ? new(Name, Array.ConvertAll(rows, i => (float)labels[i]), 1,
        Array.ConvertAll(rows, i => labels[i]))
        : new(Name, [.. rows.SelectMany(i => Values.AsSpan(i * Columns, Columns).ToArray())], Columns, null);

    /// <summary>The numbers of two variables side by side.</summary>
    public static float[] Beside(SampleVariable a, SampleVariable b)
    {
        int columns = a.Columns + b.Columns;
        var values = new float[a.Points * columns];
        for (int i = 0; i < a.Points; i++)
        {
            a.Values.AsSpan(i * a.Columns, a.Columns).CopyTo(values.AsSpan(i * columns));
            b.Values.AsSpan(i * b.Columns, b.Columns).CopyTo(values.AsSpan(i * columns + a.Columns));
        }
        return values;
    }

    /// <summary>The same with every column transformed; classes stay.</summary>
    public SampleVariable Transformed(SampleTransform transform) =>
        Labels is not null || transform == SampleTransform.None ? this : new(Name, SampleTransforms.Apply(transform, Values, Columns),
            Columns, null);

    /// <summary>The largest share of values that occur more than once in a column.</summary>
    public double RepeatedShare => Labels is not null ? 0 : Enumerable.Range(0, Columns).Max(c =>
    {
        float[] sorted = [.. Column(c).Order()];
        return sorted.Where((v, i) => (i > 0 && sorted[i - 1] == v) || (i + 1 < sorted.Length
            && sorted[i + 1] == v)).Count() / (double)sorted.Length;
    });

    /// <summary>Whether a column has values far outside of what a Gaussian with its quartiles would have.</summary>
    public bool HasHeavyTails => Labels is null && Enumerable.Range(0, Columns).Any(c =>
    {
        float[] sorted = [.. Column(c).Order()];
        double median = sorted[Points / 2], upper = sorted[3 * Points / 4] - median, lower = median - sorted[Points / 4];
        return sorted[(int)(0.995 * (Points - 1))] - median > HeavyTail * upper
            || median - sorted[(int)(0.005 * (Points - 1))] > HeavyTail * lower;
    });

    private IEnumerable<float> Column(int c) => Enumerable.Range(0, Points).Select(i => Values[i * Columns + c]);
}
