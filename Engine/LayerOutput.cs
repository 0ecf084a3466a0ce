using VaeFromScratch.Kernels;

namespace VaeFromScratch.Engine;

/// <summary>What becomes of the result of a linear layer or a convolution.</summary>
/// <param name="Activation">Applied to it before it is stored.</param>
/// <param name="Compact">
/// Only products and convolutions read it, so that the device may store it, and its gradient, in fewer bytes (<see cref="IBackend.CompactStorage"/>). Anything else may read it too, from a
/// float32 copy that costs more than was saved.
/// </param>
public readonly record struct LayerOutput(Activation Activation, bool Compact = false)
{
    public Storage StorageOn(IBackend device) => Compact ? device.CompactStorage : Storage.Float32;

    public static implicit operator LayerOutput(Activation activation) => new(activation);
}
