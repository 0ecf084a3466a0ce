using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Kernels.Elementwise;
using static VaeFromScratch.Tests.Kernels.DeviceArrays;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>What surrounds the CUDA kernels: bits equal to the CPU's, captured steps, memory, errors, and the choice of kernels for a card.</summary>
[Category("Cuda")]
public sealed class CudaBackendTests
{
    private static readonly CpuBackend Cpu = new(threads: 2);

    [TearDown]
    public void Heal()
    {
        CudaEmulator.FailIn(null);
        CudaEmulator.Configure();
    }

    [Test]
    public void Draws_have_the_bits_of_the_CPU([Values] Distribution distribution, [Values(1, 4, 1003)] int n)
    {
        using var cuda = CudaEmulator.Open();
        Assert.That(Draw(cuda, distribution, n), Is.EqualTo(Draw(Cpu, distribution, n)));
    }

    /// <summary>Every 65 521st float there is, and each value at which a function changes its rule.</summary>
    private static readonly float[] WholeRange =
    [
        .. Enumerable.Range(0, 65_549).Select(i => BitConverter.UInt32BitsToSingle((uint)i * 65_521u)),
        float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, -0f, float.Epsilon, -float.Epsilon, 1e-40f, -1e-40f, float.MaxValue, float.MinValue, 1f, -1f, 0.25f,
        -104f, -103.97f, 88.72f, 88.73f, 89f, -87.4f, 0.625f, -0.625f, 10f, -10f, MathF.BitIncrement(-1f), MathF.BitDecrement(-1f),
    ];

    [Test]
    public void Elementwise_functions_have_the_bits_of_the_CPU_over_the_whole_range_of_floats()
    {
        using var cuda = CudaEmulator.Open();
        Assert.Multiple(() =>
        {
            Same<Exp>();
            Same<Log>();
            Same<Log1p>();
            Same<Tanh>();
            Same<Sigmoid>();
            Same<Softplus>();
            Same<Relu>();
            Same<LeakyRelu>();
            Same<Abs>();
            Same<Sqrt>();
            Same<Reciprocal>();
            Same<ClampMin>();
            Same<ClampMax>();
        });

        void Same<K>() where K : struct, IUnaryKernel => Assert.That(Bits(Apply<K>(cuda, WholeRange)), Is.EqualTo(Bits(Apply<K>(Cpu, WholeRange))), K.Name);
    }

