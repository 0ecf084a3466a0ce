using NUnit.Framework;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Kernels;
using VaeFromScratch.Tests.Models;

namespace VaeFromScratch.Tests.Engine;

/// <summary>Hidden layers that a device stores in bf16: who reads them gets the same numbers and gradients, whatever else reads them too.</summary>
[Category("Cuda")]
public sealed class CompactTensorTests
{
    private const int Rows = 5, Inputs = 8, Hidden = 12, Outputs = 4;

    /// <summary>What reads the hidden layer, in this order; the backward pass comes to them in the reverse one.</summary>
    private static readonly Dictionary<string, Func<Tensor, Tensor, Tensor>> Readers = new()
    {
        ["a product"] = (h, w) => h.Linear(w, null).Sum(),
        ["arithmetic"] = (h, w) => (h * h).Sum(),
        ["a product, then arithmetic"] = (h, w) => h.Linear(w, null).Sum() + (h * h).Sum(),
        ["arithmetic, then a product"] = (h, w) => (h * h).Sum() + h.Linear(w, null).Sum(),
        ["two products"] = (h, w) => h.Linear(w, null).Sum() + (h.Linear(w, null) * 3).Sum(),
        ["a product of a view"] = (h, w) => h.Reshape(Rows, 1, 1, Hidden).Reshape(Rows, Hidden).Linear(w, null).Sum(),
        ["a product of tensors"] = (h, w) => h.MatMul(w).Sum(),
        ["itself"] = (h, w) => h.Sum() * 2,
    };

    public static IEnumerable<string> Cases => Readers.Keys;

    [TestCaseSource(nameof(Cases))]
    public void Every_reader_contributes_to_the_gradient(string reader)
    {
        float[] onCpu = Gradients(new CpuBackend(1), reader, out float expected), onCuda = Gradients(CudaEmulator.Open(Precision.Bf16), reader, out float loss);
        Assert.That(loss, Is.EqualTo(expected).Within(0.02f * Math.Abs(expected)));
        float largest = onCpu.Max(Math.Abs);
        Assert.That(largest, Is.Positive);
        for (int i = 0; i < onCpu.Length; i++)
            Assert.That(onCuda[i], Is.EqualTo(onCpu[i]).Within(0.02f * largest), $"gradient {i}");
    }

    [Test]
    public void A_training_step_keeps_activations_in_half_the_memory()
    {
        long tf32 = BytesOfStep(Precision.Tf32), bf16 = BytesOfStep(Precision.Bf16);
        Assert.That((double)bf16 / tf32, Is.InRange(0.5, 0.65));
    }

    private static float[] Gradients(IBackend backend, string reader, out float loss)
    {
        using var compute = new Compute(backend);
        var random = new Random(7);
        float[] values = Numbers(Rows * Inputs), first = Numbers(Inputs * Hidden), second = Numbers(Hidden * Outputs);
        float[] gradients;
        using (var tape = new Tape(compute))
        {
            var x = tape.Constant(new(Rows, Inputs), values, needsGradient: true);
            Tensor w = tape.Constant(new(Inputs, Hidden), first, needsGradient: true), v = tape.Constant(new(Hidden, Outputs), second, needsGradient: true);
            var h = x.Linear(w, null, new LayerOutput(Activation.Relu, Compact: true));
            Assert.That(h.Values.Storage, Is.EqualTo(backend.CompactStorage));
            var sum = Readers[reader](h, v);
            tape.Backward(sum);
            loss = sum.Item();
            gradients = [.. x.GradientToArray(), .. w.GradientToArray(), .. v.GradientToArray()];
        }
        Assert.That(compute.Pool.Outstanding, Is.Zero);
        return gradients;

        float[] Numbers(int n) => [.. Enumerable.Range(0, n).Select(_ => (float)(2 * random.NextDouble() - 1))];
    }

    private static long BytesOfStep(Precision precision)
    {
        using var compute = new Compute(CudaEmulator.Open(precision));
        var configuration = Small.Configuration() with { Network = "conv", Batch = 16, Latents = 8, Noise = "fixed:0.05" };
        var data = Small.Halves(16, 28);
        using var training = new TrainingData(compute, data, "none", 1);
        using var model = Small.Create(compute, configuration, data);
        using var step = compute.Capture(() =>
        {
            using var outer = new Tape(compute, gradients: false, training: true);
            var x = training.Gather(compute.Pool.Rent<int>(16), model.Rng);
            using var tape = new Tape(compute);
            tape.Backward(model.Objective(x).Seeds());
        });
        return step.Bytes;
    }
}
