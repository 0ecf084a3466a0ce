using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators;

/// <summary>The sums behind <see cref="Indicators"/> of encodings, in device memory.</summary>
internal sealed class FactorMoments : IDisposable
{
    private const int Sums = 4;

    private readonly IBackend backend;
    private readonly BufferPool pool;
    private readonly int factors;
    private readonly Slice<float> sums;

    /// <param name="backend">The device to sum on; not disposed here.</param>
    /// <param name="factors">H.</param>
    public FactorMoments(IBackend backend, int factors)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(factors);
        (this.backend, this.factors) = (backend, factors);
        pool = new(backend);
        sums = pool.Rent<float>(Sums * factors * 2);
        backend.Fill(sums, 0);
    }

    /// <summary>Rows added so far.</summary>
    public long Points { get; private set; }

    /// <summary>Adds encodings to the sums.</summary>
    /// <param name="mu">[rows, H].</param>
    /// <param name="logVar">[rows, H].</param>
    public void Add(int rows, Slice<float> mu, Slice<float> logVar)
    {
        backend.EncodingMoments(rows, factors, mu, logVar, sums);
        Points += rows;
    }

    /// <summary>The indicators of all rows so far; waits for the device. More may be added afterwards.</summary>
    /// <exception cref="EstimatorException">No rows, or sums that no encodings can have.</exception>
    public Indicators Result()
    {
        if (Points == 0)
            throw new EstimatorException("indicators: no encodings were given; at least one row is needed");
        var pairs = new float[sums.Length];
        backend.Download<float>(sums, pairs);
        var result = new FactorIndicators[factors];
        for (int h = 0; h < factors; h++)
            result[h] = new(h, meanVariance: Mean(0, h), meanSquare: Mean(1, h), mean: Mean(2, h), meanLogVar: Mean(3, h), Points);
        return new(Points, result);

        double Mean(int which, int h)
        {
            int at = 2 * (which * factors + h);
            return ((double)pairs[at] + pairs[at + 1]) / Points;
        }
    }

    public void Dispose() => pool.Dispose();
}
