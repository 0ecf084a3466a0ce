using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>The sum, a + b</summary>
internal readonly struct Add : IBinaryKernel
{
    public static string Name => "add";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V a, V b) where V : struct, IReal<V> => a + b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V> => g;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V> => g;
}

/// <summary>The difference, a - b</summary>
internal readonly struct Subtract : IBinaryKernel
{
    public static string Name => "subtract";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V a, V b) where V : struct, IReal<V> => a - b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V> => g;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V> => -g;
}

/// <summary>The product, a b</summary>
internal readonly struct Multiply : IBinaryKernel
{
    public static string Name => "multiply";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V a, V b) where V : struct, IReal<V> => a * b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V> => g * b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V> => g * a;
}

/// <summary>The quotient, a / b</summary>
internal readonly struct Divide : IBinaryKernel
{
    public static string Name => "divide";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V a, V b) where V : struct, IReal<V> => a / b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V> => g / b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V> =>
        -(g / b * y);
}

/// <summary>The larger of a and b; where they are equal the gradient goes to b</summary>
internal readonly struct Maximum : IBinaryKernel
{
    public static string Name => "maximum";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V a, V b) where V : struct, IReal<V> => V.Max(a, b);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V> =>
        V.SelectLess(b, a, g, V.Broadcast(0f));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V> =>
        V.SelectLess(b, a, V.Broadcast(0f), g);
}

/// <summary>The smaller of a and b; where they are equal the gradient goes to b</summary>
internal readonly struct Minimum : IBinaryKernel
{
    public static string Name => "minimum";
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static V Forward<V>(V a, V b) where V : struct, IReal<V> => V.Min(a, b);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V> =>
        V.SelectLess(a, b, g, V.Broadcast(0f));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V> =>
        V.SelectLess(a, b, V.Broadcast(0f), g);
}

/// <summary>1 where a &lt; b, else 0: a draw u &lt; p is a Bernoulli sample. No gradient.</summary>
internal readonly struct LessThan : IBinaryKernel
{
    public static string Name => "less_than";
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V a, V b) where V : struct, IReal<V> =>
        V.SelectLess(a, b, V.Broadcast(1f), V.Broadcast(0f));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GradientA<V>(V g, V a, V b, V y) where V : struct, IReal<V> =>
        V.Broadcast(0f);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GradientB<V>(V g, V a, V b, V y) where V : struct, IReal<V> =>
        V.Broadcast(0f);
}
