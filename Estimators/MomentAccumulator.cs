using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators;

/// <summary>Collects the moments behind <see cref="Indicators"/> from a stream of encodings of any length, in a few megabytes.</summary>
/// <remarks>
/// Rows are gathered into blocks of a fixed size before they are summed, so that the bits of the result do not depend on how the stream is
/// cut.
/// </remarks>
internal sealed class MomentAccumulator : IDisposable
{
    private const int BlockValues = 1 << 18;

    private readonly IBackend backend;
    private readonly BufferPool pool;
    private readonly int factors;
    private readonly int blockRows;
    private readonly Slice<float> mu;
    private readonly Slice<float> logVar;
    private readonly FactorMoments moments;
    private int filled;

    /// <param name="backend">The device to sum on; not disposed here.</param>
    /// <param name="factors">H.</param>
    public MomentAccumulator(IBackend backend, int factors)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(factors);
        this.backend = backend;
        this.factors = factors;
        pool = new(backend);
        blockRows = Math.Max(1, BlockValues / factors);
        mu = pool.Rent<float>(blockRows * factors);
        logVar = pool.Rent<float>(blockRows * factors);
        moments = new(backend, factors);
    }

    /// <summary>Rows added so far.</summary>
    public long Points { get; private set; }

    /// <summary>Adds whole rows.</summary>
    /// <param name="mu">[rows, H].</param>
    /// <param name="logVar">[rows, H].</param>
    /// <exception cref="EstimatorException">The lengths do not fit, or an entry is not finite or overflows; nothing of this chunk is then
    /// counted.</exception>
    public void Add(ReadOnlySpan<float> mu, ReadOnlySpan<float> logVar)
    {
        if (mu.Length != logVar.Length || mu.Length % factors != 0)
            throw new EstimatorException(
                $"indicators: a chunk of {mu.Length} means and {logVar.Length} log variances is not a whole number of rows of {factors} "
                + $"factors");
        EncodingChecks.Finite("indicators", "mu", mu, factors, Points);
        EncodingChecks.InRange("indicators", "logvar", logVar, factors, Points, -float.MaxValue, EncodingChecks.LargestLogVar);
        while (mu.Length > 0)
        {
            int rows = Math.Min(blockRows - filled, mu.Length / factors);
            int values = rows * factors;
            backend.Upload(mu[..values], this.mu.Part(filled * factors, values));
            backend.Upload(logVar[..values], this.logVar.Part(filled * factors, values));
            filled += rows;
            Points += rows;
            mu = mu[values..];
            logVar = logVar[values..];
            if (filled == blockRows)
                SumBlock();
        }
    }

    /// <summary>
    /// The indicators of all rows so far; more may be added afterwards, though the bits then depend on where this was called.
    /// </summary>
    /// <exception cref="EstimatorException">No rows, or sums that no encodings can have.</exception>
    public Indicators Result()
    {
        if (filled > 0)
            SumBlock();
        return moments.Result();
    }

    public void Dispose()
    {
        moments.Dispose();
        pool.Dispose();
    }

    private void SumBlock()
    {
        int values = filled * factors;
        moments.Add(filled, mu.Part(0, values), logVar.Part(0, values));
        filled = 0;
    }
}
