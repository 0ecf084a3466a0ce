using ILGPU;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Moving images, a thread an entry: the four pixels that it reads are neighbours of the next thread's.</summary>
internal sealed partial class GpuBackend
{
    public void AffineWarp(WarpShape shape, Slice<float> x, Slice<float> motion, Slice<float> y) =>
        Each<AffineWarp, WarpArguments>(Require.AffineWarp(shape, x, motion, y),
            new(View(x), View(motion), View(y), shape.Height, shape.Width, shape.Channels, shape.Reflect ? 1 : 0));
}

internal readonly record struct WarpArguments(ArrayView<float> X, ArrayView<float> Motion, ArrayView<float> Y, int Height, int Width,
    int Channels, int Reflect);

internal readonly struct AffineWarp : IEntry<WarpArguments>
{
    public static void Of(WarpArguments a, int at)
    {
        int pixel = at / a.Channels, line = pixel / a.Width, image = line / a.Height, m = WarpShape.MotionSize * image;
        Lane one = 1f, half = 0.5f, inverse = one / (one + a.Motion[m + 1]);
        Lane mirrored = Intrinsic.Less(0f, a.Motion[m + 5]) ? -inverse : inverse;
        Lane turn = a.Motion[m] - Lane.Round(a.Motion[m]), sine = RealMath.SinCosTwoPi(Lane.Abs(turn), out Lane cosine);
        sine = Intrinsic.Less(turn, 0f) ? -sine : sine;
        Lane centreX = half * (a.Width - 1), centreY = half * (a.Height - 1);
        var source = new WarpSource<Lane>((Lane)(pixel - line * a.Width) - centreX - a.Motion[m + 3],
            (Lane)(line - image * a.Height) - centreY - a.Motion[m + 4],
            sine, cosine, a.Motion[m + 2], inverse, mirrored, centreX, centreY);
        int channel = at - pixel * a.Channels, left = Whole(source.Left), top = Whole(source.Top);
        Lane sum = 0f;
        for (int corner = 0; corner < 4; corner++)
        {
            int i = WarpBorder.Inside(top + (corner >> 1), a.Height, a.Reflect != 0);
            int j = WarpBorder.Inside(left + (corner & 1), a.Width, a.Reflect != 0);
            if (i >= 0 && j >= 0)
                sum += source.Share(corner) * a.X[((image * a.Height + i) * a.Width + j) * a.Channels + channel];
        }
        a.Y[at] = sum;
    }

    /// <summary>As an integer, NaN as 0: what a conversion makes of NaN is the device's own choice.</summary>
    private static int Whole(Lane x) => (int)(float.IsNaN(x.X) ? 0f : x.X);
}
