using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Estimators.Critics;

/// <summary>How a critic is fitted.</summary>
/// <param name="Steps">Adam steps.</param>
/// <param name="Batch">B: pairs a step, and rows of each matrix of scores when the value is taken.</param>
/// <param name="Hidden">Units of the two hidden layers.</param>
/// <param name="Embedding">Columns of g(x) and h(y); the critic is their inner product.</param>
public sealed record CriticOptions(int Steps = 1500, int Batch = 128, double LearningRate = 1e-3, int Hidden = 128, int Embedding = 32);

/// <summary>Pairs (x, y) in a seeded order, columns scaled by the first half, which is for fitting; the second half is for the value.</summary>
internal sealed class PairedSamples
{
    private readonly float[] x;
    private readonly float[] y;
    private readonly int half;
    private readonly Random random;

    public PairedSamples(string operation, ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, int batch, ulong seed)
    {
        int points = SampleInformation.CheckPairs(operation, x.Length, xColumns, y.Length, yColumns);
        if (batch < 2 || points / 2 < batch)
            throw new EstimatorException($"{operation}: {points} samples for batches of {batch}; half of the samples must hold a batch of at least 2");
        EncodingChecks.Finite(operation, "x", x, xColumns, 0);
        EncodingChecks.Finite(operation, "y", y, yColumns, 0);
        random = SeededRandom.Create(seed, 0x63_72_69_74);
        var order = random.Draw(points, points);
        half = points / 2;
        (XColumns, YColumns, Batch) = (xColumns, yColumns, batch);
        (this.x, this.y) = (Standardise(x, order, xColumns), Standardise(y, order, yColumns));
    }

    public int XColumns { get; }

    public int YColumns { get; }

    public int Batch { get; }

    /// <summary>Whole batches in the second half.</summary>
    public int TestBatches => (x.Length / XColumns - half) / Batch;

    /// <summary>A batch of distinct pairs of the first half.</summary>
    public (float[] X, float[] Y) NextBatch()
    {
        var (batchX, batchY) = (new float[Batch * XColumns], new float[Batch * YColumns]);
        var rows = random.Draw(half, Batch);
        for (int i = 0; i < Batch; i++)
        {
            x.AsSpan(rows[i] * XColumns, XColumns).CopyTo(batchX.AsSpan(i * XColumns));
            y.AsSpan(rows[i] * YColumns, YColumns).CopyTo(batchY.AsSpan(i * YColumns));
        }
        return (batchX, batchY);
    }

    /// <summary>Batch <paramref name="index"/> of the second half.</summary>
    public (float[] X, float[] Y) TestBatch(int index)
    {
        int from = half + index * Batch;
        return (x[(from * XColumns)..((from + Batch) * XColumns)], y[(from * YColumns)..((from + Batch) * YColumns)]);
    }

    private float[] Standardise(ReadOnlySpan<float> values, int[] order, int columns)
    {
        var result = new float[values.Length];
        for (int c = 0; c < columns; c++)
        {
            var moments = new RunningMean();
            for (int i = 0; i < half; i++)
                moments.Add(values[order[i] * columns + c]);
            double scale = moments.Variance > 0 ? 1 / Math.Sqrt(moments.Variance) : 1;
            for (int i = 0; i < order.Length; i++)
                result[i * columns + c] = (float)((values[order[i] * columns + c] - moments.Mean) * scale);
        }
        return result;
    }
}
