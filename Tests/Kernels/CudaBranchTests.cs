using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Kernels.Elementwise;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Captured steps with branches. The emulator runs what no edge orders in any order, so that a missing edge shows in the results.</summary>
[Category("Cuda")]
public sealed unsafe class CudaBranchTests
{
    private const int Reverse = 1, Orders = 3;

    private CudaBackend branched = null!;

    [OneTimeSetUp]
    public void Open() => branched = CudaEmulator.OpenBranched();

    [OneTimeTearDown]
    public void Close() => branched?.Dispose();

    [TearDown]
    public void Forward() => CudaEmulator.Configure();

    /// <summary>
    /// Each array is written before the kernel, and copied and overwritten after it. Were one that the kernel reads not declared, it would be overwritten too early or written too late; were one that
    /// it writes declared as read only, it would be copied too early.
    /// </summary>
    [TestCaseSource(nameof(Operations))]
    public void Launches_declare_what_they_touch(string operation)
    {
        const int Most = 12;
        KernelCase[] cases = [.. KernelCases.All().Where(c => c.Operation == operation)];
        for (int i = 0; i < cases.Length; i += (cases.Length + Most - 1) / Most)
            DeclaresWhatItTouches(cases[i]);
    }

    private static IEnumerable<string> Operations() => KernelCases.All().Select(c => c.Operation).Distinct();

    private void DeclaresWhatItTouches(KernelCase kernelCase)
    {
        using var made = CaseContext.Prepare(branched, kernelCase);
        using var pool = new BufferPool(branched);
        Slice<float>[] arrays = [.. made.Buffers.Where(b => b.Length > 0)], before = Array.ConvertAll(arrays, Rent), after = Array.ConvertAll(arrays, Rent);
        for (int i = 0; i < arrays.Length; i++)
            Copy(branched, arrays[i], before[i]);
        using var step = branched.Capture(b =>
        {
            for (int i = 0; i < arrays.Length; i++)
                Copy(b, before[i], arrays[i]);
            made.Call!(b);
            for (int i = 0; i < arrays.Length; i++)
                Copy(b, arrays[i], after[i]);
            foreach (var array in arrays)
                b.Fill(array, 0);
        });
        uint[][] inOrder = Replay(order: 0), reversed = Replay(Reverse);
        for (int i = 0; i < arrays.Length; i++)
            Assert.That(reversed[i].AsSpan().SequenceEqual(inOrder[i]), $"{kernelCase}: array {i} of {arrays[i].Length}");

        Slice<float> Rent(Slice<float> like) => pool.Rent<float>(like.Length);

        uint[][] Replay(int order)
        {
            CudaEmulator.Configure(order);
            step.Replay();
            return Array.ConvertAll(after, slice =>
            {
                var words = new uint[slice.Length];
                branched.Download(new Slice<uint>(slice.Address, slice.Length), words);
                return words;
            });
        }
    }

    [Test]
    public void Memory_that_a_launch_does_not_declare_is_noticed()
    {
        using var pool = new BufferPool(branched);
        Slice<float> x = Upload(pool, [1, 2, 3, 4]), y = Upload(pool, new float[4]), z = Upload(pool, new float[3]);
        // Writes as many numbers as x has, and says that it writes one.
        using var step = branched.Capture(b =>
        {
            b.Unary<Scale>(x, new(y.Address, 1), 2);
            b.Unary<Scale>(y.Part(1, 3), z, 1);
        });
        Assert.That(step.LongestChain, Is.EqualTo(1));
        CudaEmulator.Configure(Reverse);
        step.Replay();
        Assert.That(Download(z), Is.EqualTo(new float[] { 0, 0, 0 }));
        CudaEmulator.Configure();
        step.Replay();
        Assert.That(Download(z), Is.EqualTo(new float[] { 4, 6, 8 }));
    }

