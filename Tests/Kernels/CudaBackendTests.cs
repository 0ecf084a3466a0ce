using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Kernels.Elementwise;

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

    [Test]
    public void Elementwise_functions_have_the_bits_of_the_CPU()
    {
        using var cuda = CudaEmulator.Open();
        var random = new Random(5);
        float[] x = [.. Enumerable.Range(0, 5000).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-6, 3)))), float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, -0f, float.Epsilon, -1e-40f];
        Assert.Multiple(() =>
        {
            Same<Exp>();
            Same<Log>();
            Same<Log1p>();
            Same<Tanh>();
            Same<Sigmoid>();
            Same<Softplus>();
            Same<Relu>();
            Same<Sqrt>();
            Same<ClampMax>();
        });

        void Same<K>() where K : struct, IUnaryKernel => Assert.That(Apply<K>(cuda, x), Is.EqualTo(Apply<K>(Cpu, x)), K.Name);
    }

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

    [TestCase(75, Precision.Fp32)]
    [TestCase(80, Precision.Tf32)]
    [TestCase(89, Precision.Tf32)]
    [TestCase(90, Precision.Tf32)]
    [TestCase(120, Precision.Tf32)]
    public void A_card_gets_kernels_it_can_run(int computeCapability, Precision expected)
    {
        using var cuda = CudaEmulator.Open(Precision.Tf32, computeCapability);
        using var pool = new BufferPool(cuda);
        Assert.That(cuda.Precision, Is.EqualTo(expected));
        Assert.That(cuda.Notice is null, Is.EqualTo(expected == Precision.Tf32));
        Slice<float> a = Upload(cuda, pool, [1f, 2f, 3f, 4f]), c = Upload(cuda, pool, [0f, 0f, 0f, 0f]);
        cuda.MatMul(new(2, 2, 2), a, a, c, default, Activation.None, default);
        Assert.That(Download(cuda, c), Is.EqualTo(new float[] { 7, 10, 15, 22 }));
    }

    [Test]
    public void A_card_that_is_too_old_is_refused()
    {
        CudaEmulator.Open().Dispose();
        Assert.That(() => CudaEmulator.Open(Precision.Fp32, computeCapability: 70), Throws.TypeOf<DeviceException>().With.Message.Contains("compute capability 7.0, 7.5 or newer is needed"));
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

    private static Slice<float> Upload(IBackend backend, BufferPool pool, float[] values)
    {
        var slice = pool.Rent<float>(values.Length);
        backend.Upload<float>(values, slice);
        return slice;
    }

    private static float[] Download(IBackend backend, Slice<float> slice)
    {
        var values = new float[slice.Length];
        backend.Download<float>(slice, values);
        return values;
    }
}
