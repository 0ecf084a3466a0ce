using NUnit.Framework;
using VaeFromScratch.Distributed;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Kernels.Gpu.Cuda;
using VaeFromScratch.Tests.Kernels;

namespace VaeFromScratch.Tests.Distributed;

/// <summary>
/// Exchanges over NCCL, on stand-ins for it and for the driver, which write down the calls and refuse memory of another context than
/// NCCL's. No card has run them.
/// </summary>
[Category("Cuda")]
[NonParallelizable]
public sealed class NcclTests
{
    private const int RemoteError = 6, InvalidUsage = 5;

    [SetUp]
    public void Open() => CudaEmulator.Open();

    [TearDown]
    public void Heal()
    {
        CudaEmulator.FailNccl(null);
        CudaEmulator.Unbind();
    }

    [Test]
    public void Each_rank_gets_what_the_other_sends([Values(1, 100, 5000)] int length)
    {
        float[][] received = OnTwoRanks((ranks, compute) =>
        {
            Slice<float> from = compute.Pool.Rent<float>(length + 32), to = compute.Pool.Rent<float>(length + 32);
            // More than what travels as a launch's argument, as ILGPU's kernels do nothing here.
            Upload(compute, from, [.. Enumerable.Range(0, length + 32).Select(i => (float)(1000 * ranks.Rank + i))]);
            Upload(compute, to, new float[length + 32]);
            ranks.Exchange(compute, 1 - ranks.Rank, from.Part(16, length), to.Part(8, length));
            // One way, then the other: again in the same order on both.
            ranks.Exchange(compute, 1 - ranks.Rank, ranks.Rank == 0 ? from.Part(0, 4) : default, ranks.Rank == 0 ? default : to.Part(0, 4));
            var values = new float[length + 32];
            compute.Backend.Download(to, values);
            return values;
        });
        for (int rank = 0; rank < 2; rank++)
        {
            var other = Enumerable.Range(0, length).Select(i => (float)(1000 * (1 - rank) + 16 + i));
            float[] first = rank == 0 ? new float[4] : [0, 1, 2, 3];
            Assert.That(received[rank], Is.EqualTo(first.Concat(new float[4]).Concat(other).Concat(new float[24])));
        }
    }

    [Test]
    public void An_exchange_copies_to_memory_of_the_primary_context_and_back_in_one_group()
    {
        nint from = Floats(10), to = Floats(10);
        NcclLink? link = null;
        string[] opening = CudaEmulator.Record(() => link = new NcclLink(CudaEmulator.Bind, 0, 1, NcclLink.NewId()));
        Assert.That(Names(opening), Is.EqualTo(new[] { "ncclGetUniqueId", "cuCtxSetCurrent", "cuDevicePrimaryCtxRetain",
            "cuCtxPushCurrent_v2", "cuStreamCreate", "ncclCommInitRank", "cuCtxPopCurrent_v2" }));
        Assert.That(opening, Has.One.EqualTo("ncclCommInitRank rank 0 of 1"));
        string[] first = CudaEmulator.Record(() => link!.Exchange(0, from, 10, to, 10, TimeSpan.FromSeconds(10)));
        Assert.That(Names(first), Is.EqualTo(new[] { "cuCtxSetCurrent", "cuCtxPushCurrent_v2", "cuMemAlloc_v2", "cuMemAlloc_v2",
            "cuMemcpyPeerAsync", "ncclGroupStart", "ncclSend", "ncclRecv", "ncclGroupEnd", "cuMemcpyPeerAsync", "cuCtxPopCurrent_v2" }));
        Assert.That(first, Has.One.EqualTo("ncclSend rank 0 to 0, 40 bytes").And.One.EqualTo("ncclRecv rank 0 from 0, 40 bytes")
            .And.One.EqualTo("cuCtxPushCurrent_v2 primary"));
        Assert.That(Names(CudaEmulator.Record(() => link!.Exchange(0, from, 5, to, 5, TimeSpan.FromSeconds(10)))),
            Has.None.EqualTo("cuMemAlloc_v2"), "the buffers are there");
        Assert.That(Names(CudaEmulator.Record(link!.Dispose)), Is.EqualTo(new[] { "cuCtxPushCurrent_v2", "ncclCommDestroy",
            "cuMemFree_v2", "cuMemFree_v2", "cuCtxPopCurrent_v2", "cuDevicePrimaryCtxRelease_v2" }));
        Assert.That(CudaEmulator.Record(link.Dispose), Is.Empty);
        CudaDriver.Check(CudaDriver.cuMemFree_v2(from));
        CudaDriver.Check(CudaDriver.cuMemFree_v2(to));
    }

