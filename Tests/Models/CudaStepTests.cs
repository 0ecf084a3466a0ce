using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Kernels;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// What a training asks of CUDA's driver, by the record of the library that stands in for it. ILGPU's kernels do nothing there, so that all
/// numbers are wrong.
/// </summary>
[Category("Cuda")]
public sealed class CudaStepTests
{
    private const int Images = 500;

    /// <summary>What <c>vae train</c> trains where nothing is asked for: the convolutional network on MNIST.</summary>
    private static readonly RunConfiguration Usual = ModelCatalogue.Defaults("beta-vae", "mnist", recipe: null);

    /// <param name="most">Launches: each costs some microseconds whatever the batch, so that more are a step back.</param>
    [TestCase(Precision.Fp32, 100, 40)]
    [TestCase(Precision.Tf32, 4, 39)]
    public void A_step_of_the_usual_network_is_one_graph_of_few_launches(Precision precision, int batch, int most)
    {
        using var compute = Open(precision);
        var data = Small.Halves(Images, size: 28);
        using var training = new TrainingData(compute, data, Binarise.None, 1);
        using var model = Small.Create(compute, Usual, data);
        using var trainer = new Trainer(model, training, Usual.With(("batch", batch)));
        string[] calls = CudaEmulator.Record(() => trainer.TrainEpoch(interrupt: () => true));

        int begin = Array.FindIndex(calls, IsCall("cuStreamBeginCapture_v2")), end = Array.FindIndex(calls, IsCall("cuStreamEndCapture"));
        string[] captured = calls[(begin + 1)..end];
        TestContext.Out.WriteLine(string.Join('\n', captured.Select(c => c["cuLaunchKernel ".Length..])));
        Assert.That(captured, Is.All.StartsWith("cuLaunchKernel ").And.All.EndsWith(" captured"), "nothing but launches");
        Assert.That(captured, Has.Length.EqualTo(trainer.CallsPerStep), "and one for each kernel");
        Assert.That(captured.Select(c => c.Split(' ')[1]),
            Has.None.EqualTo("Kernel_Run").And.Some.EqualTo("Kernel_ReduceParts_Optimise_Adam"));
        Assert.That(trainer.CallsPerStep, Is.InRange(1, most));
        string nodes = string.Create(CultureInfo.InvariantCulture, $"nodes {trainer.CallsPerStep}"),
            made = $"cuGraphInstantiateWithFlags {nodes}";
        Assert.That(calls.Where(IsCall("cuGraphInstantiate").Invoke), Is.EqualTo(new[] { made }));

        for (int step = 2; step < 5; step++)
        {
            calls = CudaEmulator.Record(() => trainer.TrainEpoch(interrupt: () => true));
            Assert.That(calls.Where(IsCall("cuGraph").Invoke), Has.One.Items.And.All.StartsWith($"cuGraphLaunch {nodes} "), $"step {step}");
            Assert.That(calls.Where(IsCall("cuStreamBeginCapture_v2").Invoke), Is.Empty, $"step {step}");
        }
        TestContext.Out.WriteLine(string.Join('\n', calls.Prepend("a later step:")));
    }

    [Test]
    public void A_replay_is_one_call_and_allocates_nothing_and_a_collection_before_it_changes_nothing()
    {
        using var compute = Open(Precision.Fp32);
        var data = Small.Halves(20, size: 28);
        using var model = Small.Create(compute, Usual, data);
        using var adam = new Adam(compute, model.Arena);
        var x = compute.Allocate(new(20, 28, 28, 1), data.ToFloats(0, 20));
        using var step = compute.Capture(() => Small.Step(model, x, adam));
        string[] calls = CudaEmulator.Record(() =>
        {
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                step.Replay();
            }
        });
        Assert.That(calls.Where(c => !IsCall("cuCtxSetCurrent")(c)), Has.Exactly(3).Items.And.All.StartsWith("cuGraphLaunch "),
            "no module is unloaded, no memory is freed");

        // The runtime itself allocates now and then, when it compiles a method again.
        long least = long.MaxValue;
        for (int i = 0; i < 10; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            step.Replay();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.That(least, Is.Zero);
        compute.Free(x);
    }

    /// <summary>The default stream cannot be captured, and waits for the others.</summary>
    [Test]
    public void No_call_is_made_on_the_default_stream()
    {
        string[] calls = CudaEmulator.Record(() =>
        {
            using var compute = Open(Precision.Fp32);
            var data = Small.Halves(45);
            var configuration = Small.Configuration().With(("batch", 20));
            using var training = new TrainingData(compute, data, Binarise.None, 1);
            using var model = Small.Create(compute, configuration, data);
            using var trainer = new Trainer(model, training, configuration);
            trainer.TrainEpoch(interrupt: () => true);
            foreach (var parameter in model.Parameters)
                parameter.Value.ToArray();
        });
        Assert.That(calls.Count(c => c.Contains(" stream ", StringComparison.Ordinal)), Is.GreaterThan(20));
        Assert.That(calls, Has.None.Contains(" stream 0"));
        Assert.That(calls.Where(IsCall("cuCtxSynchronize").Invoke), Is.Empty, "and none waits for all streams");
    }

    private static Compute Open(Precision precision)
    {
        CudaEmulator.Open(computeCapability: 90);
        return new(new GpuBackend(GpuDevice.Open("cuda", 0), precision));
    }

    private static Predicate<string> IsCall(string name) => call => call.StartsWith(name, StringComparison.Ordinal);
}
