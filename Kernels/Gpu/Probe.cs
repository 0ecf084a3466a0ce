using System.Diagnostics;
using System.Reflection;
using ILGPU;
using ILGPU.Runtime;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>What the device does at most: the yardstick that its kernels are held against. Both kernels' results are checked.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>The methods that launch kernels and are no operations.</summary>
    internal static IEnumerable<MethodInfo> Probes => new[] { nameof(CopyBandwidth),
        nameof(FmaPeak) }.Select(name => typeof(GpuBackend).GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic)!);

    private const int Repetitions = 5, GroupsPerUnit = 16, FmaIterations = 1024, CopiesPerThread = 4;
    private const int GpuCopyFloats = 64 << 20, CpuCopyFloats = 16 << 20;

    /// <summary>Bytes read and written per second when arrays too large for the caches are copied; the best of five.</summary>
    /// <exception cref="DeviceException">The copy is wrong.</exception>
    internal double CopyBandwidth()
    {
        int n = accelerator.AcceleratorType switch
        {
            AcceleratorType.CPU => CopiesPerThread * Threads.PerGroup,
            _ => device.Describe().IsCpu
            ? CpuCopyFloats : GpuCopyFloats
        };
        using var pool = new BufferPool(this);
        Slice<float> from = pool.Rent<float>(n), to = pool.Rent<float>(n);
        Fill(from, 1f);
        Upload<float>([0.5f], from.Part(n - 1, 1));
        double seconds =
            Best(() => Each<CopyProbe, CopyProbeArguments>(n / CopiesPerThread, new(View(from), View(to), n / CopiesPerThread)));
        var result = new float[n];
        Download(to, result);
        if (result[n - 1] != 0.5f || result.AsSpan(0, n - 1).ContainsAnyExcept(1f))
            throw new DeviceException($"{Name}: it copies wrongly; `vae doctor --selftest --device {Name}` tests every kernel");
        return 2.0 * sizeof(float) * n / seconds;
    }

    /// <summary>
    /// Float32 operations per second when all threads do nothing but independent fused multiply-adds, two operations each; the best of
    /// five.
    /// </summary>
    /// <exception cref="DeviceException">The result is wrong.</exception>
    internal double FmaPeak()
    {
        bool simulated = accelerator.AcceleratorType == AcceleratorType.CPU;
        int threads = simulated ? Threads.PerGroup : accelerator.NumMultiprocessors * GroupsPerUnit * Threads.PerGroup,
            iterations = simulated ? 1 : FmaIterations;
        using var pool = new BufferPool(this);
        var y = pool.Rent<float>(threads);
        double seconds = Best(() => Each<FmaProbe, FmaProbeArguments>(threads, new(View(y), 0.999f, 1e-3f, iterations)));
        var result = new float[threads];
        Download(y, result);
        float expected = FmaProbe.Of(0.999f, 1e-3f, iterations);
        if (result.AsSpan().ContainsAnyExcept(expected))
            throw new DeviceException(
                $"{Name}: its fused multiply-adds are wrong; `vae doctor --selftest --device {Name}` tests every kernel");
        return 2.0 * FmaProbe.PerIteration * iterations * threads / seconds;
    }

    private double Best(Action launch)
    {
        double best = double.PositiveInfinity;
        launch();
        Synchronise();
        for (int i = 0; i < Repetitions; i++)
        {
            long start = Stopwatch.GetTimestamp();
            launch();
            Synchronise();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }
}

internal readonly record struct CopyProbeArguments(ArrayView<float> X, ArrayView<float> Y, int N);

/// <summary>
/// Four entries a thread, far apart: neighbouring threads have neighbouring addresses, and four loads are under way at a time.
/// </summary>
internal readonly struct CopyProbe : IEntry<CopyProbeArguments>
{
    public static void Of(CopyProbeArguments a, int i)
    {
        float w = a.X[i], x = a.X[i + a.N], y = a.X[i + 2 * a.N], z = a.X[i + 3 * a.N];
        a.Y[i] = w;
        a.Y[i + a.N] = x;
        a.Y[i + 2 * a.N] = y;
        a.Y[i + 3 * a.N] = z;
    }
}

internal readonly record struct FmaProbeArguments(ArrayView<float> Y, float Factor, float Summand, int Iterations);

/// <summary>Eight independent chains, eight links an iteration: the loop's own instructions are few beside them.</summary>
internal readonly struct FmaProbe : IEntry<FmaProbeArguments>
{
    public const int PerIteration = 64;

    public static void Of(FmaProbeArguments a, int i) =>
        a.Y[i] = Of(a.Factor, a.Summand, a.Iterations);

    public static Lane Of(Lane factor, Lane summand, int iterations)
    {
        var c = new Chains(0f, 1f, 2f, 3f, 4f, 5f, 6f, 7f);
        for (int n = 0; n < iterations; n++)
            c = Four(Four(c, factor, summand), factor, summand);
        return c.A + c.B + (c.C + c.D) + (c.E + c.F + (c.G + c.H));
    }

    private readonly record struct Chains(Lane A, Lane B, Lane C, Lane D, Lane E, Lane F, Lane G, Lane H);

    private static Chains Four(Chains c, Lane x, Lane y) => One(One(One(One(c, x, y), x, y), x, y), x, y);

    private static Chains One(Chains c, Lane x, Lane y) => new(
        Lane.Fma(c.A, x, y), Lane.Fma(c.B, x, y), Lane.Fma(c.C, x, y), Lane.Fma(c.D, x, y),
        Lane.Fma(c.E, x, y), Lane.Fma(c.F, x, y), Lane.Fma(c.G, x, y), Lane.Fma(c.H, x, y));
}
