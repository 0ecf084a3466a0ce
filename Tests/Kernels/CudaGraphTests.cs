using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu.Cuda;
using static VaeFromScratch.Tests.Kernels.DeviceArrays;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Steps that are captured and replayed, on the stand-in for the driver, which keeps CUDA's rules of capture.</summary>
[Category("Cuda")]
public sealed class CudaGraphTests
{
    private TensorCoreBackend backend = null!;
    private BufferPool pool = null!;

    [SetUp]
    public void Open()
    {
        backend = new(Precision.Tf32);
        pool = new(backend);
    }

    [TearDown]
    public void Close()
    {
        pool?.Dispose();
        backend?.Dispose();
    }

    [Test]
    public void A_captured_step_does_nothing_until_it_is_replayed_and_then_reads_new_values()
    {
        Slice<float> x = Upload(backend, pool, [1f, 2f, 3f, 4f]), y = Upload(backend, pool, new float[4]);
        using var graph = CaptureTwoProducts(x, y);
        Assert.That(graph.Nodes, Is.EqualTo(2));
        Assert.That(Download(backend, y), Is.All.Zero);
        graph.Launch();
        Assert.That(Download(backend, y), Is.EqualTo(new float[] { 14, 20, 30, 44 }));
        backend.Upload<float>([1f, 0f, 0f, 1f], x);
        graph.Launch();
        Assert.That(Download(backend, y), Is.EqualTo(new float[] { 2, 0, 0, 2 }));
    }

