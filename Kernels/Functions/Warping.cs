using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>The place between four pixels from which an image that moves takes a pixel.</summary>
internal readonly struct WarpSource<V> where V : struct, IReal<V>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>The upper left of the four pixels, whole numbers that fit an int (or NaN), and the shares of the lower right one.</summary>
    public readonly V Left, Top, RightShare, BottomShare;

    /// <summary>The inverse motion: shift, rotation, shear, scale and mirror undone in this order.</summary>
    /// <param name="across">The pixel's place from the centre, the shift undone; likewise <paramref name="down"/>.</param>
    /// <param name="inverse">1 / scale.</param>
    /// <param name="mirrored">The same, negative where the image is mirrored.</param>
    [MethodImpl(Inline)]
    public WarpSource(V across, V down, V sine, V cosine, V shear, V inverse, V mirrored, V centreX, V centreY)
    {
        V turned = cosine * down - sine * across;
        V x = mirrored * (cosine * across + sine * down - shear * turned) + centreX, y = inverse * turned + centreY;
        V left = Floor(x), top = Floor(y);
        (RightShare, BottomShare) = (x - left, y - top);
        (Left, Top) = (Within(left), Within(top));
    }

    /// <summary>The share of a corner: bit 0 says right, bit 1 says bottom.</summary>
    [MethodImpl(Inline)]
    public V Share(int corner) =>
        ((corner & 2) != 0 ? BottomShare : V.Broadcast(1f) - BottomShare) * ((corner & 1) != 0 ? RightShare : V.Broadcast(1f) - RightShare);

    [MethodImpl(Inline)]
    private static V Floor(V x)
    {
        V nearest = V.Round(x);
        return V.SelectLess(x, nearest, nearest - V.Broadcast(1f), nearest);
    }

    [MethodImpl(Inline)] private static V Within(V x) => V.AtMost(V.AtLeast(x, V.Broadcast(-(1 << 30))), V.Broadcast(1 << 30));
}

/// <summary>What lies beyond an image's border.</summary>
internal static class WarpBorder
{
    /// <summary>The place inside an image that coordinate <paramref name="i"/> stands for; -1 for none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Inside(int i, int size, bool reflect)
    {
        if (i >= 0 && i < size)
            return i;
        if (!reflect || size < 2)
            return -1;
        int period = 2 * size - 2, at = (i % period + period) % period;
        return at < size ? at : period - at;
    }
}
