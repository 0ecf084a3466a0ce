using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>
/// Two vectors whose operations take turns. A long formula is one chain in which each operation waits for the one before; the processor
/// looks ahead only so far, so that two chains one after the other wait twice, and abreast once.
/// </summary>
/// <remarks>For vectors of one register, of which there are 32: of more the compiler makes copies in memory, many times slower.</remarks>
internal readonly struct Abreast<V>(V a, V b) : IReal<Abreast<V>> where V : struct, IReal<V>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public readonly V A = a;
    public readonly V B = b;

    [MethodImpl(Inline)]
    public static Abreast<V> Broadcast(float value)
    {
        V both = V.Broadcast(value);
        return new(both, both);
    }

    [MethodImpl(Inline)] public static Abreast<V> operator +(Abreast<V> x, Abreast<V> y) => new(x.A + y.A, x.B + y.B);
    [MethodImpl(Inline)] public static Abreast<V> operator -(Abreast<V> x, Abreast<V> y) => new(x.A - y.A, x.B - y.B);
    [MethodImpl(Inline)] public static Abreast<V> operator *(Abreast<V> x, Abreast<V> y) => new(x.A * y.A, x.B * y.B);
    [MethodImpl(Inline)] public static Abreast<V> operator /(Abreast<V> x, Abreast<V> y) => new(x.A / y.A, x.B / y.B);
    [MethodImpl(Inline)] public static Abreast<V> operator -(Abreast<V> x) => new(-x.A, -x.B);
    [MethodImpl(Inline)]
    public static Abreast<V> Fma(Abreast<V> x, Abreast<V> y, Abreast<V> z) =>
        new(V.Fma(x.A, y.A, z.A), V.Fma(x.B, y.B, z.B));
    [MethodImpl(Inline)] public static Abreast<V> Min(Abreast<V> x, Abreast<V> y) => new(V.Min(x.A, y.A), V.Min(x.B, y.B));
    [MethodImpl(Inline)] public static Abreast<V> Max(Abreast<V> x, Abreast<V> y) => new(V.Max(x.A, y.A), V.Max(x.B, y.B));
    [MethodImpl(Inline)]
    public static Abreast<V> AtLeast(Abreast<V> x, Abreast<V> bound) =>
        new(V.AtLeast(x.A, bound.A), V.AtLeast(x.B, bound.B));
    [MethodImpl(Inline)]
    public static Abreast<V> AtMost(Abreast<V> x, Abreast<V> bound) =>
        new(V.AtMost(x.A, bound.A), V.AtMost(x.B, bound.B));
    [MethodImpl(Inline)] public static Abreast<V> Abs(Abreast<V> x) => new(V.Abs(x.A), V.Abs(x.B));
    [MethodImpl(Inline)] public static Abreast<V> Sqrt(Abreast<V> x) => new(V.Sqrt(x.A), V.Sqrt(x.B));
    [MethodImpl(Inline)] public static Abreast<V> Round(Abreast<V> x) => new(V.Round(x.A), V.Round(x.B));
    [MethodImpl(Inline)]
    public static Abreast<V> SelectLess(Abreast<V> x, Abreast<V> y, Abreast<V> yes, Abreast<V> no) =>
        new(V.SelectLess(x.A, y.A, yes.A, no.A), V.SelectLess(x.B, y.B, yes.B, no.B));
    [MethodImpl(Inline)]
    public static Abreast<V> ScaleByPowerOfTwo(Abreast<V> p, Abreast<V> n) =>
        new(V.ScaleByPowerOfTwo(p.A, n.A), V.ScaleByPowerOfTwo(p.B, n.B));
    [MethodImpl(Inline)]
    public static Abreast<V> ScaleNormalByPowerOfTwo(Abreast<V> p, Abreast<V> n) =>
        new(V.ScaleNormalByPowerOfTwo(p.A, n.A), V.ScaleNormalByPowerOfTwo(p.B, n.B));
    [MethodImpl(Inline)] public static Abreast<V> TopBits(Abreast<V> words) => new(V.TopBits(words.A), V.TopBits(words.B));

    [MethodImpl(Inline)]
    public static Abreast<V> SplitExponent(Abreast<V> x, out Abreast<V> exponent)
    {
        V a = V.SplitExponent(x.A, out V ofA), b = V.SplitExponent(x.B, out V ofB);
        exponent = new(ofA, ofB);
        return new(a, b);
    }
}
