using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Every kernel of the GPU backend, on the device that VAE_TEST_DEVICE names, OpenCL by default (on CI a CPU's: PoCL).</summary>
[TestFixture, Category("Gpu")]
public sealed class GpuKernelTests
{
    private static IEnumerable<string> Operations => OnGpu.Operations;

    private static GpuBackend Backend => OnGpu.Backend;

    [TestCaseSource(nameof(Operations))]
    public void Kernel_matches_the_reference(string operation) => OnGpu.All(operation, kernelCase =>
    {
        using var result = CaseContext.Evaluate(Backend, kernelCase);
        return result.Failures.Count == 0 ? null : string.Join("; ", result.Failures);
    });

    [TestCaseSource(nameof(Operations))]
    public void A_call_stays_on_the_device_and_repeats_to_the_bit_eager_or_replayed(string operation) => OnGpu.All(operation, kernelCase =>
    {
        using var context = OnGpu.Prepare(kernelCase);
        var held = OnGpu.Words(context);
        var (copies, launches) = (Backend.HostCopies, Backend.Launches);
        context.Call!(Backend);
        if (Backend.HostCopies != copies)
            return "the call copies between host and device";
        long launched = Backend.Launches - launches;
        var called = OnGpu.Words(context);
        if (launched == 0 && OnGpu.Difference(held, called, "") is not null)
            return "something was computed, but nothing launched: is it computed on the host?";

        OnGpu.Restore(context, held);
        copies = Backend.HostCopies;
        using var captured = Backend.Capture(context.Call);
        captured.Replay();
        if (Backend.HostCopies != copies)
            return "the replayed call copies between host and device";
        var replayed = OnGpu.Words(context);

        OnGpu.Restore(context, held);
        context.Call(Backend);
        return OnGpu.Difference(called, replayed, "replayed") ?? OnGpu.Difference(called, OnGpu.Words(context), "called again");
    });

    /// <summary>
    /// Kernels that take four floats at a time may do so only at addresses that allow it, and must compute the same by other means
    /// elsewhere.
    /// </summary>
    [TestCaseSource(nameof(Operations))]
    public void Arrays_may_begin_anywhere(string operation) => OnGpu.All(operation, kernelCase =>
    {
        using CaseContext aligned = OnGpu.Prepare(kernelCase), odd = OnGpu.Prepare(kernelCase, skip: 1);
        aligned.Call!(Backend);
        odd.Call!(Backend);
        var comparable = odd.Buffers.Zip(OnGpu.Words(aligned)).Where(pair => pair.First.Address % sizeof(float) == 0)
            .Select(pair => pair.Second).ToList();
        return OnGpu.Difference(comparable, OnGpu.Words(odd), "one element on");
    });

    [Test]
    public void The_catalogue_has_the_kernels_that_the_cases_launch_and_no_others()
    {
        OnGpu.CallTheRest();
        Assert.That(Backend.CopyBandwidth(), Is.Positive);
        Assert.That(Backend.FmaPeak(), Is.Positive);
        Assert.That(Backend.Compiled.Select(c => c.Kernel), Is.EquivalentTo(KernelCatalogue.Kernels.Keys));
    }

    [Test]
    public void A_replayed_step_allocates_nothing()
    {
        var contexts = Operations.Select(operation => OnGpu.Prepare(OnGpu.CasesOf(operation).First())).ToList();
        using var step = Backend.Capture(b => contexts.ForEach(c => c.Call!(b)));
        Assert.That(step.Calls, Is.GreaterThanOrEqualTo(contexts.Count));
        for (int i = 0; i < 3; i++)
            step.Replay();
        Backend.Synchronise();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 3; i++)
            step.Replay();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Backend.Synchronise();
        contexts.ForEach(c => c.Dispose());
    }

    [Test]
    public void What_waits_is_refused_inside_a_captured_step()
    {
        using var pool = new BufferPool(Backend);
        var x = DeviceArrays.Upload(Backend, pool, [1, 2, 3]);
        foreach (Action<IBackend> call in new Action<IBackend>[] { b => b.Upload<float>([1], x), b => b.Download(x, new float[3]),
            b => b.Synchronise(), b => b.Capture(_ => { }) })
            Assert.That(() => Backend.Capture(call),
                Throws.InvalidOperationException.With.Message.Contains("while a step is being captured"));
        Assert.That(DeviceArrays.Download(Backend, x), Is.EqualTo(new[] { 1f, 2, 3 }), "and the backend works on");
    }

    [Test]
    public void A_device_with_its_clock_times_calls_and_others_refuse()
    {
        using var timed = Device.OpenTimed(Backend.Name);
        using var pool = new BufferPool(timed);
        Slice<float> few = pool.Rent<float>(1 << 10), many = pool.Rent<float>(1 << 22);
        double little = timed.DeviceSeconds(b => b.Fill(few, 1)), much = timed.DeviceSeconds(b => b.Fill(many, 1));
        Assert.That(little, Is.Positive);
        Assert.That(much, Is.GreaterThan(little));
        Assert.That(() => Backend.DeviceSeconds(_ => { }), Throws.TypeOf<NotSupportedException>());
        Assert.That(() => Device.OpenTimed("cpu"), Throws.TypeOf<DeviceException>().With.Message.Contains("no clock of its own"));
    }

    [Test]
    public void Freed_memory_is_named()
    {
        nint address = Backend.Allocate(64);
        Backend.Free(address, 64);
        Assert.That(() => Backend.Fill(new(address, 16), 1),
            Throws.ArgumentException.With.Message.Contains("not in this device's memory, or was freed"));
    }
}