    [Test]
    public void What_is_not_a_number_stays_visible_as_on_the_CPU()
    {
        using var cuda = CudaEmulator.Open();
        foreach (float special in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
            Assert.That(Kinds(cuda, special), Is.EqualTo(Kinds(Cpu, special)), $"{special}");

        // Whether each result is finite, NaN or an infinity.
        static string[] Kinds(IBackend backend, float special)
        {
            const int Rows = 3, N = 5;
            using var pool = new BufferPool(backend);
            float[] values = [.. Enumerable.Range(0, Rows * N).Select(i => 0.1f * i - 0.7f)];
            values[N + 2] = special;
            Slice<float> x = Upload(backend, pool, values), plain = Upload(backend, pool, [.. values.Select(v => float.IsFinite(v) ? v : 0.5f)]), variance = Upload(backend, pool, [0.5f]);
            var results = new List<float>();
            void Add(int n, Action<Slice<float>> call)
            {
                var y = Upload(backend, pool, new float[n]);
                call(y);
                results.AddRange(Download(backend, y));
            }

            Add(N, y => backend.Sum(x, 1, Rows, N, 1, y));
            Add(Rows, y => backend.Max(x, Rows, N, 1, y));
            Add(Rows, y => backend.LogSumExp(x, Rows, N, 1, y));
            Add(Rows * N, y => backend.Softmax(Rows, N, x, y));
            Add(Rows, y => backend.GaussianNll(Rows, N, x, plain, variance, y, pool.Rent<float>(Rows)));
            Add(Rows, y => backend.BernoulliNll(Rows, N, plain, x, y));
            Add(6 * N, y => backend.EncodingMoments(Rows, N, x, plain, Upload(backend, pool, new float[8 * N]), Rows, y));
            Add(6 * N, y => backend.EncodingMoments(Rows, N, plain, x, Upload(backend, pool, new float[8 * N]), Rows, y));
            Add(4, y => backend.MatMul(new(2, 2, N), x.Part(0, 2 * N), plain.Part(0, 2 * N), y, activation: Activation.Relu));
            Add(1, y =>
            {
                backend.Fill(y, 0.5f);
                backend.UpdateVariance(x, 10, 0.5f, 0.1f, 1e-4f, y);
            });
            return [.. results.Select(r => float.IsFinite(r) ? "finite" : $"{r}")];
        }
    }

    /// <summary>The bits of each value; all NaN are one.</summary>
    private static uint[] Bits(float[] values) => Array.ConvertAll(values, v => float.IsNaN(v) ? 0x7fc00000u : BitConverter.SingleToUInt32Bits(v));

    [Test]
    public void Samples_of_a_posterior_have_the_bits_of_the_CPU([Values(7, 8)] int h)
    {
        using var cuda = CudaEmulator.Open();
        Assert.That(Sample(cuda, h), Is.EqualTo(Sample(Cpu, h)));
    }

    [Test]
    public void A_captured_step_does_nothing_until_it_is_replayed_and_then_reads_new_values()
    {
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        var x = Upload(cuda, pool, [1f, 2f, 3f, 4f]);
        var y = Upload(cuda, pool, [0f, 0f, 0f, 0f]);
        using var step = cuda.Capture(b =>
        {
            b.Binary<Add>(x, y, y);
            b.Unary<Scale>(y, y, 2);
        });
        Assert.That(step.Calls, Is.EqualTo(2));
        Assert.That(Download(cuda, y), Is.EqualTo(new float[] { 0, 0, 0, 0 }));
        step.Replay();
        Assert.That(Download(cuda, y), Is.EqualTo(new float[] { 2, 4, 6, 8 }));
        cuda.Upload<float>([10f, 10f, 10f, 10f], x);
        step.Replay();
        Assert.That(Download(cuda, y), Is.EqualTo(new float[] { 24, 28, 32, 36 }));
    }

    [Test]
    public void Shared_reductions_can_be_captured_and_replayed()
    {
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        var x = Upload(cuda, pool, [.. Enumerable.Range(0, 40_000).Select(i => (float)(i % 7))]);
        var sum = Upload(cuda, pool, [0f]);
        using var step = cuda.Capture(b => b.Sum(x, 1, x.Length, 1, 1, sum));
        for (int i = 0; i < 3; i++)
        {
            step.Replay();
            Assert.That(Download(cuda, sum)[0], Is.EqualTo(Enumerable.Range(0, 40_000).Sum(k => k % 7)));
        }
    }

    [Test]
    public void Inside_a_capture_nothing_may_wait_and_afterwards_the_device_works_on()
    {
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        var x = Upload(cuda, pool, [1f]);
        Assert.That(() => cuda.Capture(b => b.Download(x, new float[1])), Throws.InvalidOperationException.With.Message.StartsWith("download: not possible while a step is being captured"));
        cuda.Fill(x, 5);
        Assert.That(Download(cuda, x), Is.EqualTo(new[] { 5f }));
    }

    [Test]
    public void Large_copies_pass_through_the_ring_of_staging_buffers()
    {
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        float[] values = [.. Enumerable.Range(0, 9_000_001).Select(i => (float)i)];
        Assert.That(Download(cuda, Upload(cuda, pool, values)).AsSpan().SequenceEqual(values));
    }

    [Test]
    public void Without_a_driver_one_sentence_says_so()
    {
        Assert.That(() => new CudaBackend(0, Precision.Fp32, "libthere-is-none.so.1"),
            Throws.TypeOf<DeviceException>().With.Message.EqualTo("no NVIDIA driver (libthere-is-none.so.1); use --device cpu"));
    }

    [Test]
    public void A_device_number_that_is_not_there_is_named()
    {
        CudaEmulator.Open().Dispose();
        Assert.That(() => CudaEmulator.Open(ordinal: 3), Throws.TypeOf<DeviceException>().With.Message.EqualTo("cuda:3: there is one GPU, cuda:0"));
    }

    [Test]
    public void Running_out_of_memory_says_what_was_asked_and_what_is_free()
    {
        using var cuda = CudaEmulator.Open();
        CudaEmulator.Configure(memory: 64 << 20);
        Assert.That(() => cuda.Allocate(1 << 30), Throws.TypeOf<DeviceMemoryException>().With.Message.Match(@"^cuda:0: no room for 1024 MiB; \d+ (MiB|bytes) of 64 MiB are free; "));
        cuda.Free(cuda.Allocate(1024), 1024);
    }

    [Test]
    public void A_kernel_that_fails_is_named_once_and_the_device_stays_failed()
    {
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        var x = Upload(cuda, pool, [1f, 2f]);
        CudaEmulator.FailIn("fill");
        cuda.Fill(x, 1);
        Assert.That(cuda.Synchronise, Throws.TypeOf<DeviceException>().With.Message.Contains("CUDA_ERROR_LAUNCH_FAILED").And.Message.Contains("last launch: fill, grid (1, 1, 1), block (256, 1, 1)"));
        Assert.That(() => cuda.Fill(x, 2), Throws.TypeOf<DeviceException>().With.Message.Contains("has failed before"));
    }

    [Test]
    public void A_card_gets_kernels_it_can_run([Values(75, 80, 89, 90, 120)] int computeCapability, [Values(Precision.Tf32, Precision.Bf16)] Precision wanted)
    {
        using var cuda = CudaEmulator.Open(wanted, computeCapability);
        using var pool = new BufferPool(cuda);
        Assert.That(cuda.Precision, Is.EqualTo(computeCapability < 80 ? Precision.Fp32 : wanted));
        Assert.That(cuda.Notice, computeCapability < 80 ? Does.Contain($"no {CudaBackend.NameOf(wanted)}: matrix work runs in fp32") : Is.Null);
        Slice<float> a = Upload(cuda, pool, [1f, 2f, 3f, 4f]), c = Upload(cuda, pool, [0f, 0f, 0f, 0f]);
        cuda.MatMul(new(2, 2, 2), a, a, c, default, Activation.None, default);
        Assert.That(Download(cuda, c), Is.EqualTo(new float[] { 7, 10, 15, 22 }));
    }

    [Test]
    public void Launches_overlap_on_compute_capability_9_0_only_and_when_asked_to([Values(75, 80, 90, 100, 120)] int computeCapability)
    {
        using (var plain = CudaEmulator.Open(computeCapability: computeCapability))
            Assert.That(plain.Overlap, Is.False);
        using var cuda = CudaEmulator.OpenOverlapping(computeCapability: computeCapability);
        bool can = computeCapability == 90;
        Assert.That(cuda.Overlap, Is.EqualTo(can));
        Assert.That(cuda.Notice, can ? Is.Null : Does.EndWith("no launches that overlap, which are for 9.0: VAE_CUDA_OVERLAP does nothing"));
        Assert.That(() => cuda.Overlap = true, can ? Throws.Nothing : Throws.TypeOf<DeviceException>().With.Message.EqualTo("cuda:0: launches overlap on compute capability 9.0 only"));
    }

    [Test]
    public void Launches_that_overlap_give_the_same_bits_one_by_one_and_captured()
    {
        using CudaBackend plain = CudaEmulator.Open(Precision.Tf32), overlapping = CudaEmulator.OpenOverlapping(Precision.Tf32);
        Assert.That(Steps(overlapping), Is.EqualTo(Steps(plain)));

        static float[] Steps(CudaBackend cuda)
        {
            using var pool = new BufferPool(cuda);
            Slice<float> x = Upload(cuda, pool, [.. Enumerable.Range(0, 40_000).Select(i => i % 7 * 0.1f)]), y = Upload(cuda, pool, new float[40_000]), sum = Upload(cuda, pool, new float[200]);
            void Step(IBackend b)
            {
                b.MatMul(new(200, 200, 200), x, x, y, default, Activation.None, default);
                b.Unary<Tanh>(y, x);
                b.Sum(x, 1, 200, 200, 1, sum);
            }

            Step(cuda);
            using var step = cuda.Capture(Step);
            step.Replay();
            step.Replay();
            return [.. Download(cuda, x), .. Download(cuda, sum)];
        }
    }

    [Test]
    public void A_kernel_that_would_overlap_and_does_not_wait_is_named()
    {
        using var folder = new EditedKernels();
        folder.Edit("memory.cu", source => source.Replace("AFTER_EARLIER_KERNELS();", "", StringComparison.Ordinal));
        using var cuda = CudaEmulator.OpenOverlapping();
        using var pool = new BufferPool(cuda);
        var x = Upload(cuda, pool, [1f, 2f]);
        cuda.Overlap = false;
        cuda.Fill(x, 3);
        Assert.That(Download(cuda, x), Is.EqualTo(new[] { 3f, 3f }));
        cuda.Overlap = true;
        cuda.Fill(x, 4);
        Assert.That(cuda.Synchronise, Throws.TypeOf<DeviceException>().With.Message.Contains("fill: launched to overlap with the kernel before it, but its PTX does not wait for that one"));
    }

    [Test]
    public void The_emulator_refuses_clusters_of_a_kernel_with_static_shared_memory()
    {
        using var folder = new EditedKernels();
        folder.Edit("chain.cuh", source => source.Replace("DYNAMIC_SHARED(shared);", "DYNAMIC_SHARED(shared); __shared__ float once[64]; once[threadIdx.x % 64] = chain.rows; __syncthreads(); shared[threadIdx.x] = once[63 - threadIdx.x % 64];", StringComparison.Ordinal));
        folder.Edit("chain_fp32.cu", source => source);
        using var cuda = CudaEmulator.OpenChaining(new(2, 1));
        using var pool = new BufferPool(cuda);
        Slice<float> a = Upload(cuda, pool, [1f, 2f, 3f, 4f]), w = Upload(cuda, pool, new float[16]), c = Upload(cuda, pool, new float[4]);
        cuda.MatMul(new(1, 4, 4), a, w, c, default, Activation.None, default);
        Assert.That(cuda.Synchronise, Throws.TypeOf<DeviceException>().With.Message.Contains("chain_fp32: launched in clusters, for which the emulator has dynamic shared memory only"));
    }

    /// <summary>Operands that bf16 holds exactly, and their neighbours: to nearest, ties to the even one, then products and sums as float32 makes them.</summary>
    [TestCase(1f, 1f)]
    [TestCase(1.00390625f, 1f)]
    [TestCase(1.01171875f, 1.015625f)]
    [TestCase(1.00390637f, 1.0078125f)]
    [TestCase(-1.00390625f, -1f)]
    [TestCase(3.4e38f, float.PositiveInfinity)]
    [TestCase(float.NaN, float.NaN)]
    public void Operands_are_rounded_to_bf16_to_nearest_and_even(float x, float rounded)
    {
        using var cuda = CudaEmulator.Open(Precision.Bf16);
        using var pool = new BufferPool(cuda);
        Slice<float> a = Upload(cuda, pool, [x]), one = Upload(cuda, pool, [1f]), c = Upload(cuda, pool, [0f]);
        cuda.MatMul(new(1, 1, 1), a, one, c, default, Activation.None, default);
        Assert.That(Download(cuda, c)[0], Is.EqualTo(rounded).Within(1e-6).Percent);
        cuda.MatMul(new(1, 1, 1), one, a, c, default, Activation.None, default);
        Assert.That(Download(cuda, c)[0], Is.EqualTo(rounded).Within(1e-6).Percent);
    }

    [Test]
    public void A_card_that_is_too_old_is_refused()
    {
        CudaEmulator.Open().Dispose();
        Assert.That(() => CudaEmulator.Open(Precision.Fp32, computeCapability: 70), Throws.TypeOf<DeviceException>().With.Message.Contains("compute capability 7.0, 7.5 or newer is needed"));
    }

    [TestCase(75)]
    [TestCase(90)]
    public void Edited_sources_are_compiled_when_a_kernel_is_first_used(int computeCapability)
    {
        using var folder = new EditedKernels();
        folder.Edit("memory.cu", source => source);
        using var cuda = CudaEmulator.Open(Precision.Fp32, computeCapability);
        using var pool = new BufferPool(cuda);
        var x = Upload(cuda, pool, [1f, 2f]);
        cuda.Fill(x, 3);
        Assert.That(Download(cuda, x), Is.EqualTo(new[] { 3f, 3f }));
    }

    [Test]
    public void An_edited_source_that_does_not_compile_is_shown_with_the_compilers_words()
    {
        using var folder = new EditedKernels();
        folder.Edit("memory.cu", source => source.Replace("KERNEL __launch_bounds__(256) fill(", "KERNEL __launch_bounds__(256) fill(no_such_type t, ", StringComparison.Ordinal));
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        Assert.That(() => cuda.Fill(pool.Rent<float>(2), 3), Throws.TypeOf<DeviceException>().With.Message.Contains("memory.cu does not compile").And.Message.Contains("unknown type name 'no_such_type'"));
    }

    [Test]
    public void Edited_sources_need_their_folder_and_NVRTC()
    {
        using var folder = new EditedKernels();
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        Assert.That(() => cuda.Fill(pool.Rent<float>(2), 3), Throws.TypeOf<DeviceException>().With.Message.Contains("there is no memory.cu"));
        folder.Edit("memory.cu", source => source);
        Environment.SetEnvironmentVariable("VAE_NVRTC_LIBRARY", "libthere-is-none.so");
        Assert.That(() => cuda.Fill(pool.Rent<float>(2), 3), Throws.TypeOf<DeviceException>().With.Message.Contains("NVRTC is not installed (libthere-is-none.so)"));
    }

    /// <summary>A folder that VAE_KERNELS names, with the headers, and clang behind NVRTC's functions.</summary>
    private sealed class EditedKernels : IDisposable
    {
        private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("kernels");

        public EditedKernels()
        {
            if (!File.Exists(CudaEmulator.Compiler))
                Assert.Ignore("the stand-in for NVRTC is not built; run Kernels/Cuda/build-emulator.sh");
            foreach (string header in Directory.GetFiles(CudaEmulator.Sources, "*.cuh"))
                File.Copy(header, Path.Combine(folder.FullName, Path.GetFileName(header)));
            Environment.SetEnvironmentVariable("VAE_KERNELS", folder.FullName);
            Environment.SetEnvironmentVariable("VAE_NVRTC_LIBRARY", CudaEmulator.Compiler);
        }

        public void Edit(string file, Func<string, string> change) =>
            File.WriteAllText(Path.Combine(folder.FullName, file), change(File.ReadAllText(Path.Combine(CudaEmulator.Sources, file))));

        public void Dispose()
        {
            Environment.SetEnvironmentVariable("VAE_KERNELS", null);
            Environment.SetEnvironmentVariable("VAE_NVRTC_LIBRARY", null);
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public void A_device_reports_itself_with_measured_rates()
    {
        using var cuda = CudaEmulator.Open();
        var info = CudaDeviceInfo.Measure(cuda, quick: true);
        Assert.That(info.ComputeCapability, Is.EqualTo("9.0"));
        Assert.That(info.TotalBytes, Is.EqualTo(4L << 30));
        Assert.That(new[] { info.CopyBytesPerSecond, info.FmaFlops, info.TensorFlops!.Value }, Is.All.GreaterThan(0));
    }

    private static float[] Draw(IBackend backend, Distribution distribution, int n)
    {
        using var pool = new BufferPool(backend);
        var y = pool.Rent<float>(n);
        backend.Random(distribution, new(State(backend, pool), 6), y);
        return Download(backend, y);
    }

    private static float[] Sample(IBackend backend, int h)
    {
        const int Rows = 33;
        using var pool = new BufferPool(backend);
        var random = new Random(9);
        Slice<float> mu = Upload(backend, pool, [.. Enumerable.Range(0, Rows * h).Select(_ => random.NextSingle())]), logVar = Upload(backend, pool, [.. Enumerable.Range(0, Rows * h).Select(_ => -random.NextSingle())]);
        Slice<float> epsilon = pool.Rent<float>(Rows * h), z = pool.Rent<float>(Rows * h), kl = pool.Rent<float>(Rows);
        backend.Reparameterise(Rows, h, mu, logVar, new(State(backend, pool), 0), epsilon, z, kl);
        return [.. Download(backend, epsilon), .. Download(backend, z)];
    }

    private static float[] Apply<K>(IBackend backend, float[] x) where K : struct, IUnaryKernel
    {
        using var pool = new BufferPool(backend);
        var y = pool.Rent<float>(x.Length);
        backend.Unary<K>(Upload(backend, pool, x), y, 0.25f);
        return Download(backend, y);
    }

    private static Slice<uint> State(IBackend backend, BufferPool pool)
    {
        var state = pool.Rent<uint>(4);
        backend.Upload<uint>([0x12345678, 0x9abcdef0, 41, 7], state);
        return state;
    }
}
