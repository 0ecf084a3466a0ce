using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Kernels.Elementwise;
using VaeFromScratch.Reference;
using static VaeFromScratch.Tests.Kernels.DeviceArrays;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Dependent layers of few rows as links of one launch: each kind of link against the reference, whole chains, and what may not change places.</summary>
[Category("Cuda")]
public sealed class CudaChainTests
{
    private static readonly ChainShape InTwos = new(2, 2);

    [TearDown]
    public void Heal()
    {
        CudaEmulator.FailIn(null);
        CudaEmulator.Configure();
    }

    [Test]
    public void Chains_are_for_compute_capability_9_0_only_and_when_asked_for([Values(75, 80, 90, 100, 120)] int computeCapability)
    {
        using (var plain = CudaEmulator.Open(computeCapability: computeCapability))
            Assert.That(plain.Chains, Is.Null);
        Environment.SetEnvironmentVariable("VAE_CUDA_CHAIN", "1");
        CudaBackend cuda;
        try
        {
            cuda = CudaEmulator.Open(computeCapability: computeCapability);
        }
        finally
        {
            Environment.SetEnvironmentVariable("VAE_CUDA_CHAIN", null);
        }
        using var opened = cuda;
        bool can = computeCapability == 90;
        Assert.That(cuda.Chains, Is.EqualTo(can ? ChainShape.Usual : (ChainShape?)null));
        Assert.That(cuda.Notice, can ? Is.Null : Does.EndWith("no chains, which are for 9.0 in fp32 and tf32: VAE_CUDA_CHAIN does nothing"));
        Assert.That(() => cuda.Chains = InTwos, can ? Throws.Nothing : Throws.TypeOf<DeviceException>());
        Assert.That(() => cuda.Chains = new(17, 2), Throws.TypeOf<DeviceException>().With.Message.EqualTo("cuda:0: chains are for compute capability 9.0, fp32 and tf32, in clusters of 1 to 16 blocks"));
    }

    /// <summary>Rows below, at and above one cluster's 16 and two; columns and k below and above a warp's 32 and a step's 16; more columns than the warps of all blocks take at once.</summary>
    private static IEnumerable<KernelCase> Links()
    {
        foreach (var (m, n, k) in ((int, int, int)[])[(1, 4, 4), (5, 8, 16), (16, 32, 32), (17, 36, 20), (31, 64, 100), (32, 100, 260), (20, 548, 24), (3, 12, 1028)])
            foreach (bool transposed in (bool[])[false, true])
            {
                yield return MatMulCases.Product(new(m, n, k, TransposeB: transposed), bias: true, relu: true);
                yield return MatMulCases.Product(new(m, n, k, TransposeB: transposed, Accumulate: true), mask: true);
            }
        foreach (var (rows, inputs, outputs) in ((int, int, int)[])[(1, 4, 4), (16, 64, 32), (19, 72, 36), (32, 20, 132)])
            foreach (var kernelCase in MatMulCases.Pair(rows, inputs, outputs).Where(c => c.Operation != "LinearPairBackwardWeight"))
                yield return kernelCase;
        foreach (var (rows, h) in ((int, int)[])[(1, 4), (16, 128), (19, 36), (32, 132)])
            foreach (var kernelCase in FusedCases.Of(rows, h).Where(c => c.Operation.StartsWith("Reparameterise", StringComparison.Ordinal)))
                yield return kernelCase;
    }

    [TestCaseSource(nameof(Links))]
    public void A_link_matches_the_reference(KernelCase kernelCase)
    {
        foreach (var precision in (Precision[])[Precision.Fp32, Precision.Tf32])
            foreach (int blocks in (int[])[1, 2, 8])
            {
                using var cuda = CudaEmulator.OpenChaining(new(blocks, 1), precision);
                using var result = CaseContext.Evaluate(cuda, kernelCase);
                Assert.That(result.Failures, Is.Empty, $"{kernelCase} in {CudaBackend.NameOf(precision)}, clusters of {blocks}");
            }
    }

