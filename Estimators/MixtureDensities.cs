using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators;

/// <summary>A run of points with one draw each and its log densities; the arrays are reused from block to block.</summary>
/// <param name="First">The first point.</param>
/// <param name="Rows">Points in this block.</param>
/// <param name="MuMemory">The means of the block's rows, [Rows, H].</param>
/// <param name="LogVarMemory">The log variances of the block's rows, [Rows, H].</param>
/// <param name="Z">z ~ q(z|x), [Rows, H].</param>
/// <param name="Own">log q(z_h|x) of the point's own posterior, [Rows, H].</param>
/// <param name="Joint">log q(z) under the mixture (X1), [Rows].</param>
/// <param name="Marginal">log q(z_h) under the mixture (X2), [Rows, H].</param>
internal sealed record MixtureBlock(int First, int Rows, ReadOnlyMemory<float> MuMemory, ReadOnlyMemory<float> LogVarMemory, float[] Z,
    double[] Own, float[] Joint, float[] Marginal)
{
    public ReadOnlySpan<float> Mu => MuMemory.Span;
    public ReadOnlySpan<float> LogVar => LogVarMemory.Span;
}

/// <summary>Holds encodings on a device, draws one z per point and takes its log densities under the mixture of all of them.</summary>
internal sealed class MixtureDensities : IDisposable
{
    private const int BlockRows = 2048;
    private const uint NormalStream = 0x6D69_7831;
    private const uint UniformStream = 0x6D69_7832;

    private readonly IBackend backend;
    private readonly Encodings encodings;
    private readonly BufferPool pool;
    private readonly ulong seed;
    private readonly Slice<uint> state;
    private readonly Slice<float> mu;
    private readonly Slice<float> logVar;
    private readonly Slice<float> z;
    private readonly Slice<float> joint;
    private readonly Slice<float> marginal;

    public MixtureDensities(IBackend backend, Encodings encodings, ulong seed)
    {
        EncodingChecks.Finite("mixture information", "mu", encodings.Mu.Span, encodings.Factors, 0);
        EncodingChecks.InRange("mixture information", "logvar", encodings.LogVar.Span, encodings.Factors, 0, EncodingChecks.SmallestLogVar,
            EncodingChecks.LargestLogVar);
        (this.backend, this.encodings, this.seed) = (backend, encodings, seed);
        pool = new(backend);
        int block = Math.Min(BlockRows, encodings.Points);
        state = pool.Rent<uint>(4);
        mu = Upload(encodings.Mu.Span);
        logVar = Upload(encodings.LogVar.Span);
        z = pool.Rent<float>(block * encodings.Factors);
        joint = pool.Rent<float>(block);
        marginal = pool.Rent<float>(block * encodings.Factors);
    }

    /// <summary>All points in order. A block is valid until the next one is asked for.</summary>
    public IEnumerable<MixtureBlock> Blocks()
    {
        SetStream(NormalStream);
        int factors = encodings.Factors, most = Math.Min(BlockRows, encodings.Points);
        var hostZ = new float[most * factors];
        var own = new double[most * factors];
        var hostJoint = new float[most];
        var hostMarginal = new float[most * factors];
        for (int first = 0, index = 0; first < encodings.Points; first += BlockRows, index++)
        {
            int rows = Math.Min(BlockRows, encodings.Points - first), values = rows * factors;
            var block = new MixtureBlock(first, rows, encodings.Mu.Slice(first * factors, values),
                encodings.LogVar.Slice(first * factors, values), hostZ, own, hostJoint, hostMarginal);
            var draw = z.Part(0, values);
            backend.Random(Distribution.Normal, new(state, (uint)index), draw);
            backend.Download(draw, hostZ.AsSpan(0, values));
            PlaceDraws(block, values);
            backend.Upload<float>(hostZ.AsSpan(0, values), draw);
            var (jointPart, marginalPart) = (joint.Part(0, rows), marginal.Part(0, values));
            backend.MixtureLogDensity(new(
                rows, encodings.Points, factors, draw, mu, logVar, PairLogWeights.Uniform(encodings.Points), jointPart, marginalPart,
                    first));
            backend.Download(jointPart, hostJoint.AsSpan(0, rows));
            backend.Download(marginalPart, hostMarginal.AsSpan(0, values));
            yield return block;
        }
    }

