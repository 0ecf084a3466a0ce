namespace VaeFromScratch.Kernels.Gpu;

/// <summary>The kernels that a matrix product or a convolution can run in, each where it fits.</summary>
internal enum ProductKernel
{
    /// <summary>128 x 128 of the result a group; convolutions on tensor cores have 128 x 64.</summary>
    LargeTile,

    /// <summary>64 x 64; convolutions on tensor cores have 128 x 32.</summary>
    SmallTile,

    /// <summary>On tensor cores, the small tile that loads single floats, which fits every size and address.</summary>
    SingleFloats,

    /// <summary>In fp32, gradients of convolutions whose image has at most four channels, without tiles.</summary>
    FewChannels,
}

/// <summary>Which kernel a product runs in. The rules choose; for measuring the rules, another can be asked for.</summary>
internal sealed partial class GpuBackend
{
    private (ProductKernel Kernel, string Name) lastProduct;

    /// <summary>
    /// The kernel of products and convolutions wherever it fits, whatever the rules say; null, as it is at first, for the rules.
    /// </summary>
    public ProductKernel? Preferred { get; set; }

    /// <summary>The kernel, and its name, that the last product or convolution was launched in.</summary>
    public (ProductKernel Kernel, string Name) LastProduct => tensorCores?.Last ?? lastProduct;

    private bool UsesLargeTile(int m, int n, int phases)
    {
        bool large = Preferred == ProductKernel.LargeTile
            || (Preferred != ProductKernel.SmallTile && IsLarge(m, n, phases));
        lastProduct = large ? (ProductKernel.LargeTile, "128x128") : (ProductKernel.SmallTile, "64x64");
        return large;
    }

    private bool UsesFewChannels(ConvShape shape) => shape.InChannels <= FewChannels && Preferred is null or ProductKernel.FewChannels;
}