    [Test]
    public void Only_what_is_small_and_aligned_becomes_a_link([Values(false, true)] bool pair)
    {
        Assert.That(IsLink(16, 32, 64), Is.True);
        Assert.That(IsLink(33, 32, 64), Is.False, "more rows than two clusters have");
        Assert.That(IsLink(16, 30, 64), Is.False, "columns that are no multiple of 4");
        Assert.That(IsLink(16, 32, 63), Is.False, "k that is no multiple of 4");
        Assert.That(IsLink(16, 4, 2052), Is.False, "rows that do not fit into shared memory");
        Assert.That(IsLink(16, 512, 512), Is.False, "more weights than two blocks should fetch");

        bool IsLink(int rows, int n, int k)
        {
            using var cuda = CudaEmulator.OpenChaining(new(2, 1));
            using var pool = new BufferPool(cuda);
            Slice<float> x = pool.Rent<float>(rows * k), w = pool.Rent<float>(n * k), v = pool.Rent<float>(n * k), y = pool.Rent<float>(rows * n), z = pool.Rent<float>(rows * n), bias = pool.Rent<float>(n);
            CudaEmulator.FailIn("chain_fp32");
            if (pair)
                cuda.LinearPair(rows, k, n, x, new(w, v), new(bias, bias), new(y, z));
            else
                ((IBackend)cuda).MatMul(new(rows, n, k), x, w, y);
            try
            {
                cuda.Synchronise();
                return false;
            }
            catch (DeviceException)
            {
                return true;
            }
            finally
            {
                CudaEmulator.FailIn(null);
            }
        }
    }

    /// <summary>The dense part of a VAE forward and backward: linear with ReLU, two heads, the noise, linear with ReLU, linear; then everything back, with all gradients. 40-48-2x20-36-52.</summary>
    private sealed class DenseVae : IDisposable
    {
        private const int Inputs = 40, Hidden = 48, Factors = 20, Wide = 36, Outputs = 52;
        private readonly IBackend backend;
        private readonly BufferPool pool;
        private readonly Random random = new(5);
        private readonly int rows;
        private readonly List<Slice<float>> results = [];

        private readonly Slice<float> x, w1, b1, wm, wv, bm, bv, w2, b2, w3, b3, gy, gkl, h, mu, lv, e, z, kl, d, y, gd, gz, gmu, glv, gh, gx, dw1, db1, dwm, dwv, dbm, dbv, dw2, db2, dw3, db3;
        private readonly Slice<uint> state;

        public DenseVae(IBackend backend, int rows)
        {
            (this.backend, this.rows, pool) = (backend, rows, new(backend));
            (x, w1, b1) = (Given(rows * Inputs), Given(Inputs * Hidden), Given(Hidden));
            (wm, wv, bm, bv) = (Given(Hidden * Factors), Given(Hidden * Factors), Given(Factors), Given(Factors));
            (w2, b2, w3, b3) = (Given(Factors * Wide), Given(Wide), Given(Wide * Outputs), Given(Outputs));
            (gy, gkl) = (Given(rows * Outputs), Given(rows));
            (h, mu, lv, e, z, kl, d, y) = (Result(rows * Hidden), Result(rows * Factors), Result(rows * Factors), Result(rows * Factors), Result(rows * Factors), Result(rows), Result(rows * Wide), Result(rows * Outputs));
            (gd, gz, gmu, glv) = (Result(rows * Wide), Result(rows * Factors), Result(rows * Factors), Result(rows * Factors));
            (gh, gx) = (Result(rows * Hidden), Result(rows * Inputs));
            (dw1, db1, dwm, dwv, dbm, dbv) = (Result(w1.Length), Result(b1.Length), Result(wm.Length), Result(wv.Length), Result(bm.Length), Result(bv.Length));
            (dw2, db2, dw3, db3) = (Result(w2.Length), Result(b2.Length), Result(w3.Length), Result(b3.Length));
            state = pool.Rent<uint>(4);
            backend.Upload<uint>([3, 5, 7, 0], state);
        }

        public void Forward(IBackend b)
        {
            b.MatMul(new(rows, Hidden, Inputs), x, w1, h, b1, Activation.Relu);
            b.LinearPair(rows, Hidden, Factors, h, new(wm, wv), new(bm, bv), new(mu, lv));
            b.Reparameterise(rows, Factors, mu, lv, new(state, 1), e, z, kl);
            b.MatMul(new(rows, Wide, Factors), z, w2, d, b2, Activation.Relu);
            b.MatMul(new(rows, Outputs, Wide), d, w3, y, b3);
        }

