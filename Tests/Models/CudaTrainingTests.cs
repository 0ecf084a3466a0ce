using NUnit.Framework;
using VaeFromScratch.Engine;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Kernels;

namespace VaeFromScratch.Tests.Models;

/// <summary>Training on CUDA, run by the emulator: the same batches and noise as on the CPU, so nearly the same curve; each step one graph.</summary>
[Category("Cuda")]
public sealed class CudaTrainingTests
{
    public static IEnumerable<string> Models => ModelCatalogue.All.Select(m => m.Name);

    [TestCase("mlp:32", 8)]
    [TestCase("conv:8,8", 12)]
    public void A_hundred_steps_follow_the_CPUs_curve_in_fp32(string network, int size)
    {
        var configuration = Small.Configuration() with { Network = network, Batch = 16, Epochs = 20, Noise = "fixed:0.05" };
        double[] cpu = Curve(new CpuBackend(2), configuration, size, images: 80, out _), cuda = Curve(CudaEmulator.Open(), configuration, size, images: 80, out _);
        Assert.That(cpu, Has.Length.EqualTo(20));
        for (int i = 0; i < cpu.Length; i++)
            Assert.That(cuda[i], Is.EqualTo(cpu[i]).Within(1e-3 * Math.Max(1, Math.Abs(cpu[i]))), $"epoch {i + 1}");
    }

    [TestCase(Precision.Fp32, 1e-3)]
    [TestCase(Precision.Tf32, 2e-2)]
    [TestCase(Precision.Bf16, 5e-2)]
    public void Steps_of_the_convolutional_net_follow_the_CPUs_curve_and_are_replayed_from_one_graph(Precision precision, double tolerance)
    {
        var configuration = Small.Configuration() with { Network = "conv", Batch = 16, Epochs = 5, Noise = "fixed:0.05", Latents = 8 };
        double[] cpu = Curve(new CpuBackend(2), configuration, size: 28, images: 16, out _), cuda = Curve(CudaEmulator.Open(precision), configuration, size: 28, images: 16, out int calls);
        for (int i = 0; i < cpu.Length; i++)
            Assert.That(cuda[i], Is.EqualTo(cpu[i]).Within(tolerance * Math.Max(1, Math.Abs(cpu[i]))), $"step {i + 1}");
        TestContext.Out.WriteLine($"kernel launches in a step: {calls}");
        Assert.That(calls, Is.InRange(1, 40));
        var branched = Train(CudaEmulator.OpenBranched(precision), configuration, size: 28, images: 16);
        TestContext.Out.WriteLine($"one after another with branches: {branched.LongestChain}");
        Assert.That(branched.Calls, Is.EqualTo(calls));
        Assert.That(branched.LongestChain, Is.InRange(1, calls - 4));
    }

    [TestCase("mlp:32", Precision.Fp32)]
    [TestCase("conv:8,8", Precision.Tf32)]
    public void Launches_that_overlap_train_with_the_same_bits(string network, Precision precision)
    {
        var configuration = Small.Configuration() with { Network = network, Batch = 16, Epochs = 3 };
        double[] plain = Curve(CudaEmulator.Open(precision), configuration, size: 12, images: 32, out _), overlapping = Curve(CudaEmulator.OpenOverlapping(precision), configuration, size: 12, images: 32, out _);
        Assert.That(overlapping, Is.EqualTo(plain));
    }

    [Test]
    public void Steps_with_branches_train_with_the_same_bits_in_whatever_order_their_kernels_run(
        [Values("beta-vae mlp:32", "beta-vae conv:8,8", "imae mlp:32", "exon mlp:32")] string modelAndNetwork, [Values(Precision.Fp32, Precision.Tf32)] Precision precision)
    {
        string model = modelAndNetwork.Split(' ')[0], network = modelAndNetwork.Split(' ')[1];
        var configuration = Small.Configuration(model) with { Network = network, Batch = 16, Epochs = 3 };
        var plain = Train(CudaEmulator.Open(precision), configuration, size: 12, images: 32);
        Assert.That(plain.LongestChain, Is.EqualTo(plain.Calls));
        for (int order = 0; order < 3; order++)
        {
            var cuda = CudaEmulator.OpenBranched(precision);
            CudaEmulator.Configure(order);
            var branched = Train(cuda, configuration, size: 12, images: 32);
            Assert.That(branched.Curve, Is.EqualTo(plain.Curve), $"order {order}");
            Assert.That(branched.Parameters.AsSpan().SequenceEqual(plain.Parameters), $"parameters, order {order}");
            Assert.That(branched.Calls, Is.EqualTo(plain.Calls));
            Assert.That(branched.LongestChain, Is.InRange(1, plain.Calls - 1));
            TestContext.Out.WriteLine($"{branched.Calls} launches, {branched.LongestChain} one after another");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void Every_model_trains_as_on_the_CPU(string model)
    {
        var configuration = Small.Configuration(model) with { Batch = 10, Epochs = 2 };
        double[] cpu = Curve(new CpuBackend(2), configuration, size: 8, images: 20, out _), cuda = Curve(CudaEmulator.Open(), configuration, size: 8, images: 20, out _);
        Assert.That(cpu, Has.Length.EqualTo(2));
        for (int i = 0; i < cpu.Length; i++)
            Assert.That(cuda[i], Is.EqualTo(cpu[i]).Within(1e-3 * Math.Max(1, Math.Abs(cpu[i]))), $"epoch {i + 1}");
    }

    private sealed record Trained(double[] Curve, float[] Parameters, int Calls, int LongestChain);

    private static double[] Curve(IBackend backend, RunConfiguration configuration, int size, int images, out int calls)
    {
        var trained = Train(backend, configuration, size, images);
        calls = trained.Calls;
        return trained.Curve;
    }

    private static Trained Train(IBackend backend, RunConfiguration configuration, int size, int images)
    {
        using var compute = new Compute(backend);
        var data = Small.Halves(images, size);
        using var training = new TrainingData(compute, data, "none", 1);
        using var model = Small.Create(compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        var curve = new List<double>();
        while (!trainer.IsFinished)
            curve.Add(trainer.TrainEpoch()!.Terms.First(t => t.Name == "loss").Value);
        var parameters = new float[model.Arena.Values.Length];
        compute.Backend.Download<float>(model.Arena.Values, parameters);
        return new([.. curve], parameters, trainer.CallsPerStep, trainer.LongestChainOfStep);
    }
}
