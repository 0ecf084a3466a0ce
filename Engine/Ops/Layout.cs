using VaeFromScratch.Kernels;

namespace VaeFromScratch;

public static partial class Ops
{
    /// <summary>Copies the axes into another order: axis d of the result is axis order[d] of x.</summary>
    public static Tensor Permute(this Tensor x, params int[] order)
    {
        int rank = x.Shape.Rank;
        if (order.Length != rank || order.Order().Where((axis, i) => axis != i).Any())
            throw new ShapeException("permute", $"({string.Join(", ", order)}) for {x.Shape}", $"an order of its {rank} axes");
        var sizes = x.Shape.Sizes.ToArray();
        var tape = Tape.Current;
        var y = Tape.New(new Shape([.. order.Select(axis => sizes[axis])]), x);
        tape.Kernels.Permute(x.Data, sizes, order, y.Data);
        tape.Record(y, () =>
        {
            var back = tape.Temporary(x.Length);
            tape.Kernels.Permute(y.Gradient, y.Shape.Sizes, [.. Enumerable.Range(0, rank).OrderBy(axis => order[axis])], back);
            Contribute(x, back);
        });
        return y;
    }

    /// <summary>Elements start .. start + size - 1 of an axis.</summary>
    public static Tensor Slice(this Tensor x, int axis, int start, int size)
    {
        var (outer, n, inner) = Around(x.Shape, axis);
        if (start < 0 || size < 0 || start > n - size)
            throw new ShapeException("slice", $"elements {start} to {(long)start + size} on axis {axis} of {x.Shape}", $"0 to {n} at most");
        var tape = Tape.Current;
        var y = Tape.New(x.Shape.With(axis, size), x);
        int stride = n * inner, width = size * inner, reach = outer == 0 ? 0 : (outer - 1) * stride + width;
        tape.Kernels.CopyBlock(outer, width, x.Data.Part(start * inner, reach), stride, y.Data, width);
        tape.Record(y, () =>
        {
            var dx = x.GradientSink(out bool accumulate);
            if (!accumulate)
                tape.Kernels.Fill(dx, 0);
            tape.Kernels.CopyBlock(outer, width, y.Gradient, width, dx.Part(start * inner, reach), stride, accumulate: true);
        });
        return y;
    }

    /// <summary>Tensors one after another along an axis; the other axes agree.</summary>
    public static Tensor Concat(int axis, params Tensor[] parts)
    {
        var first = parts[0].Shape;
        axis = first.Axis(axis);
        foreach (var part in parts)
            if (part.Shape.Rank != first.Rank || part.Shape.With(axis, 0) != first.With(axis, 0))
                throw new ShapeException("concat", $"{part.Shape} after {first} along axis {axis}", "all other sizes to be equal");
        var tape = Tape.Current;
        var y = Tape.New(first.With(axis, parts.Sum(p => p.Shape[axis])), parts);
        var (outer, n, inner) = Around(y.Shape, axis);
        int stride = n * inner;
        ForEachPart((part, offset, width, reach) =>
            tape.Kernels.CopyBlock(outer, width, part.Data, width, y.Data.Part(offset, reach), stride));
        tape.Record(y, () => ForEachPart((part, offset, width, reach) =>
        {
            if (!part.NeedsGradient)
                return;
            var dx = part.GradientSink(out bool accumulate);
            tape.Kernels.CopyBlock(outer, width, y.Gradient.Part(offset, reach), stride, dx, width, accumulate);
        }));
        return y;

        void ForEachPart(Action<Tensor, int, int, int> action)
        {
            int offset = 0;
            foreach (var part in parts)
            {
                int width = part.Shape[axis] * inner;
                action(part, offset, width, outer == 0 ? 0 : (outer - 1) * stride + width);
                offset += width;
            }
        }
    }

    /// <summary>
    /// Each image under its own rotation, scale, shear, shift and mirror about the centre, bilinear between pixels; no gradient flows
    /// through it.
    /// </summary>
    /// <param name="x">[B, H, W, C].</param>
    /// <param name="motion">For each image: rotation in turns, scale - 1, shear, shift right and down in pixels, mirror left to right where
    /// positive, [B, 6].</param>
    /// <param name="reflect">Whether what lies outside of an image is its mirror image, or 0.</param>
    public static Tensor AffineWarp(this Tensor x, Tensor motion, bool reflect = false)
    {
        if (x.Shape.Rank != 4 || motion.Shape != new Shape(x.Shape[0], WarpShape.MotionSize))
            throw new ShapeException("affine_warp", $"images {x.Shape} and motion {motion.Shape}",
                $"[batch, height, width, channels] and [batch, {WarpShape.MotionSize}]");
        var y = Tape.Current.Empty(x.Shape);
        Tape.Current.Kernels.AffineWarp(new(x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], reflect), x.Data, motion.Data, y.Data);
        return y;
    }

    /// <summary>The same values, through which no gradient flows.</summary>
    public static Tensor Detach(this Tensor x)
    {
        var y = Tape.New(x.Shape);
        Tape.Current.Kernels.CopyBlock(1, x.Length, x.Data, x.Length, y.Data, x.Length);
        return y;
    }
}