        /// <summary>Data gradient, weight gradient, bias gradient of each layer, as the engine orders them.</summary>
        public void Backward(IBackend b)
        {
            b.MatMul(new(rows, Wide, Outputs, TransposeB: true), gy, w3, gd, reluMask: d);
            b.MatMul(new(Wide, Outputs, rows, TransposeA: true), d, gy, dw3);
            b.BiasGradient(rows, Outputs, gy, db3, false);
            b.MatMul(new(rows, Factors, Wide, TransposeB: true), gd, w2, gz);
            b.MatMul(new(Factors, Wide, rows, TransposeA: true), z, gd, dw2);
            b.BiasGradient(rows, Wide, gd, db2, false);
            b.ReparameteriseGradient(rows, Factors, gz, gkl, mu, lv, e, gmu, glv, false);
            b.LinearPairBackwardData(rows, Hidden, Factors, new(gmu, glv), new(wm, wv), gh, false, h);
            b.LinearPairBackwardWeight(rows, Hidden, Factors, h, new(gmu, glv), new(dwm, dwv), new(dbm, dbv), false);
            b.MatMul(new(rows, Inputs, Hidden, TransposeB: true), gh, w1, gx);
            b.MatMul(new(Inputs, Hidden, rows, TransposeA: true), x, gh, dw1);
            b.BiasGradient(rows, Hidden, gh, db1, false);
        }

        public float[] Results() => [.. results.SelectMany(r => Download(backend, r))];

        public float[][] ResultsOneByOne() => [.. results.Select(r => Download(backend, r))];

        public void Dispose() => pool.Dispose();

        private Slice<float> Given(int n) => Upload(backend, pool, [.. Enumerable.Range(0, n).Select(_ => random.NextSingle() - 0.5f)]);

        private Slice<float> Result(int n)
        {
            var slice = Upload(backend, pool, new float[n]);
            results.Add(slice);
            return slice;
        }
    }

    [TestCase(Precision.Fp32, 2e-6)]
    [TestCase(Precision.Tf32, 4e-3)]
    public void A_whole_chain_computes_what_its_calls_compute(Precision precision, double tolerance)
    {
        foreach (int rows in (int[])[1, 16, 19, 32])
        {
            // On the CPU; where operands are rounded, which moves masks, by launches of their own.
            using IBackend other = precision == Precision.Fp32 ? new CpuBackend(2) : CudaEmulator.Open(precision);
            float[][] expected = Run(other, rows, out _);
            foreach (int blocks in (int[])[1, 2, 8, 16])
                if (rows <= 16 * Math.Max(1, 4 / blocks))
                {
                    using var cuda = CudaEmulator.OpenChaining(new(blocks, 2), precision);
                    float[][] found = Run(cuda, rows, out int calls);
                    Assert.That(calls, Is.EqualTo(2 + 4), "two chains and four weight gradients");
                    for (int i = 0; i < expected.Length; i++)
                        Assert.That(found[i], Is.EqualTo(expected[i]).Within(tolerance * expected[i].Max(Math.Abs)), $"result {i} of {rows} rows, clusters of {blocks}");
                }
        }

        static float[][] Run(IBackend backend, int rows, out int calls)
        {
            using var vae = new DenseVae(backend, rows);
            using var step = backend.Capture(b =>
            {
                vae.Forward(b);
                vae.Backward(b);
            });
            step.Replay();
            step.Replay();
            calls = step.Calls;
            return vae.ResultsOneByOne();
        }
    }

    [Test]
    public void A_chain_has_the_same_bits_in_every_order_of_threads_and_blocks([Values(Precision.Fp32, Precision.Tf32)] Precision precision)
    {
        var results = new List<float[]>();
        foreach (int order in (int[])[0, 1, 2])
            foreach (int threads in (int[])[1, 2])
            {
                using var cuda = CudaEmulator.OpenChaining(InTwos, precision);
                CudaEmulator.Configure(order, threads);
                using var vae = new DenseVae(cuda, 27);
                vae.Forward(cuda);
                vae.Backward(cuda);
                results.Add(vae.Results());
            }
        Assert.That(results[0], Has.Some.Not.Zero);
        Assert.That(results, Is.All.EqualTo(results[0]));
    }

    [Test]
    public void A_sample_has_the_bits_it_has_as_a_launch_of_its_own()
    {
        using CudaBackend chained = CudaEmulator.OpenChaining(new(8, 1)), plain = CudaEmulator.Open();
        Assert.That(Sample(chained), Is.EqualTo(Sample(plain)));

        static float[] Sample(IBackend backend)
        {
            const int Rows = 13, H = 24;
            using var pool = new BufferPool(backend);
            Slice<float> mu = Upload(backend, pool, [.. Enumerable.Range(0, Rows * H).Select(i => 0.01f * i)]), logVar = Upload(backend, pool, [.. Enumerable.Range(0, Rows * H).Select(i => -0.02f * i)]);
            Slice<float> epsilon = pool.Rent<float>(Rows * H), z = pool.Rent<float>(Rows * H), kl = pool.Rent<float>(Rows);
            var state = pool.Rent<uint>(4);
            backend.Upload<uint>([9, 8, 7, 6], state);
            backend.Reparameterise(Rows, H, mu, logVar, new(state, 4), epsilon, z, kl);
            return [.. Download(backend, epsilon), .. Download(backend, z)];
        }
    }