    [Test]
    public void Sums_side_by_side_have_scratch_memory_of_their_own_and_wait_for_what_they_sum([Range(0, Orders - 1)] int order)
    {
        const int N = 40_000, Count = LaunchOrder.Lanes + 3;
        using var pool = new BufferPool(branched);
        var ones = Upload(pool, [.. Enumerable.Repeat(1f, N)]);
        Slice<float>[] x = [.. Enumerable.Range(0, Count).Select(_ => pool.Rent<float>(N))], sums = [.. Enumerable.Range(0, Count).Select(_ => pool.Rent<float>(1))];
        using var step = branched.Capture(b =>
        {
            for (int i = 0; i < Count; i++)
                b.Unary<Scale>(ones, x[i], i + 1);
            for (int i = 0; i < Count; i++)
                b.Sum(x[i], 1, N, 1, 1, sums[i]);
        });
        Assert.That(step.Calls, Is.EqualTo(2 * Count));
        Assert.That(step.LongestChain, Is.EqualTo(3));
        CudaEmulator.Configure(order);
        for (int replay = 0; replay < 2; replay++)
        {
            step.Replay();
            Assert.That(sums.Select(s => Download(s)[0]), Is.EqualTo(Enumerable.Range(1, Count).Select(i => (float)i * N)));
        }
    }

    [Test]
    public void A_weight_gradient_that_waits_for_its_bias_gradient_joins_it_and_runs_beside_the_data_gradient([Values] bool convolution)
    {
        using var pool = new BufferPool(branched);
        var shape = new ConvShape(8, 6, 6, 8, 8, 3, 3, 1, 1);
        int rows = convolution ? shape.OutSize / shape.OutChannels : 64;
        float[] values = [.. Enumerable.Range(0, shape.OutSize).Select(i => i % 11 * 0.1f)];
        Slice<float> x = Upload(pool, values), g = Upload(pool, values), w = Upload(pool, values[..shape.WeightSize]);
        Slice<float> dx = Upload(pool, values), dw = Upload(pool, new float[shape.WeightSize]), db = Upload(pool, new float[8]);
        using var step = branched.Capture(b =>
        {
            if (convolution)
                b.Conv2dBackwardWeight(shape, x, g, dw, false);
            else
                b.MatMul(new(8, 8, rows, TransposeA: true), x.Part(0, 8 * rows), g.Part(0, 8 * rows), dw.Part(0, 64));
            b.BiasGradient(rows, 8, g.Part(0, 8 * rows), db, false);
            if (convolution)
                b.Conv2dBackwardData(shape, g, w, dx);
            else
                b.MatMul(new(rows, 8, 8, TransposeB: true), g.Part(0, 8 * rows), w.Part(0, 64), dx.Part(0, 8 * rows));
        });
        Assert.That((step.Calls, step.LongestChain), Is.EqualTo((2, 1)));
    }

    [Test]
    public void A_step_with_branches_that_cannot_be_captured_leaves_the_device_as_it_was()
    {
        using var pool = new BufferPool(branched);
        var x = Upload(pool, [1f]);
        Assert.That(() => branched.Capture(b =>
        {
            b.Fill(x, 7);
            b.Download(x, new float[1]);
        }), Throws.InvalidOperationException.With.Message.StartsWith("download: not possible while a step is being captured"));
        Assert.That(Download(x), Is.EqualTo(new[] { 1f }));
        branched.Fill(x, 5);
        Assert.That(Download(x), Is.EqualTo(new[] { 5f }));
    }

    [Test]
    public void A_kernel_that_fails_in_a_step_with_branches_fails_the_device()
    {
        using var cuda = CudaEmulator.OpenBranched();
        using var pool = new BufferPool(cuda);
        var x = pool.Rent<float>(1);
        using var step = cuda.Capture(b => b.Fill(x, 1));
        CudaEmulator.FailIn("fill");
        try
        {
            step.Replay();
            Assert.That(cuda.Synchronise, Throws.TypeOf<DeviceException>().With.Message.Contains("CUDA_ERROR_LAUNCH_FAILED"));
        }
        finally
        {
            CudaEmulator.FailIn(null);
        }
    }

