using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>What this processor can do at most: the yardstick that kernels are held against.</summary>
public static unsafe class CpuProbe
{
    private const int Repetitions = 5;
    private const int Accumulators = 10;
    private const int FmaIterations = 1_000_000;
    private const long CopyBytes = 128L << 20;

    /// <summary>Names of the instruction sets that the kernels can use here.</summary>
    public static IReadOnlyList<string> InstructionSets { get; } =
    [
        .. new (string Name, bool Supported)[]
        {
            ("SSE4.2", Sse42.IsSupported), ("AVX", Avx.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported),
                ("AVX-512F", Avx512F.IsSupported),
            ("AVX-512BW", Avx512BW.IsSupported), ("AVX-512DQ", Avx512DQ.IsSupported), ("AdvSimd", AdvSimd.IsSupported),
        }.Where(set => set.Supported).Select(set => set.Name),
    ];

    /// <summary>Bytes of a core's second-level cache; 512 KiB where the processor does not say.</summary>
    internal static int SecondLevelBytes { get; } = ReadSecondLevelBytes();

    /// <summary>Bytes read and written per second when all threads copy arrays too large for the caches; the best of five.</summary>
    public static double CopyBandwidth(ThreadTeam team)
    {
        ArgumentNullException.ThrowIfNull(team);
        var job = new CopyJob((int)(CopyBytes / team.Threads));
        double seconds = Best(() => team.OnEveryThread(ref job));
        GC.KeepAlive(job.From);
        return 2.0 * CopyBytes / seconds;
    }

    /// <summary>
    /// Float32 operations per second when all threads do nothing but independent fused multiply-adds in registers, two operations each; the
    /// best of five.
    /// </summary>
    public static double FmaPeak(ThreadTeam team)
    {
        ArgumentNullException.ThrowIfNull(team);
        var job = new FmaJob(new float[team.Threads]);
        double seconds = Best(() => team.OnEveryThread(ref job));
        int lanes = CpuBackend.VectorBits / (8 * sizeof(float)) * (AdvSimd.IsSupported ? 2 : 1);
        return 2.0 * lanes * Accumulators * FmaIterations * team.Threads / seconds;
    }

    /// <summary>AMD's and Intel's processors give kibibytes in the upper half of ECX of this extended leaf.</summary>
    private static int ReadSecondLevelBytes()
    {
        const int usual = 512, maximum = unchecked((int)0x80000000), caches = unchecked((int)0x80000006);
        int kibibytes = X86Base.IsSupported && (uint)X86Base.CpuId(maximum, 0).Eax >= unchecked((uint)caches)
            ? X86Base.CpuId(caches, 0).Ecx >>> 16 : 0;
        return (kibibytes == 0 ? usual : kibibytes) * 1024;
    }

    private static double Best(Action run)
    {
        double best = double.PositiveInfinity;
        run();
        for (int i = 0; i < Repetitions; i++)
        {
            long start = Stopwatch.GetTimestamp();
            run();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    private struct CopyJob(int bytesPerThread) : IJob
    {
        public readonly byte[] From = new byte[CopyBytes];
        private readonly byte[] to = new byte[CopyBytes];

        public readonly void Run(int thread) =>
            From.AsSpan(thread * bytesPerThread, bytesPerThread).CopyTo(to.AsSpan(thread * bytesPerThread));
    }

    private readonly struct FmaJob(float[] results) : IJob
    {
        public void Run(int thread) => results[thread] =
            Vector512.IsHardwareAccelerated ? Chains<Vector512<float>, Fma512>() : Vector256.IsHardwareAccelerated
            ? Chains<Vector256<float>, Fma256>() : AdvSimd.IsSupported
            ? Chains<(Vector128<float>, Vector128<float>), FmaPair>() : Chains<Vector128<float>, Fma128>();

        /// <summary>
        /// Ten chains: enough to fill two units with a latency of four or five cycles, and few enough for sixteen registers. Arm64 has 32
        /// of them and up to four units: there a chain is a pair.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Chains<V, F>() where F : struct, IFma<V>
        {
            V x = F.Of(0.999f), y = F.Of(1e-3f);
            V a = F.Of(0), b = F.Of(1), c = F.Of(2), d = F.Of(3), e = F.Of(4), f = F.Of(5), g = F.Of(6), h = F.Of(7), i = F.Of(8),
                j = F.Of(9);
            for (int n = 0; n < FmaIterations; n++)
            {
                a = F.MultiplyAdd(a, x, y);
                b = F.MultiplyAdd(b, x, y);
                c = F.MultiplyAdd(c, x, y);
                d = F.MultiplyAdd(d, x, y);
                e = F.MultiplyAdd(e, x, y);
                f = F.MultiplyAdd(f, x, y);
                g = F.MultiplyAdd(g, x, y);
                h = F.MultiplyAdd(h, x, y);
                i = F.MultiplyAdd(i, x, y);
                j = F.MultiplyAdd(j, x, y);
            }
            return F.First(a) + F.First(b) + F.First(c) + F.First(d) + F.First(e) + F.First(f) + F.First(g) + F.First(h) + F.First(i)
                + F.First(j);
        }
    }

    private interface IFma<V>
    {
        static abstract V Of(float value);
        /// <summary>The next value of a chain from a, the one before, and two constants: in one instruction.</summary>
        static abstract V MultiplyAdd(V a, V x, V y);
        static abstract float First(V v);
    }

    private readonly struct Fma512 : IFma<Vector512<float>>
    {
        public static Vector512<float> Of(float value) => Vector512.Create(value);
        public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> x, Vector512<float> y) =>
            Vector512.FusedMultiplyAdd(a, x, y);
        public static float First(Vector512<float> v) => v[0];
    }

    private readonly struct Fma256 : IFma<Vector256<float>>
    {
        public static Vector256<float> Of(float value) => Vector256.Create(value);
        public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> x, Vector256<float> y) =>
            Vector256.MultiplyAddEstimate(a, x, y);
        public static float First(Vector256<float> v) => v[0];
    }

    private readonly struct Fma128 : IFma<Vector128<float>>
    {
        public static Vector128<float> Of(float value) => Vector128.Create(value);
        public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> x, Vector128<float> y) =>
            Vector128.MultiplyAddEstimate(a, x, y);
        public static float First(Vector128<float> v) => v[0];
    }
    private readonly struct FmaPair : IFma<(Vector128<float> Low, Vector128<float> High)>
    {
        public static (Vector128<float> Low, Vector128<float> High) Of(float value) => (Vector128.Create(value), Vector128.Create(value));
        public static (Vector128<float> Low, Vector128<float> High) MultiplyAdd((Vector128<float> Low, Vector128<float> High) a,
            (Vector128<float> Low, Vector128<float> High) x, (Vector128<float> Low, Vector128<float> High) y) =>
            (Vector128.FusedMultiplyAdd(x.Low, y.Low, a.Low), Vector128.FusedMultiplyAdd(x.High, y.High, a.High));
        public static float First((Vector128<float> Low, Vector128<float> High) v) => v.Low[0] + v.High[0];
    }
}