    [Test]
    public void Chains_may_also_overlap_with_the_kernel_before_them()
    {
        using CudaBackend plain = CudaEmulator.OpenChaining(InTwos), overlapping = CudaEmulator.OpenChaining(InTwos);
        overlapping.Overlap = true;
        using DenseVae first = new(plain, 20), second = new(overlapping, 20);
        foreach (var (vae, cuda) in ((DenseVae, CudaBackend)[])[(first, plain), (second, overlapping)])
        {
            vae.Forward(cuda);
            vae.Backward(cuda);
        }
        Assert.That(second.Results(), Is.EqualTo(first.Results()));
    }

    // ---- what may not change places

    private const int Rows = 9, N = 16;

    /// <summary>Squares of N x N numbers and arrays of Rows x N, and how many launches a captured sequence of calls makes; replayed, it computes what it does on the CPU.</summary>
    private static int Launches(Action<IBackend, Slice<float>[], Slice<float>[]> calls)
    {
        using var cpu = new CpuBackend(1);
        using var cuda = CudaEmulator.OpenChaining(InTwos);
        float[] expected = Run(cpu, out _), found = Run(cuda, out int launches);
        Assert.That(found, Is.EqualTo(expected).Within(1e-5 * expected.Max(Math.Abs)));
        return launches;

        float[] Run(IBackend backend, out int launches)
        {
            using var pool = new BufferPool(backend);
            var random = new Random(2);
            Slice<float>[] Make(int count, int n) => [.. Enumerable.Range(0, count).Select(_ => Upload(backend, pool, [.. Enumerable.Range(0, n).Select(_ => random.NextSingle() - 0.4f)]))];
            Slice<float>[] w = Make(6, N * N), x = Make(12, Rows * N);
            using var step = backend.Capture(b => calls(b, w, x));
            step.Replay();
            launches = step.Calls;
            return [.. w.Concat(x).SelectMany(s => Download(backend, s))];
        }
    }

    private static readonly MatMulShape Forward = new(Rows, N, N), DataGradient = new(Rows, N, N, TransposeB: true), WeightGradient = new(N, N, Rows, TransposeA: true);

    [Test]
    public void Calls_that_read_what_the_one_before_wrote_are_one_launch_up_to_eight()
    {
        Assert.That(Launches((b, w, x) => Line(b, w, x, 2)), Is.EqualTo(1));
        Assert.That(Launches((b, w, x) => Line(b, w, x, 8)), Is.EqualTo(1));
        Assert.That(Launches((b, w, x) => Line(b, w, x, 10)), Is.EqualTo(2));

        static void Line(IBackend b, Slice<float>[] w, Slice<float>[] x, int count)
        {
            for (int i = 0; i < count; i++)
                b.MatMul(Forward, x[i], w[i % w.Length], x[i + 1]);
        }
    }