    [TestCase(75)]
    [TestCase(80)]
    [TestCase(120)]
    public void Branches_are_for_every_card_and_off_unless_asked_for(int computeCapability)
    {
        using (var plain = CudaEmulator.Open(computeCapability: computeCapability))
            Assert.That(plain.Branches, Is.False);
        using var cuda = CudaEmulator.OpenBranched(computeCapability: computeCapability);
        Assert.That(cuda.Branches);
        using var pool = new BufferPool(cuda);
        Slice<float> x = pool.Rent<float>(1), y = pool.Rent<float>(1);
        using var step = cuda.Capture(b =>
        {
            b.Fill(x, 1);
            b.Fill(y, 2);
        });
        Assert.That((step.Calls, step.LongestChain), Is.EqualTo((2, 1)));
    }

    [Test]
    public void Branches_and_launches_that_overlap_exclude_one_another()
    {
        Assert.That(() => CudaEmulator.With("VAE_CUDA_BRANCHES", () => CudaEmulator.OpenOverlapping()), Throws.TypeOf<DeviceException>().With.Message
            .EqualTo("VAE_CUDA_OVERLAP=1 and VAE_CUDA_BRANCHES=1 exclude one another: take VAE_CUDA_OVERLAP away for steps with branches, or VAE_CUDA_BRANCHES for launches that overlap"));
    }

    [Test]
    public void The_emulator_refuses_nodes_that_the_driver_would_refuse()
    {
        const int Success = 0, InvalidValue = 1;
        CudaEmulator.Configure();
        var driver = CudaDriver.Load(CudaEmulator.Path);
        using var context = new CudaContext(driver, 0);
        using var module = CudaModule.Load(context, "memory");
        nint fill = module.Function("fill"), graph, other, node, otherNode, result;
        ulong address = 0;
        uint n = 0;
        float value = 0;
        void** arguments = stackalloc void*[] { &address, &n, &value };
        Assert.That((driver.GraphCreate(&graph, 0), driver.GraphCreate(&other, 0)), Is.EqualTo((Success, Success)));
        var plain = new KernelNode { Function = fill, GridX = 1, GridY = 1, GridZ = 1, BlockX = 256, BlockY = 1, BlockZ = 1, Parameters = arguments };
        Assert.That((Add(graph, [], plain, &node), Add(other, [], plain, &otherNode)), Is.EqualTo((Success, Success)));
        Assert.That(Add(graph, [node], plain, &result), Is.EqualTo(Success));
        Assert.That(Add(graph, [otherNode], plain, &result), Is.EqualTo(InvalidValue), "a node of another graph");
        Assert.That(Add(graph, [node, node], plain, &result), Is.EqualTo(InvalidValue), "a node twice");
        Assert.That(Add(graph, [], plain with { GridX = 0 }, &result), Is.EqualTo(InvalidValue), "no blocks");
        Assert.That(Add(graph, [], plain with { SharedBytes = 64 << 10 }, &result), Is.EqualTo(InvalidValue), "more shared memory than the kernel may have");
        Assert.That(driver.GraphCreate(&result, 1), Is.EqualTo(InvalidValue), "flags");
        driver.GraphDestroy(graph);
        driver.GraphDestroy(other);

        int Add(nint to, ReadOnlySpan<nint> dependencies, KernelNode parameters, nint* added)
        {
            fixed (nint* first = dependencies)
                return driver.GraphAddKernelNode(added, to, first, (nuint)dependencies.Length, &parameters);
        }
    }

    private Slice<float> Upload(BufferPool pool, float[] values)
    {
        var slice = pool.Rent<float>(values.Length);
        branched.Upload<float>(values, slice);
        return slice;
    }

    private float[] Download(Slice<float> slice)
    {
        var values = new float[slice.Length];
        branched.Download<float>(slice, values);
        return values;
    }

    private static void Copy(IBackend backend, Slice<float> from, Slice<float> to) => backend.CopyBlock(1, from.Length, from, from.Length, to, to.Length);
}
