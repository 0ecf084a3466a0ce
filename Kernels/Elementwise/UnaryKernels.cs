using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Elementwise;

/// <summary>-x</summary>
public readonly struct Negate : IUnaryKernel
{
    public static string Name => "negate";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => -x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => -g;
}

/// <summary>e^x</summary>
public readonly struct Exp : IUnaryKernel
{
    public static string Name => "exp";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => VectorMath.Exp(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g * y;
}

/// <summary>log x, natural</summary>
public readonly struct Log : IUnaryKernel
{
    public static string Name => "log";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => VectorMath.Log(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g / x;
}

/// <summary>log(1 + x)</summary>
public readonly struct Log1p : IUnaryKernel
{
    public static string Name => "log1p";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => VectorMath.Log1p(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g / (V.Broadcast(1f) + x);
}

/// <summary>tanh x</summary>
public readonly struct Tanh : IUnaryKernel
{
    public static string Name => "tanh";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => VectorMath.Tanh(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g * (V.Broadcast(1f) - y * y);
}

/// <summary>1 / (1 + e^-x)</summary>
public readonly struct Sigmoid : IUnaryKernel
{
    public static string Name => "sigmoid";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => VectorMath.Sigmoid(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g * y * (V.Broadcast(1f) - y);
}

/// <summary>log(1 + e^x)</summary>
public readonly struct Softplus : IUnaryKernel
{
    public static string Name => "softplus";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => VectorMath.Softplus(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g * VectorMath.Sigmoid(x);
}

/// <summary>max(x, 0)</summary>
public readonly struct Relu : IUnaryKernel
{
    public static string Name => "relu";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.AtLeast(x, V.Broadcast(0f));
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => V.SelectLess(V.Broadcast(0f), y, g, V.Broadcast(0f));
}

/// <summary>x where x > 0, p x elsewhere; p > 0</summary>
public readonly struct LeakyRelu : IUnaryKernel
{
    public static string Name => "leaky_relu";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.SelectLess(V.Broadcast(0f), x, x, p * x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => V.SelectLess(V.Broadcast(0f), x, g, p * g);
}

/// <summary>x^2</summary>
public readonly struct Square : IUnaryKernel
{
    public static string Name => "square";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => x * x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g * (x + x);
}

/// <summary>sqrt(x)</summary>
public readonly struct Sqrt : IUnaryKernel
{
    public static string Name => "sqrt";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.Sqrt(x);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g * V.Broadcast(0.5f) / y;
}

/// <summary>1 / x</summary>
public readonly struct Reciprocal : IUnaryKernel
{
    public static string Name => "reciprocal";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.Broadcast(1f) / x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => -(g * y * y);
}

/// <summary>|x|; its gradient at 0 is 0</summary>
public readonly struct Abs : IUnaryKernel
{
    public static string Name => "abs";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V>
    {
        V zero = V.Broadcast(0f);
        return V.SelectLess(zero, x, g, V.SelectLess(x, zero, -g, zero));
    }
}

/// <summary>p x</summary>
public readonly struct Scale : IUnaryKernel
{
    public static string Name => "scale";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => p * x;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => p * g;
}

/// <summary>x + p</summary>
public readonly struct AddScalar : IUnaryKernel
{
    public static string Name => "add_scalar";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => x + p;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => g;
}

/// <summary>max(x, p); no gradient where the bound holds</summary>
public readonly struct ClampMin : IUnaryKernel
{
    public static string Name => "clamp_min";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.AtLeast(x, p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => V.SelectLess(p, x, g, V.Broadcast(0f));
}

/// <summary>min(x, p); no gradient where the bound cuts, and the left derivative's 1 at x = p</summary>
public readonly struct ClampMax : IUnaryKernel
{
    public static string Name => "clamp_max";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.AtMost(x, p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => V.SelectLess(p, x, V.Broadcast(0f), g);
}

/// <summary>From a uniform draw to a dropout mask: 0 where x &lt; p, else 1 / (1 - p). No gradient.</summary>
public readonly struct DropoutMask : IUnaryKernel
{
    public static string Name => "dropout_mask";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V x, V p) where V : struct, IVector<V> => V.SelectLess(x, p, V.Broadcast(0f), V.Broadcast(1f) / (V.Broadcast(1f) - p));
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IVector<V> => V.Broadcast(0f);
}
