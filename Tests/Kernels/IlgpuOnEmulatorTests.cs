using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Kernels.Gpu.Cuda;
using VaeFromScratch.Kernels.Gpu.TensorCores;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>ILGPU on the stand-in for the driver: tensor cores share its context and its stream, and a step of both is one graph.</summary>
[Category("Cuda")]
public sealed class IlgpuOnEmulatorTests
{
    private static void Twice(Index1D i, ArrayView<float> x) => x[i] *= 2;

    [Test]
    public void A_step_of_ILGPU_kernels_and_tensor_cores_is_captured_as_one_graph([Values(80, 90)] int computeCapability)
    {
        CudaEmulator.Open(computeCapability);
        DriverLibrary.ResolveFor(typeof(Context).Assembly);
        using var context = Context.Create(b => b.Cuda().Optimize(OptimizationLevel.O2));
        var device = context.GetCudaDevices()[0];
        var architecture = device.Architecture!.Value;
        Assert.That(10 * architecture.Major + architecture.Minor, Is.EqualTo(computeCapability));
        Assert.That(device.NumMultiprocessors, Is.EqualTo(computeCapability == 90 ? 132 : 108));
        using var accelerator = device.CreateCudaAccelerator(context);
        using var stream = (CudaStream)accelerator.CreateStream();
        using var x = accelerator.Allocate1D<float>(4);
        using var y = accelerator.Allocate1D<float>(4);
        var twice = accelerator.LoadAutoGroupedKernel<Index1D, ArrayView<float>>(Twice);
        using var products = new TensorCoreProducts(accelerator.Bind, stream.StreamPtr, 4, Precision.Tf32);
        products.Prepare();
        x.View.CopyFromCPU(stream, [1f, 2f, 3f, 4f]);

        void Step()
        {
            twice(stream, 4, x.View);
            products.MatMul(new(2, 2, 2), x.NativePtr, x.NativePtr, y.NativePtr);
        }

        Step();
        CudaGraph graph = null!;
        string[] calls = CudaEmulator.Record(() => graph = CudaGraph.Capture(accelerator.Bind, stream.StreamPtr, Step));
        using (graph)
        {
            Assert.That(calls.Select(c => c.Split(' ')[0]), Is.EqualTo(new[]
                { "cuStreamBeginCapture_v2", "cuLaunchKernel", "cuLaunchKernel", "cuStreamEndCapture", "cuGraphInstantiateWithFlags" }));
            Assert.That(calls.Where(c => c.StartsWith("cuLaunchKernel", StringComparison.Ordinal)), Is.All.EndsWith(" captured"));
            Assert.That(graph.Nodes, Is.EqualTo(2));
            Assert.That(CudaEmulator.Record(graph.Launch), Has.One.Items);
        }
        // ILGPU's kernel does nothing here, ours does.
        Assert.That(y.GetAsArray1D(stream), Is.EqualTo(new[] { 7f, 10f, 15f, 22f }));
        GC.KeepAlive(twice);
    }
}
