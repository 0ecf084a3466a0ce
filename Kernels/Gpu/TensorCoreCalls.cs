using ILGPU.Runtime;
using VaeFromScratch.Kernels.Gpu.TensorCores;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Where products and convolutions leave ILGPU: on NVIDIA's tensor cores, on the same stream and memory.</summary>
internal sealed partial class GpuBackend
{
    private readonly TensorCoreProducts? tensorCores;

    /// <summary>How products and convolutions multiply: tf32 or bf16 on tensor cores, else fp32.</summary>
    public Precision Precision { get; }

    /// <summary>Makes, or records, a call on the tensor cores, where there are any.</summary>
    /// <returns>Whether there are; else the call is ILGPU's.</returns>
    private bool OnTensorCores(Action<TensorCoreProducts> call)
    {
        if (tensorCores is null)
            return false;
        tensorCores.Preferred = Preferred;
        if (recording is { } list)
            list.Add(new TensorCoreCall(tensorCores, call));
        else
        {
            call(tensorCores);
            Launches++;
        }
        return true;
    }

    private sealed class TensorCoreCall(TensorCoreProducts products, Action<TensorCoreProducts> call) : Launchable
    {
        public override void Launch(AcceleratorStream stream) => call(products);
    }
}