    /// <summary>
    /// log mean_j p(y_i|x_j) q(z_i|x_j) of a block's draws with one category each: the joint density of (X3).
    /// </summary>
    /// <param name="logProbabilities">log p(y|x), category-major, [K, M].</param>
    /// <param name="categories">y, [block.Rows].</param>
    /// <param name="joint">[block.Rows].</param>
    public void WithCategories(MixtureBlock block, ReadOnlySpan<float> logProbabilities, ReadOnlySpan<int> categories, Span<float> joint)
    {
        int points = encodings.Points;
        var table = Upload(logProbabilities);
        var y = Upload(categories);
        var bias = pool.Rent<float>(block.Rows * points);
        var density = this.joint.Part(0, block.Rows);
        backend.GatherRows(table, y, points, bias);
        backend.MixtureLogDensity(new(block.Rows, points, encodings.Factors, z.Part(0, block.Rows * encodings.Factors), mu, logVar,
            PairLogWeights.Uniform(points), density, default, block.First, bias));
        backend.Download(density, joint);
        pool.Return(bias);
        pool.Return(y);
        pool.Return(table);
    }

    /// <summary>One uniform number per point, strictly inside (0, 1).</summary>
    public float[] Uniform()
    {
        SetStream(UniformStream);
        var u = pool.Rent<float>(encodings.Points);
        backend.Random(Distribution.Uniform, new(state, 0), u);
        var host = new float[encodings.Points];
        backend.Download<float>(u, host);
        pool.Return(u);
        return host;
    }

    /// <summary>Adds, for each factor, the sum over the given points of log mean_j q(z_ih|x_j), i and j among these points only.</summary>
    /// <param name="draws">z of all points, [M, H].</param>
    /// <param name="sums">[H].</param>
    public void AddMarginalsWithin(ReadOnlySpan<int> rows, ReadOnlySpan<float> draws, Span<double> sums)
    {
        int factors = encodings.Factors, values = rows.Length * factors;
        var part = encodings.Rows(rows);
        var hostZ = new float[values];
        for (int i = 0; i < rows.Length; i++)
            draws.Slice(rows[i] * factors, factors).CopyTo(hostZ.AsSpan(i * factors));
        var (partMu, partLogVar, partZ, density) =
            (Upload(part.Mu.Span), Upload(part.LogVar.Span), Upload<float>(hostZ), pool.Rent<float>(values));
        backend.MixtureLogDensity(new(
            rows.Length, rows.Length, factors, partZ, partMu, partLogVar, PairLogWeights.Uniform(rows.Length), default, density));
        var marginal = new float[values];
        backend.Download<float>(density, marginal);
        for (int i = 0; i < values; i++)
            sums[i % factors] += marginal[i];
        foreach (var slice in (ReadOnlySpan<Slice<float>>)[partMu, partLogVar, partZ, density])
            pool.Return(slice);
    }

    public void Dispose() => pool.Dispose();

    /// <summary>
    /// Turns normal numbers into z on the host, where exp is the same for every device, and takes each draw's own log density in double
    /// precision.
    /// </summary>
    private static void PlaceDraws(MixtureBlock block, int values)
    {
        var mu = block.Mu;
        var logVar = block.LogVar;
        for (int i = 0; i < values; i++)
        {
            block.Z[i] = (float)(mu[i] + Math.Exp(0.5 * logVar[i]) * block.Z[i]);
            block.Own[i] = Gaussian.LogDensity(block.Z[i], mu[i], logVar[i]);
        }
    }

    private void SetStream(uint stream) => backend.Upload<uint>([(uint)seed, (uint)(seed >> 32), 0, stream], state);

    private Slice<T> Upload<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var slice = pool.Rent<T>(values.Length);
        backend.Upload(values, slice);
        return slice;
    }
}
