using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Max pooling of NHWC images: a thread makes one entry of the output, or of the input's gradient.</summary>
internal sealed partial class GpuBackend
{
    public void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax) =>
        Each<MaxPool, PoolArguments>(Require.MaxPool(shape, x, y, argmax),
            new(View(x), View(y), View(argmax), shape, shape.OutHeight, shape.OutWidth, 0));

    public void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate) =>
        Each<MaxPoolGradient, PoolArguments>(Require.MaxPoolGradient(shape, g, argmax, dx),
            new(View(dx), View(g), View(argmax), shape, shape.OutHeight, shape.OutWidth, accumulate ? 1 : 0));
}

/// <param name="X">The input, or its gradient.</param>
/// <param name="Y">The output, or its gradient.</param>
internal readonly record struct PoolArguments(ArrayView<float> X, ArrayView<float> Y, ArrayView<int> Argmax, PoolShape Shape, int OutHeight,
    int OutWidth, int Accumulate);

/// <summary>Where entry i of NHWC images stands.</summary>
internal readonly record struct Pixel(int Image, int Row, int Column, int Channel)
{
    public static Pixel Of(int i, int height, int width, int channels)
    {
        int at = i / channels, line = at / width, image = line / height;
        return new(image, line - image * height, at - line * width, i - at * channels);
    }
}

internal readonly struct MaxPool : IEntry<PoolArguments>
{
    public static void Of(PoolArguments a, int i)
    {
        var shape = a.Shape;
        var to = Pixel.Of(i, a.OutHeight, a.OutWidth, shape.Channels);
        int top = to.Image * shape.Height + to.Row * shape.Stride, left = to.Column * shape.Stride;
        int where = (top * shape.Width + left) * shape.Channels + to.Channel, line = where;
        float best = a.X[where];
        for (int h = 0; h < shape.Kernel; h++, line += shape.Width * shape.Channels)
            for (int w = 0, from = line; w < shape.Kernel; w++, from += shape.Channels)
            {
                // NaN counts as larger than anything, so that it is not hidden.
                float x = a.X[from];
                int hidden = float.IsNaN(best) ? 0 : float.IsNaN(x) ? 1 : 0;
                where = Intrinsic.Less(best, x) || hidden != 0 ? from : where;
                best = where == from ? x : best;
            }
        a.Y[i] = best;
        a.Argmax[i] = where;
    }
}

/// <summary>A pixel collects from every window that covers it, in the windows' order: no atomic additions.</summary>
internal readonly struct MaxPoolGradient : IEntry<PoolArguments>
{
    public static void Of(PoolArguments a, int i)
    {
        var shape = a.Shape;
        var at = Pixel.Of(i, shape.Height, shape.Width, shape.Channels);
        Lane sum = a.Accumulate != 0 ? a.X[i] : 0f;
        int lastRow = IntrinsicMath.Min(a.OutHeight - 1, at.Row / shape.Stride),
            lastColumn = IntrinsicMath.Min(a.OutWidth - 1, at.Column / shape.Stride);
        for (int row = First(at.Row, shape); row <= lastRow; row++)
            for (int column = First(at.Column, shape); column <= lastColumn; column++)
            {
                int window = ((at.Image * a.OutHeight + row) * a.OutWidth + column) * shape.Channels + at.Channel;
                sum = a.Argmax[window] == i ? sum + a.Y[window] : sum;
            }
        a.X[i] = sum;
    }

    /// <summary>The first window, along one axis, that reaches a pixel.</summary>
    private static int First(int pixel, PoolShape shape) => pixel < shape.Kernel ? 0 : (pixel - shape.Kernel) / shape.Stride + 1;
}
