using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>The negative, -x</summary>
internal readonly struct Negate : IUnaryKernel
{
    public static string Name => "negate";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => -x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> => -g;
}

/// <summary>The exponential, e^x</summary>
internal readonly struct Exp : IUnaryKernel
{
    public static string Name => "exp";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => RealMath.Exp(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> => g * y;
}

/// <summary>log x, natural</summary>
internal readonly struct Log : IUnaryKernel
{
    public static string Name => "log";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => RealMath.Log(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> => g / x;
}

/// <summary>log(1 + x)</summary>
internal readonly struct Log1p : IUnaryKernel
{
    public static string Name => "log1p";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => RealMath.Log1p(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        g / (V.Broadcast(1f) + x);
}

/// <summary>The hyperbolic tangent, tanh x</summary>
internal readonly struct Tanh : IUnaryKernel
{
    public static string Name => "tanh";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => RealMath.Tanh(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        g * (V.Broadcast(1f) - y * y);
}

/// <summary>1 / (1 + e^-x)</summary>
internal readonly struct Sigmoid : IUnaryKernel
{
    public static string Name => "sigmoid";
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V> =>
        RealMath.Sigmoid(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        g * y * (V.Broadcast(1f) - y);
}

/// <summary>log(1 + e^x)</summary>
internal readonly struct Softplus : IUnaryKernel
{
    public static string Name => "softplus";
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V> =>
        RealMath.Softplus(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        g * RealMath.Sigmoid(x);
}

/// <summary>max(x, 0)</summary>
internal readonly struct Relu : IUnaryKernel
{
    public static string Name => "relu";
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V> =>
        V.AtLeast(x, V.Broadcast(0f));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        V.SelectLess(V.Broadcast(0f), y, g, V.Broadcast(0f));
}

/// <summary>x where x > 0, p x elsewhere; p > 0</summary>
internal readonly struct LeakyRelu : IUnaryKernel
{
    public static string Name => "leaky_relu";
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V> =>
        V.SelectLess(V.Broadcast(0f), x, x, p * x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        V.SelectLess(V.Broadcast(0f), x, g, p * g);
}

/// <summary>x sigmoid(x), also called swish</summary>
internal readonly struct Silu : IUnaryKernel
{
    public static string Name => "silu";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V>
    {
        // e^x in two halves, so that a subnormal result is rounded once; below -208 the result is 0, at -infinity too.
        V half = RealMath.Exp(V.Broadcast(-0.5f) * V.Abs(x)), r = V.Broadcast(1f) / V.Fma(half, half, V.Broadcast(1f));
        return V.SelectLess(x, V.Broadcast(0f), V.AtLeast(x, V.Broadcast(-208f)) * half * (half * r), x * r);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> => g * V.Fma(y, RealMath.Sigmoid(-x), RealMath.Sigmoid(x));
}

/// <summary>
/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2: the tanh approximation of x Phi(x), PyTorch's gelu(approximate='tanh')
/// </summary>
internal readonly struct GeluTanh : IUnaryKernel
{
    // (1 + tanh(v / 2)) / 2 is sigmoid(v), here with v = A x + B x^3. Beyond the bound it is 0 or 1.
    private const double A = 1.5957691216057308, B = A * 0.044715;
    private const float LowA = (float)(A - (float)A), Bound = 12f;

    public static string Name => "gelu_tanh";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V>
    {
        // The rounding of v is a relative error of the result where that is small: v is kept in two floats.
        V c = Clamp(x), square = c * c, b = V.Broadcast((float)B), cube = b * square;
        V high = V.Broadcast((float)A), low = V.Fma(b, V.Fma(c, c, -square), V.Fma(b, square, -cube)) + V.Broadcast(LowA);
        TwoSum.Add(ref high, ref low, cube);
        V v = c * high, rest = V.Fma(c, low, V.Fma(c, high, -v));
        V s = RealMath.Sigmoid(v);
        return V.AtLeast(x, V.Broadcast(-Bound)) * V.Fma(s * (V.Broadcast(1f) - s), rest, s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V>
    {
        V c = Clamp(x), square = c * c, a = V.Broadcast((float)A);
        V v = c * V.Fma(V.Broadcast((float)B), square, a), slope = V.Fma(V.Broadcast((float)(3 * B)), square, a), s = RealMath.Sigmoid(v);
        return g * V.Fma(c * s * RealMath.Sigmoid(-v), slope, s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Clamp<V>(V x) where V : struct, IReal<V> => V.AtMost(V.AtLeast(x, V.Broadcast(-Bound)), V.Broadcast(Bound));
}

/// <summary>The square, x^2</summary>
internal readonly struct Square : IUnaryKernel
{
    public static string Name => "square";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => x * x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        g * (x + x);
}

/// <summary>The square root, sqrt(x)</summary>
internal readonly struct Sqrt : IUnaryKernel
{
    public static string Name => "sqrt";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => V.Sqrt(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        g * V.Broadcast(0.5f) / y;
}

/// <summary>The reciprocal, 1 / x</summary>
internal readonly struct Reciprocal : IUnaryKernel
{
    public static string Name => "reciprocal";
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V> =>
        V.Broadcast(1f) / x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        -(g * y * y);
}

/// <summary>|x|; its gradient at 0 is 0</summary>
internal readonly struct Abs : IUnaryKernel
{
    public static string Name => "abs";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => V.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V>
    {
        V zero = V.Broadcast(0f);
        return V.SelectLess(zero, x, g, V.SelectLess(x, zero, -g, zero));
    }
}

/// <summary>The product with a parameter, p x</summary>
internal readonly struct Scale : IUnaryKernel
{
    public static string Name => "scale";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => p * x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> => p * g;
}

/// <summary>The sum with a parameter, x + p</summary>
internal readonly struct AddScalar : IUnaryKernel
{
    public static string Name => "add_scalar";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => x + p;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> => g;
}

/// <summary>max(x, p); no gradient where the bound holds</summary>
internal readonly struct ClampMin : IUnaryKernel
{
    public static string Name => "clamp_min";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => V.AtLeast(x, p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        V.SelectLess(p, x, g, V.Broadcast(0f));
}

/// <summary>min(x, p); no gradient where the bound cuts, and the left derivative's 1 at x = p</summary>
internal readonly struct ClampMax : IUnaryKernel
{
    public static string Name => "clamp_max";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IReal<V> => V.AtMost(x, p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        V.SelectLess(p, x, V.Broadcast(0f), g);
}

/// <summary>From a uniform draw to a dropout mask: 0 where x &lt; p, else 1 / (1 - p). No gradient.</summary>
internal readonly struct DropoutMask : IUnaryKernel
{
    public static string Name => "dropout_mask";
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V> =>
        V.SelectLess(x, p, V.Broadcast(0f), V.Broadcast(1f) / (V.Broadcast(1f) - p));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V> =>
        V.Broadcast(0f);
}
