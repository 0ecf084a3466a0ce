using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>An elementwise function of one tensor, y = f(x), with its gradient on the next line.</summary>
/// <remarks><c>p</c> is a constant of the call (a factor, a slope, a bound); kernels that need none ignore it.</remarks>
public interface IUnaryKernel
{
    /// <summary>The name in messages and of the row in a profile.</summary>
    static abstract string Name { get; }
    static abstract V Forward<V>(V x, V p) where V : struct, IReal<V>;
    /// <summary>
    /// The gradient with respect to x, given the gradient g of y. Kinks take the left derivative's value, relu'(0) = 0; |x| takes 0.
    /// </summary>
    static abstract V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V>;
}

/// <summary>An elementwise function of two tensors, y = f(a, b), with both gradients.</summary>
public interface IBinaryKernel
{
    static abstract string Name { get; }
    static abstract V Forward<V>(V a, V b) where V : struct, IReal<V>;
    static abstract V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V>;
    static abstract V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V>;
}