    [Test]
    public void Calls_that_do_not_read_what_the_one_before_wrote_are_launches_of_their_own() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(Forward, x[0], w[0], x[1]);
            b.MatMul(Forward, x[2], w[0], x[3]);
            b.MatMul(Forward, x[1], w[1], x[4]);
        }), Is.EqualTo(3));

    [Test]
    public void Another_kernel_ends_a_chain_and_sees_its_results() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(Forward, x[0], w[0], x[1]);
            b.MatMul(Forward, x[1], w[1], x[2]);
            b.Unary<Scale>(x[2], x[3], 3);
            b.MatMul(Forward, x[3], w[2], x[4]);
        }), Is.EqualTo(3));

    [Test]
    public void A_link_may_write_where_an_earlier_one_read_if_each_row_stays_in_its_place() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(Forward, x[0], w[0], x[1]);
            b.MatMul(Forward, x[1], w[1], x[0]);
            b.MatMul(Forward with { Accumulate = true }, x[0], w[2], x[1]);
        }), Is.EqualTo(1));

    [Test]
    public void Rows_of_another_width_end_a_chain() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(Forward, x[0], w[0], x[1]);
            // The same memory as rows of 8: other clusters' rows.
            b.MatMul(new(Rows, N, N / 2), x[1].Part(0, Rows * N / 2), w[1].Part(0, N * N / 2), x[2]);
        }), Is.EqualTo(2));

    [Test]
    public void Weights_that_a_link_writes_end_a_chain() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(new(N, N, N), w[0], w[1], w[2]);
            b.MatMul(new(N, N, N), w[3], w[2], w[4]);
        }), Is.EqualTo(2));

    [Test]
    public void A_weight_gradient_between_data_gradients_does_not_end_a_chain() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(DataGradient, x[0], w[0], x[1]);
            b.MatMul(WeightGradient, x[6], x[0], w[3]);
            b.BiasGradient(Rows, N, x[0], w[5].Part(0, N), false);
            b.MatMul(DataGradient, x[1], w[1], x[2]);
            b.MatMul(WeightGradient, x[7], x[1], w[4]);
            b.MatMul(DataGradient, x[2], w[2], x[3]);
        }), Is.EqualTo(1 + 2));

    [Test]
    public void A_link_that_would_overwrite_what_a_waiting_weight_gradient_reads_ends_the_chain() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(DataGradient, x[0], w[0], x[1]);
            b.MatMul(DataGradient, x[1], w[1], x[2]);
            b.MatMul(WeightGradient, x[7], x[1], w[4]);
            b.MatMul(DataGradient, x[2], w[2], x[1]);
            b.MatMul(DataGradient, x[1], w[3], x[3]);
        }), Is.EqualTo(2 + 1));

    [Test]
    public void A_link_may_overwrite_what_a_weight_gradient_before_the_chain_has_read() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(DataGradient, x[0], w[0], x[1]);
            b.MatMul(WeightGradient, x[7], x[0], w[4]);
            b.MatMul(DataGradient, x[1], w[1], x[0]);
        }), Is.EqualTo(1 + 1));

    [Test]
    public void A_link_that_reads_a_waiting_weight_gradient_ends_the_chain() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(DataGradient, x[0], w[0], x[1]);
            b.MatMul(WeightGradient, x[7], x[1], w[4]);
            b.MatMul(DataGradient, x[1], w[4], x[2]);
        }), Is.EqualTo(3));

    [Test]
    public void A_weight_gradient_that_writes_what_a_waiting_one_writes_waits_too() =>
        Assert.That(Launches((b, w, x) =>
        {
            b.MatMul(DataGradient, x[0], w[0], x[1]);
            b.MatMul(WeightGradient, x[7], x[1], w[4]);
            b.MatMul(WeightGradient with { Accumulate = true }, x[7], x[8], w[4]);
            b.MatMul(DataGradient, x[1], w[1], x[2]);
        }), Is.EqualTo(1 + 2));

    [Test]
    public void What_waits_is_computed_before_anything_is_downloaded_or_freed()
    {
        using IBackend cuda = CudaEmulator.OpenChaining(InTwos);
        using var pool = new BufferPool(cuda);
        Slice<float> x = Upload(cuda, pool, [1, 2, 3, 4]), w = Upload(cuda, pool, [.. Enumerable.Range(0, 16).Select(i => i % 5 == 0 ? 2f : 0f)]), y = Upload(cuda, pool, new float[4]), z = Upload(cuda, pool, new float[4]);
        cuda.MatMul(new(1, 4, 4), x, w, y);
        cuda.MatMul(new(1, 4, 4), y, w, z);
        Assert.That(Download(cuda, z), Is.EqualTo(new float[] { 4, 8, 12, 16 }));
        cuda.MatMul(new(1, 4, 4), z, w, y);
        pool.Return(w);
        pool.Trim();
        Assert.That(Download(cuda, y), Is.EqualTo(new float[] { 8, 16, 24, 32 }));
    }

    [Test]
    public void A_capture_that_throws_leaves_nothing_behind()
    {
        using var cuda = CudaEmulator.OpenChaining(InTwos);
        using var pool = new BufferPool(cuda);
        Slice<float> x = Upload(cuda, pool, [1, 2, 3, 4]), w = Upload(cuda, pool, new float[16]), y = Upload(cuda, pool, [5, 5, 5, 5]);
        Assert.That(() => cuda.Capture(b =>
        {
            b.MatMul(new(1, 4, 4), x, w, y);
            throw new InvalidOperationException("stop");
        }), Throws.InvalidOperationException);
        Assert.That(Download(cuda, y), Is.EqualTo(new float[] { 5, 5, 5, 5 }));
    }
}
