using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch;

public static partial class Ops
{
    /// <summary>The sum of all elements, a scalar.</summary>
    public static Tensor Sum(this Tensor x) => Sum(x, Shape.Scalar, 1, x.Length, 1, 1);

    /// <summary>The mean of all elements, a scalar.</summary>
    public static Tensor Mean(this Tensor x) => Sum(x, Shape.Scalar, 1, x.Length, 1, 1f / x.Length);

    /// <summary>The sum over one axis, which disappears.</summary>
    public static Tensor Sum(this Tensor x, int axis) => OverAxis(x, axis, mean: false);

    /// <summary>The mean over one axis, which disappears.</summary>
    public static Tensor Mean(this Tensor x, int axis) => OverAxis(x, axis, mean: true);

    /// <summary>The sum over all axes but the first: one value per image, [B].</summary>
    public static Tensor SumPerRow(this Tensor x) => Sum(x, new(x.Shape[0]), x.Shape[0], x.Length / Math.Max(1, x.Shape[0]), 1, 1);

    /// <summary>log sum exp over one axis, which disappears.</summary>
    public static Tensor LogSumExp(this Tensor x, int axis = -1)
    {
        var (outer, n, inner) = Around(x.Shape, axis);
        var tape = Tape.Current;
        var y = Tape.New(x.Shape.Without(axis), x);
        tape.Kernels.LogSumExp(x.Data, outer, n, inner, y.Data);
        tape.Record(y, () =>
        {
            // d/dx = exp(x - y) g, with y and g spread over the axis.
            var weights = tape.Temporary(x.Length);
            tape.Kernels.Spread(y.Data, outer, n, inner, 1, weights);
            tape.Kernels.Binary<Subtract>(x.Data, weights, weights);
            tape.Kernels.Unary<Exp>(weights, weights);
            var g = tape.Temporary(x.Length);
            tape.Kernels.Spread(y.Gradient, outer, n, inner, 1, g);
            tape.Kernels.Binary<Multiply>(weights, g, weights);
            Contribute(x, weights);
        });
        return y;
    }

    /// <summary>The values of a tensor over again along a new last axis of the given size: [..] to [.., count].</summary>
    public static Tensor RepeatEach(this Tensor x, int count) => Repeat(x, x.Shape.Append(count), x.Length, count, 1);

    /// <summary>The values of a tensor over again along a new first axis of the given size: [..] to [count, ..].</summary>
    public static Tensor RepeatRows(this Tensor x, int count) => Repeat(x, new([count, .. x.Shape.Sizes]), 1, count, x.Length);

    private static Tensor Repeat(Tensor x, Shape shape, int outer, int n, int inner)
    {
        var tape = Tape.Current;
        var y = Tape.New(shape, x);
        tape.Kernels.Spread(x.Data, outer, n, inner, 1, y.Data);
        tape.Record(y, () =>
        {
            var dx = x.GradientSink(out bool accumulate);
            tape.Kernels.Sum(y.Gradient, outer, n, inner, 1, dx, accumulate);
        });
        return y;
    }

    private static Tensor OverAxis(Tensor x, int axis, bool mean)
    {
        var (outer, n, inner) = Around(x.Shape, axis);
        return Sum(x, x.Shape.Without(axis), outer, n, inner, mean ? 1f / n : 1);
    }

    private static Tensor Sum(Tensor x, Shape shape, int outer, int n, int inner, float scale)
    {
        var tape = Tape.Current;
        var y = Tape.New(shape, x);
        tape.Kernels.Sum(x.Data, outer, n, inner, scale, y.Data);
        tape.Record(y, () =>
        {
            var dx = x.GradientSink(out bool accumulate);
            tape.Kernels.Spread(y.Gradient, outer, n, inner, scale, dx, accumulate);
        });
        return y;
    }

    /// <summary>Sizes before, at and after an axis.</summary>
    private static (int Outer, int N, int Inner) Around(Shape shape, int axis)
    {
        axis = shape.Axis(axis);
        return (shape.Product(0, axis), shape[axis], shape.Product(axis + 1, shape.Rank));
    }

    /// <summary>Adds computed values to a tensor's gradient.</summary>
    private static void Contribute(Tensor x, Kernels.Slice<float> values)
    {
        var dx = x.GradientSink(out bool accumulate);
        Tape.Current.Kernels.CopyBlock(1, dx.Length, values, dx.Length, dx, dx.Length, accumulate);
    }
}
