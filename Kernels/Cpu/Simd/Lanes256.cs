using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Sixteen lanes in two AVX2 registers.</summary>
internal readonly struct Lanes256(Vector256<float> lower, Vector256<float> upper) : IVector<Lanes256>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private readonly Vector256<float> l = lower;
    private readonly Vector256<float> u = upper;

    [MethodImpl(Inline)]
    public static Lanes256 Broadcast(float value)
    {
        var v = Vector256.Create(value);
        return new(v, v);
    }

    [MethodImpl(Inline)] public static unsafe Lanes256 Load(float* source) => new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(Inline)]
    public static unsafe void Store(Lanes256 value, float* destination)
    {
        value.l.Store(destination);
        value.u.Store(destination + 8);
    }

    [MethodImpl(Inline)]
    public static unsafe Lanes256 LoadPart(float* source, int count) =>
        new(Avx.MaskLoad(source, First(count)), Avx.MaskLoad(source + 8, First(count - 8)));

    [MethodImpl(Inline)]
    public static unsafe void StorePart(Lanes256 value, float* destination, int count)
    {
        Avx.MaskStore(destination, First(count), value.l);
        Avx.MaskStore(destination + 8, First(count - 8), value.u);
    }

    [MethodImpl(Inline)]
    public static unsafe Lanes256 FromBytes(byte* source) =>
        new(Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(source)),
            Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(source + 8)));

    [MethodImpl(Inline)] public static Lanes256 operator +(Lanes256 a, Lanes256 b) => new(a.l + b.l, a.u + b.u);
    [MethodImpl(Inline)] public static Lanes256 operator -(Lanes256 a, Lanes256 b) => new(a.l - b.l, a.u - b.u);
    [MethodImpl(Inline)] public static Lanes256 operator *(Lanes256 a, Lanes256 b) => new(a.l * b.l, a.u * b.u);
    [MethodImpl(Inline)] public static Lanes256 operator /(Lanes256 a, Lanes256 b) => new(a.l / b.l, a.u / b.u);
    [MethodImpl(Inline)] public static Lanes256 operator -(Lanes256 a) => new(-a.l, -a.u);

    [MethodImpl(Inline)]
    public static Lanes256 Fma(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.FusedMultiplyAdd(a.l, b.l, c.l), Vector256.FusedMultiplyAdd(a.u, b.u, c.u));

    [MethodImpl(Inline)] public static Lanes256 Min(Lanes256 a, Lanes256 b) => new(Vector256.Min(a.l, b.l), Vector256.Min(a.u, b.u));
    [MethodImpl(Inline)] public static Lanes256 Max(Lanes256 a, Lanes256 b) => new(Vector256.Max(a.l, b.l), Vector256.Max(a.u, b.u));
    [MethodImpl(Inline)]
    public static Lanes256 AtLeast(Lanes256 x, Lanes256 bound) =>
        new(Vector256.MaxNative(bound.l, x.l), Vector256.MaxNative(bound.u, x.u));
    [MethodImpl(Inline)]
    public static Lanes256 AtMost(Lanes256 x, Lanes256 bound) =>
        new(Vector256.MinNative(bound.l, x.l), Vector256.MinNative(bound.u, x.u));
    [MethodImpl(Inline)] public static Lanes256 Abs(Lanes256 a) => new(Vector256.Abs(a.l), Vector256.Abs(a.u));
    [MethodImpl(Inline)] public static Lanes256 Sqrt(Lanes256 a) => new(Vector256.Sqrt(a.l), Vector256.Sqrt(a.u));
    [MethodImpl(Inline)] public static Lanes256 Round(Lanes256 a) => new(Vector256.Round(a.l), Vector256.Round(a.u));

    [MethodImpl(Inline)]
    public static Lanes256 SelectLess(Lanes256 a, Lanes256 b, Lanes256 yes, Lanes256 no) =>
        new(Vector256.ConditionalSelect(Vector256.LessThan(a.l, b.l), yes.l, no.l),
            Vector256.ConditionalSelect(Vector256.LessThan(a.u, b.u), yes.u, no.u));

    [MethodImpl(Inline)] public static Lanes256 ScaleByPowerOfTwo(Lanes256 p, Lanes256 n) => new(Scale(p.l, n.l), Scale(p.u, n.u));
    [MethodImpl(Inline)]
    public static Lanes256 ScaleNormalByPowerOfTwo(Lanes256 p, Lanes256 n) => new(ScaleNormal(p.l, n.l), ScaleNormal(p.u, n.u));

    [MethodImpl(Inline)]
    public static Lanes256 SplitExponent(Lanes256 x, out Lanes256 exponent)
    {
        var l = Split(x.l, out var el);
        var u = Split(x.u, out var eu);
        exponent = new(el, eu);
        return new(l, u);
    }

    [MethodImpl(Inline)] public static Lanes256 TopBits(Lanes256 words) => new(Top(words.l), Top(words.u));
    [MethodImpl(Inline)]
    public static Lanes256 Evens(Lanes256 a, Lanes256 b) =>
        new(Avx.Shuffle(a.l, b.l, 0x88), Avx.Shuffle(a.u, b.u, 0x88));
    [MethodImpl(Inline)]
    public static Lanes256 Odds(Lanes256 a, Lanes256 b) =>
        new(Avx.Shuffle(a.l, b.l, 0xdd), Avx.Shuffle(a.u, b.u, 0xdd));
    [MethodImpl(Inline)]
    public static Lanes256 InterleaveLow(Lanes256 a, Lanes256 b) =>
        new(Avx.UnpackLow(a.l, b.l), Avx.UnpackLow(a.u, b.u));
    [MethodImpl(Inline)]
    public static Lanes256 InterleaveHigh(Lanes256 a, Lanes256 b) =>
        new(Avx.UnpackHigh(a.l, b.l), Avx.UnpackHigh(a.u, b.u));

    [MethodImpl(Inline)]
    public static double SumLanes(Lanes256 a)
    {
        var (l0, l1) = Vector256.Widen(a.l);
        var (u0, u1) = Vector256.Widen(a.u);
        return LaneConstants.SumLanes((l0 + u0) + (l1 + u1));
    }

    [MethodImpl(Inline)]
    public static double SumLanes(Lanes256 a, Lanes256 b)
    {
        var (al0, al1) = Vector256.Widen(a.l);
        var (au0, au1) = Vector256.Widen(a.u);
        var (bl0, bl1) = Vector256.Widen(b.l);
        var (bu0, bu1) = Vector256.Widen(b.u);
        return LaneConstants.SumLanes(((al0 + bl0) + (au0 + bu0)) + ((al1 + bl1) + (au1 + bu1)));
    }

    [MethodImpl(Inline)] public static float MaxLanes(Lanes256 a) => LaneConstants.MaxLanes(Vector256.Max(a.l, a.u));

    [MethodImpl(Inline)]
    private static Vector256<float> First(int count) => Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();

    [MethodImpl(Inline)]
    private static Vector256<float> Top(Vector256<float> words) =>
        Vector256.ConvertToSingle(Vector256.ShiftRightLogical(words.AsInt32(), 9));

    [MethodImpl(Inline)]
    private static Vector256<float> ScaleNormal(Vector256<float> p, Vector256<float> n) =>
        (p.AsInt32() + Vector256.ShiftLeft(Vector256.ConvertToInt32Native(n), 23)).AsSingle();

    [MethodImpl(Inline)]
    private static Vector256<float> Scale(Vector256<float> p, Vector256<float> n)
    {
        // Two factors reach subnormal and infinite results; the first product is exact, so the whole is rounded once.
        var k = Vector256.ConvertToInt32Native(n);
        var k1 = Vector256.ShiftRightArithmetic(k, 1);
        var bias = Vector256.Create(127);
        var first = Vector256.ShiftLeft(k1 + bias, 23).AsSingle();
        var second = Vector256.ShiftLeft(k - k1 + bias, 23).AsSingle();
        return p * first * second;
    }

    [MethodImpl(Inline)]
    private static Vector256<float> Split(Vector256<float> x, out Vector256<float> exponent)
    {
        var subnormal = Vector256.LessThan(x, Vector256.Create(LaneConstants.SmallestNormal));
        x = Vector256.ConditionalSelect(subnormal, x * Vector256.Create(LaneConstants.TwoTo23), x);
        var t = x.AsInt32() - Vector256.Create(LaneConstants.SqrtHalfBits);
        exponent = Vector256.ConvertToSingle(Vector256.ShiftRightArithmetic(t, 23)) - (subnormal & Vector256.Create(23f));
        return ((t & Vector256.Create(LaneConstants.MantissaBits)) + Vector256.Create(LaneConstants.SqrtHalfBits)).AsSingle();
    }
}
