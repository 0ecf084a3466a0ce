using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch;

/// <summary>Operations on tensors with their gradients. Names follow PyTorch where it has the operation.</summary>
public static partial class Ops
{
    // The function and its gradient are one struct in Kernels/Functions; adding one there and a line here is all the Engine needs.

    public static Tensor Negate(this Tensor x) => Unary<Negate>(x);
    public static Tensor Exp(this Tensor x) => Unary<Exp>(x);
    public static Tensor Log(this Tensor x) => Unary<Log>(x);
    public static Tensor Log1p(this Tensor x) => Unary<Log1p>(x);
    public static Tensor Tanh(this Tensor x) => Unary<Tanh>(x);
    public static Tensor Sigmoid(this Tensor x) => Unary<Sigmoid>(x);
    public static Tensor Softplus(this Tensor x) => Unary<Softplus>(x);
    public static Tensor Relu(this Tensor x) => Unary<Relu>(x);
    public static Tensor LeakyRelu(this Tensor x, float slope = 0.01f) => Unary<LeakyRelu>(x, slope);
    public static Tensor Silu(this Tensor x) => Unary<Silu>(x);
    public static Tensor GeluTanh(this Tensor x) => Unary<GeluTanh>(x);
    public static Tensor Square(this Tensor x) => Unary<Square>(x);
    public static Tensor Sqrt(this Tensor x) => Unary<Sqrt>(x);
    public static Tensor Reciprocal(this Tensor x) => Unary<Reciprocal>(x);
    public static Tensor Abs(this Tensor x) => Unary<Abs>(x);
    public static Tensor Scale(this Tensor x, float factor) => Unary<Scale>(x, factor);
    public static Tensor AddScalar(this Tensor x, float summand) => Unary<AddScalar>(x, summand);
    public static Tensor ClampMin(this Tensor x, float bound) => Unary<ClampMin>(x, bound);
    public static Tensor ClampMax(this Tensor x, float bound) => Unary<ClampMax>(x, bound);

    public static Tensor Add(this Tensor a, Tensor b) => Binary<Add>(a, b);
    public static Tensor Subtract(this Tensor a, Tensor b) => Binary<Subtract>(a, b);
    public static Tensor Multiply(this Tensor a, Tensor b) => Binary<Multiply>(a, b);
    public static Tensor Divide(this Tensor a, Tensor b) => Binary<Divide>(a, b);
    public static Tensor Maximum(this Tensor a, Tensor b) => Binary<Maximum>(a, b);
    public static Tensor Minimum(this Tensor a, Tensor b) => Binary<Minimum>(a, b);

    private static Tensor Unary<K>(Tensor x, float parameter = 0) where K : struct, IUnaryKernel
    {
        var tape = Tape.Current;
        var y = Tape.New(x.Shape, x);
        tape.Kernels.Unary<K>(x.Data, y.Data, parameter);
        tape.Record(y, () =>
        {
            var dx = x.GradientSink(out bool accumulate);
            tape.Kernels.UnaryGradient<K>(y.Gradient, x.Data, y.Data, dx, accumulate, parameter);
        });
        return y;
    }

    /// <summary>Shapes are equal, or one is a scalar or the trailing axes of the other.</summary>
    private static Tensor Binary<K>(Tensor a, Tensor b) where K : struct, IBinaryKernel
    {
        if (!a.Shape.IsSuffixOf(b.Shape) && !b.Shape.IsSuffixOf(a.Shape))
            throw new ShapeException(K.Name, $"shapes {a.Shape} and {b.Shape}",
                "shapes that broadcast: equal ones, or one that is a scalar or the trailing axes of the other");
        var tape = Tape.Current;
        var y = Tape.New(b.Shape.IsSuffixOf(a.Shape) ? a.Shape : b.Shape, a, b);
        tape.Kernels.Binary<K>(a.Data, b.Data, y.Data);
        tape.Record(y, () =>
        {
            if (a.NeedsGradient)
            {
                var da = a.GradientSink(out bool accumulate);
                tape.Kernels.BinaryGradient<K>(true, y.Gradient, a.Data, b.Data, y.Data, da, accumulate);
            }
            if (b.NeedsGradient)
            {
                var db = b.GradientSink(out bool accumulate);
                tape.Kernels.BinaryGradient<K>(false, y.Gradient, a.Data, b.Data, y.Data, db, accumulate);
            }
        });
        return y;
    }
}
