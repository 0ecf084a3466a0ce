using System.Numerics;

namespace VaeFromScratch.Kernels.Gpu.TensorCores;

/// <summary>As ProductShape in src/product.cuh.</summary>
internal readonly struct ProductShape(int m, int n, int k)
{
    public readonly int M = m, N = n, K = k;
}

/// <summary>As ConvGeometry in src/product.cuh.</summary>
/// <param name="channelsOfK">The channels that k runs over.</param>
internal readonly struct ConvGeometry(ConvShape shape, int channelsOfK)
{
    public readonly int Batch = shape.Batch, Height = shape.Height, Width = shape.Width, InChannels = shape.InChannels,
        OutChannels = shape.OutChannels, KernelHeight = shape.KernelHeight, KernelWidth = shape.KernelWidth, Stride = shape.Stride,
        Padding = shape.Padding, OutHeight = shape.OutHeight, OutWidth = shape.OutWidth;
    public readonly Divider ByChannels = new(channelsOfK), ByOutWidth = new(shape.OutWidth), ByOutHeight = new(shape.OutHeight);
}

/// <summary>As Epilogue in src/product.cuh: what happens to a finished sum, and how blocks share one.</summary>
internal struct Epilogue
{
    public nint C, Bias, ReluMask, Partial, Tickets;
    public uint Steps, Group;
    public int Relu, Accumulate, Vectors;
}

/// <summary>Division by a number known before the launch, as one multiplication on the device: right for dividends below 2^31.</summary>
internal readonly struct Divider
{
    public readonly uint Divisor, Multiplier, Shift;

    public Divider(int divisor)
    {
        Divisor = (uint)divisor;
        if (divisor == 1)
            return;
        int bits = 32 - BitOperations.LeadingZeroCount((uint)divisor - 1);
        Multiplier = (uint)((1ul << (31 + bits)) / (uint)divisor + 1);
        Shift = (uint)bits - 1;
    }
}
