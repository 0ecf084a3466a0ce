using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Estimators.Critics;

/// <summary>
/// Pairs (x, y) in a seeded order: three fifths for fitting, the rest held out in batches, every other one for either half. Columns are
/// mapped to normal scores by the ranks of the fitting pairs, which leaves the information as it is and takes heavy tails away.
/// </summary>
internal sealed class PairedSamples
{
    private readonly float[] x;
    private readonly float[] y;
    private readonly int fitting;
    private readonly Random random;
    private readonly Lazy<StudentCopula> copula;

    public PairedSamples(string operation, ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, int batch, ulong seed)
    {
        int points = SampleInformation.CheckPairs(operation, x.Length, xColumns, y.Length, yColumns);
        fitting = (int)(points * 3L / 5);
        if (batch < 2 || points - fitting < 2 * batch)
            throw new EstimatorException($"{operation}: {points} samples for batches of {batch}; two fifths of the samples must hold two " +
                $"batches of at least 2");
        EncodingChecks.Finite(operation, "x", x, xColumns, 0);
        EncodingChecks.Finite(operation, "y", y, yColumns, 0);
        random = SeededRandom.Create(seed, 0x63_72_69_74);
        var order = random.Draw(points, points);
        (XColumns, YColumns, Batch) = (xColumns, yColumns, batch);
        (this.x, this.y) = (NormalScores(x, order, xColumns), NormalScores(y, order, yColumns));
        copula = new(FitCopula);
    }

    public int XColumns { get; }

    public int YColumns { get; }

    /// <summary>Pairs of a held-out batch.</summary>
    public int Batch { get; }

    /// <summary>Whole batches that are held out.</summary>
    public int TestBatches => (x.Length / XColumns - fitting) / Batch;

    /// <summary>A batch of distinct pairs for fitting.</summary>
    public (float[] X, float[] Y) NextBatch(int size)
    {
        var (batchX, batchY) = (new float[size * XColumns], new float[size * YColumns]);
        for (int i = 0; i < size; i++)
        {
            int row = random.Next(fitting);
            x.AsSpan(row * XColumns, XColumns).CopyTo(batchX.AsSpan(i * XColumns));
            y.AsSpan(row * YColumns, YColumns).CopyTo(batchY.AsSpan(i * YColumns));
        }
        return (batchX, batchY);
    }

    /// <summary>A held-out batch.</summary>
    public (float[] X, float[] Y) TestBatch(int index)
    {
        int from = fitting + index * Batch;
        return (x[(from * XColumns)..((from + Batch) * XColumns)], y[(from * YColumns)..((from + Batch) * YColumns)]);
    }

    /// <summary>log p(x_i, y_j) / (p(x_i) p(y_j)) of the t copula that fits the fitting pairs best, [B, B].</summary>
    public float[] CopulaScores((float[] X, float[] Y) batch)
    {
        int size = batch.X.Length / XColumns;
        var rows = copula.Value.Rows(Array.ConvertAll(batch.X, v => (double)v), Array.ConvertAll(batch.Y, v => (double)v));
        var scores = new float[size * size];
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++)
                scores[i * size + j] = (float)rows.LogRatio(i, j);
        return scores;
    }

    private StudentCopula FitCopula()
    {
        int columns = XColumns + YColumns;
        var scores = new double[fitting * columns];
        for (int i = 0; i < fitting; i++)
            for (int c = 0; c < columns; c++)
                scores[i * columns + c] = c < XColumns ? x[i * XColumns + c] : y[i * YColumns + c - XColumns];
        return StudentCopula.Fit(scores, columns, XColumns);
    }

    private float[] NormalScores(ReadOnlySpan<float> values, int[] order, int columns)
    {
        var result = new float[values.Length];
        var column = new float[fitting];
        for (int c = 0; c < columns; c++)
        {
            for (int i = 0; i < fitting; i++)
                column[i] = values[order[i] * columns + c];
            var ranks = new Ranks(column);
            for (int i = 0; i < order.Length; i++)
                result[i * columns + c] = (float)Ranks.NormalScore(ranks.Share(values[order[i] * columns + c]));
        }
        return result;
    }
}