    [Test]
    public void Replaying_and_launching_allocate_nothing_and_call_the_driver_once()
    {
        Slice<float> x = Upload(backend, pool, [1f, 2f, 3f, 4f]), y = Upload(backend, pool, new float[4]);
        using var graph = CaptureTwoProducts(x, y);
        // The runtime itself allocates now and then, when it compiles a method again.
        long least = long.MaxValue;
        for (int i = 0; i < 10; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            graph.Launch();
            Product(x, y);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.That(least, Is.Zero);
        Assert.That(CudaEmulator.Record(graph.Launch), Has.One.StartsWith("cuGraphLaunch nodes 2 "));
        string[] calls = CudaEmulator.Record(() => Product(x, y));
        Assert.That(calls.Where(c => !c.StartsWith("cuCtxSetCurrent", StringComparison.Ordinal)),
            Has.One.Items.And.All.StartsWith("cuLaunchKernel matmul_nn_"));
    }

    [Test]
    public void Sums_shared_among_blocks_can_be_captured_and_replayed()
    {
        const int K = 6000;
        Slice<float> a = Upload(backend, pool, [.. Enumerable.Range(0, K).Select(i => (float)(i % 7))]), c = Upload(backend, pool, [0f]);
        Slice<float> ones = Upload(backend, pool, [.. Enumerable.Repeat(1f, K)]);
        backend.Products.Prepare();
        using var graph = Capture(() => backend.Products.MatMul(new(1, 1, K), a.Address, ones.Address, c.Address));
        for (int i = 0; i < 3; i++)
        {
            backend.Upload<float>([0f], c);
            graph.Launch();
            Assert.That(Download(backend, c)[0], Is.EqualTo(Enumerable.Range(0, K).Sum(k => k % 7)));
        }
    }

    [Test]
    public void Kernels_must_be_loaded_before_a_capture_and_the_device_works_on_without()
    {
        Slice<float> x = Upload(backend, pool, [1f, 2f, 3f, 4f]), y = Upload(backend, pool, new float[4]);
        Assert.That(() => Capture(() => Product(x, y)),
            Throws.TypeOf<DeviceException>().With.Message.StartsWith(
                "cuModuleLoadDataEx of tf32: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900)"));
        Product(x, y);
        Assert.That(Download(backend, y), Is.EqualTo(new float[] { 7, 10, 15, 22 }));
    }

    [Test]
    public unsafe void Waiting_inside_a_capture_is_refused_and_spoils_it()
    {
        int result = 0;
        Assert.That(() => Capture(() => result = CudaDriver.cuStreamSynchronize(backend.Stream)),
            Throws.TypeOf<DeviceException>().With.Message.Contains("cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED (901)"));
        Assert.That(result, Is.EqualTo(900));
        Assert.That(CudaDriver.cuStreamSynchronize(backend.Stream), Is.Zero);
    }

    [Test]
    public void What_a_step_throws_comes_out_and_the_stream_can_be_captured_again()
    {
        Assert.That(() => Capture(() => throw new InvalidOperationException("a step")),
            Throws.InvalidOperationException.With.Message.EqualTo("a step"));
        using var graph = Capture(() => { });
        Assert.That(graph.Nodes, Is.Zero);
    }

    /// <summary>A finaliser frees device memory on its own thread while another one captures.</summary>
    [Test]
    public unsafe void Other_threads_may_allocate_and_free_beside_a_capture()
    {
        int result = -1;
        using var graph = Capture(() => OnAnotherThread(() =>
        {
            CudaEmulator.Bind();
            nint address;
            result = CudaDriver.cuMemAlloc_v2(&address, 64);
            CudaDriver.Check(CudaDriver.cuMemFree_v2(address));
        }));
        Assert.That(result, Is.Zero);
    }

    [Test]
    public void A_thread_without_a_context_is_bound_before_a_launch()
    {
        Slice<float> x = Upload(backend, pool, [1f, 2f, 3f, 4f]), y = Upload(backend, pool, new float[4]);
        using var graph = CaptureTwoProducts(x, y);
        int unbound = 0;
        OnAnotherThread(() =>
        {
            CudaEmulator.Unbind();
            unbound = CudaDriver.cuStreamSynchronize(backend.Stream);
            graph.Launch();
        });
        Assert.That(unbound, Is.EqualTo(201));
        Assert.That(Download(backend, y), Is.EqualTo(new float[] { 14, 20, 30, 44 }));
    }

    [Test]
    public void A_kernel_that_fails_is_told_by_a_later_call_and_the_device_stays_failed()
    {
        Slice<float> x = Upload(backend, pool, [1f, 2f, 3f, 4f]), y = Upload(backend, pool, new float[4]);
        CudaEmulator.FailIn("matmul_nn_64x64_v1_tf32");
        try
        {
            Product(x, y);
            Assert.That(() => Product(x, y), Throws.TypeOf<DeviceException>().With.Message.StartsWith(
                "cuLaunchKernel of matmul_nn_64x64_v1_tf32: CUDA_ERROR_LAUNCH_FAILED (719)"));
            Assert.That(CudaDriver.cuStreamSynchronize(backend.Stream), Is.EqualTo(719));
        }
        finally
        {
            CudaEmulator.FailIn(null);
        }
    }

    [Test]
    public unsafe void Copies_and_events_of_a_stream_come_in_order()
    {
        Span<float> from = [1f, 2f, 3f], to = new float[3];
        nint address, before, after;
        float milliseconds;
        CudaDriver.Check(CudaDriver.cuMemAlloc_v2(&address, 12));
        CudaDriver.Check(CudaDriver.cuEventCreate(&before, 0));
        CudaDriver.Check(CudaDriver.cuEventCreate(&after, 0));
        Assert.That(CudaDriver.cuEventElapsedTime(&milliseconds, before, after), Is.EqualTo(400));
        CudaDriver.Check(CudaDriver.cuEventRecord(before, backend.Stream));
        fixed (float* source = from, target = to)
        {
            CudaDriver.Check(CudaDriver.cuMemcpyHtoDAsync_v2(address, source, 12, backend.Stream));
            CudaDriver.Check(CudaDriver.cuMemcpyDtoHAsync_v2(target, address, 12, backend.Stream));
        }
        CudaDriver.Check(CudaDriver.cuEventRecord(after, backend.Stream));
        CudaDriver.Check(CudaDriver.cuEventSynchronize(after));
        CudaDriver.Check(CudaDriver.cuEventElapsedTime(&milliseconds, before, after));
        Assert.That(to.ToArray(), Is.EqualTo(new[] { 1f, 2f, 3f }));
        CudaDriver.Check(CudaDriver.cuEventDestroy_v2(before));
        CudaDriver.Check(CudaDriver.cuEventDestroy_v2(after));
        CudaDriver.Check(CudaDriver.cuMemFree_v2(address));
    }

    private CudaGraph Capture(Action step) => CudaGraph.Capture(CudaEmulator.Bind, backend.Stream, step);

    private void Product(Slice<float> x, Slice<float> y) => backend.Products.MatMul(new(2, 2, 2), x.Address, x.Address, y.Address);

    /// <summary>y = 2 x x.</summary>
    private CudaGraph CaptureTwoProducts(Slice<float> x, Slice<float> y)
    {
        backend.Products.Prepare();
        return Capture(() =>
        {
            Product(x, y);
            backend.Products.MatMul(new(2, 2, 2, Accumulate: true), x.Address, x.Address, y.Address);
        });
    }

    private static void OnAnotherThread(Action what)
    {
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            try
            {
                what();
            }
            catch (Exception e)
            {
                thrown = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.That(thrown, Is.Null);
    }
}