    [TestCase("ncclCommInitRank", InvalidUsage, "ncclCommInitRank: invalid usage (5), the stand-in was told to")]
    [TestCase("ncclGetUniqueId", InvalidUsage, "ncclGetUniqueId: invalid usage (5)")]
    public void A_link_that_cannot_be_made_is_a_sentence(string call, int error, string sentence)
    {
        CudaEmulator.FailNccl(call, error);
        Assert.That(() => new NcclLink(CudaEmulator.Bind, 0, 1, NcclLink.NewId()),
            Throws.TypeOf<DeviceException>().With.Message.StartsWith(sentence));
        Assert.That(CudaEmulator.Record(CudaEmulator.Bind), Has.One.Items, "the thread has its context back");
    }

    [TestCase("ncclSend", InvalidUsage, "ncclSend: invalid usage (5)")]
    [TestCase("ncclGroupEnd", RemoteError, "ncclGroupEnd: remote process exited or there was a network error (6)")]
    [TestCase("ncclCommGetAsyncError", RemoteError, "NCCL: remote process exited or there was a network error (6)")]
    [TestCase(null, 0, "rank 1 has not answered rank 0 for 1 s")]
    public void A_fault_is_a_sentence_and_aborts_the_link(string? call, int error, string sentence)
    {
        using var compute = new Compute(new GpuBackend(GpuDevice.Open("cuda", 0), Precision.Fp32));
        using var ranks = new NcclCollective(new Lonely());
        Slice<float> from = compute.Pool.Rent<float>(100), to = compute.Pool.Rent<float>(100);
        CudaEmulator.FailNccl(call, error);
        string[] calls = CudaEmulator.Record(() => Assert.That(() => ranks.Exchange(compute, 1, from, to),
            Throws.TypeOf<CollectiveException>().With.Message.Contains(sentence)));
        Assert.That(Names(calls), Has.One.EqualTo("ncclCommAbort"));
        Assert.That(CudaEmulator.Record(ranks.Dispose), Has.None.Contains("ncclCommDestroy"));
    }

    [Test]
    public void Numbers_of_another_device_are_refused() => ThreadRanks.Run(2, (host, compute) =>
    {
        var x = compute.Pool.Rent<float>(10);
        return Assert.Throws<DeviceException>(() => new NcclCollective(host).Exchange(compute, 1 - host.Rank, x, x))!.Message;
    });

    private static T[] OnTwoRanks<T>(Func<ICollective, Compute, T> work) => ThreadRanks.Run(2, (host, _) =>
    {
        CudaEmulator.Bind();
        using var compute = new Compute(new GpuBackend(GpuDevice.Open("cuda", 0), Precision.Fp32));
        using var ranks = new NcclCollective(host);
        return work(ranks, compute);
    });

    private static unsafe nint Floats(int count)
    {
        nint address;
        CudaDriver.Check(CudaDriver.cuMemAlloc_v2(&address, sizeof(float) * (nuint)count));
        return address;
    }

    private static void Upload(Compute compute, Slice<float> to, float[] values) => compute.Backend.Upload<float>(values, to);

    private static string[] Names(string[] calls) => [.. calls.Select(c => c.Split(' ')[0])];

    /// <summary>Rank 0 of two, the other of which never says anything.</summary>
    private sealed class Lonely : ICollective
    {
        public int Rank => 0;

        public int Size => 2;

        public TimeSpan Patience => TimeSpan.FromSeconds(1);

        public void Exchange(int partner, byte[] send, byte[] receive, TimeSpan patience)
        {
        }

        public void Exchange(Compute compute, int partner, Slice<float> send, Slice<float> receive) => throw new NotSupportedException();

        public void Abort(int exitCode) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
