using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Functions of one and two tensors, entry by entry: a thread makes one entry.</summary>
internal sealed partial class GpuBackend
{
    public void Unary<K>(Slice<float> x, Slice<float> y, float parameter) where K : struct, IUnaryKernel =>
        Each<Unary<K>, UnaryArguments>(Require.Unary<K>(x, y), new(View(x), View(y), parameter));

    public void UnaryGradient<K>(Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float parameter)
        where K : struct, IUnaryKernel
    {
        // An operand that this gradient does not read may be absent; the kernel then loads g in its place.
        var arguments = new UnaryGradientArguments(View(g), View(x.IsAbsent ? g : x), View(y.IsAbsent ? g : y), View(dx),
            parameter, accumulate ? 1 : 0);
        Each<UnaryGradient<K>, UnaryGradientArguments>(Require.UnaryGradient<K>(g, x, y, dx), arguments);
    }

    public void Binary<K>(Slice<float> a, Slice<float> b, Slice<float> y) where K : struct, IBinaryKernel =>
        Each<Binary<K>, BinaryArguments>(Require.Binary<K>(a, b, y), new(View(a), View(b), View(y), a.Length, b.Length, y.Length));

    public void BinaryGradient<K>(bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d, bool accumulate)
        where K : struct, IBinaryKernel
    {
        Require.BinaryGradient<K>(ofA, g, a, b, y, d);
        if (ofA)
            BinaryGradient<GradientOfA<K>>(g, a.IsAbsent ? g : a, b.IsAbsent ? g : b, y.IsAbsent ? g : y, d, accumulate);
        else
            BinaryGradient<GradientOfB<K>>(g, a.IsAbsent ? g : a, b.IsAbsent ? g : b, y.IsAbsent ? g : y, d, accumulate);
    }

    private void BinaryGradient<O>(Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d, bool accumulate)
        where O : struct, IOneGradient
    {
        var operands =
            new BinaryGradientArguments(View(g), View(a), View(b), View(y), View(d), a.Length, b.Length, g.Length, accumulate ? 1 : 0);
        if (d.Length == g.Length)
            Each<BinaryGradient<O>, BinaryGradientArguments>(g.Length, operands);
        else
            Sum<RepeatedGradient<O>, BinaryGradientArguments>(operands, 1, g.Length / d.Length, d.Length, 1, d, accumulate);
    }

    public void ReluMask(Slice<float> y, Slice<float> g) =>
        Each<ReluMask, UnaryArguments>(Require.ReluMask(y, g), new(View(y), View(g), 0));
}

internal readonly record struct UnaryArguments(ArrayView<float> X, ArrayView<float> Y, float Parameter);

internal readonly struct Unary<K> : IEntry<UnaryArguments> where K : struct, IUnaryKernel
{
    public static void Of(UnaryArguments a, int i) => a.Y[i] = K.Forward<Lane>(a.X[i], a.Parameter);
}

internal readonly record struct UnaryGradientArguments(ArrayView<float> G, ArrayView<float> X, ArrayView<float> Y, ArrayView<float> D,
    float Parameter, int Accumulate);

internal readonly struct UnaryGradient<K> : IEntry<UnaryGradientArguments> where K : struct, IUnaryKernel
{
    public static void Of(UnaryGradientArguments a, int i) =>
        Store.To(a.D, i, K.Gradient<Lane>(a.G[i], a.X[i], a.Y[i], a.Parameter), a.Accumulate);
}

internal readonly record struct BinaryArguments(ArrayView<float> A, ArrayView<float> B, ArrayView<float> Y, int LengthOfA, int LengthOfB,
    int N);

internal readonly struct Binary<K> : IEntry<BinaryArguments> where K : struct, IBinaryKernel
{
    public static void Of(BinaryArguments a, int i) =>
        a.Y[i] = K.Forward<Lane>(a.A[a.LengthOfA == a.N ? i : i % a.LengthOfA], a.B[a.LengthOfB == a.N ? i : i % a.LengthOfB]);
}

/// <summary>One of a binary function's two gradients.</summary>
internal interface IOneGradient
{
    static abstract Lane Of(Lane g, Lane a, Lane b, Lane y);
}

internal readonly struct GradientOfA<K> : IOneGradient where K : struct, IBinaryKernel
{
    public static Lane Of(Lane g, Lane a, Lane b, Lane y) => K.GradientA(g, a, b, y);
}

internal readonly struct GradientOfB<K> : IOneGradient where K : struct, IBinaryKernel
{
    public static Lane Of(Lane g, Lane a, Lane b, Lane y) => K.GradientB(g, a, b, y);
}

internal readonly record struct BinaryGradientArguments(
    ArrayView<float> G, ArrayView<float> A, ArrayView<float> B, ArrayView<float> Y, ArrayView<float> D, int LengthOfA, int LengthOfB, int N,
        int Accumulate);

internal readonly struct BinaryGradient<O> : IEntry<BinaryGradientArguments> where O : struct, IOneGradient
{
    public static void Of(BinaryGradientArguments a, int i) =>
        Store.To(a.D, i, RepeatedGradient<O>.At(a, i, i % IntrinsicMath.Min(a.LengthOfA, a.LengthOfB)), a.Accumulate);
}

/// <summary>The gradient of an operand, before it is summed over the operand's repeats where it is broadcast.</summary>
internal readonly struct RepeatedGradient<O> : ISource<BinaryGradientArguments> where O : struct, IOneGradient
{
    public static Lane At(BinaryGradientArguments a, int i, int column) =>
        O.Of(a.G[i], a.A[a.LengthOfA == a.N ? i : column], a.B[a.LengthOfB == a.N ? i : column], a.Y[i]);
}

internal readonly struct ReluMask : IEntry<UnaryArguments>
{
    public static void Of(UnaryArguments a, int i) => a.Y[i] = Intrinsic.Less(0f, a.X[i]) ? a.Y[i] : 0f;
}

/// <summary>How results are stored.</summary>
internal static class Store
{
    public static void To(ArrayView<float> y, int i, Lane value, int accumulate) => y[i] = accumulate != 0 ? y[i] + value : value;
}
